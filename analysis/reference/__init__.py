"""Results that come with the project: those of its own runs, in one table with provenance."""
