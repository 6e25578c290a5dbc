"""Prove: mirrors the folders of the project, file by file."""
