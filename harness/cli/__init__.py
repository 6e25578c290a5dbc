"""The command line: Hydra underneath, messages of our own on top."""
