"""Intervals, counts, effects and units."""
