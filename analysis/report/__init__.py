"""All results at one scale, as a single self-contained HTML page."""
