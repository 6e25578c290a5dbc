"""Labelled images to train on; batches are a function of seed, epoch and step alone."""
