"""OpenCL kernels."""
