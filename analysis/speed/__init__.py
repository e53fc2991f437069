"""Measured speed: Table 4, growth with sizes, runs per hour."""
