"""OpenCL kernels: direct sparse and dense convolution on GPUs, accelerators and CPU runtimes."""
