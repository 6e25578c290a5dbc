"""OpenVINO's convolution."""
