"""Pruning runs side by side: measured where that was left for later, put together by seed, compared at equal accuracy."""
