"""What ``task=prune`` is made of: the parts it trains with, its projections, its exports, its tables."""
