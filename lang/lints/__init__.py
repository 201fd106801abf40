"""Lints: what is allowed and likely a mistake, by what they look at."""
