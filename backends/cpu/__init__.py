"""Our C kernels."""
