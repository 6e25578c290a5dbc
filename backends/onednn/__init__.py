"""PyTorch's convolution (oneDNN)."""
