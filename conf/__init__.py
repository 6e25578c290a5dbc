"""Choose: Hydra groups, one folder a question."""
