"""Kernels: one folder a backend, each a complete plugin."""
