"""Answers from a recorded run."""
