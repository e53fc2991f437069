"""Figures: what they show, and how Matplotlib draws them."""
