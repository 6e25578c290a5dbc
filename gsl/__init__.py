"""Learn: guided pruning; sees hardware only through perfmodel."""
