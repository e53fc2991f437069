"""Optimizers that torch does not provide."""
