"""ONNX Runtime's convolution."""
