"""What every backend on the host CPU shares; not a plugin."""
