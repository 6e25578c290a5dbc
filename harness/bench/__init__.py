"""The main job: measure layers on kernels, side by side, and tell what is worth it."""
