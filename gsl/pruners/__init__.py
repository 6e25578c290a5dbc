"""How weights go: one pruner a file, each after its paper."""
