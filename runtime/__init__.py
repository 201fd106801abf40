"""dpipe."""
