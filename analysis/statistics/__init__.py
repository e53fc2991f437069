"""Intervals, counts, effect sizes, and how they are written."""
