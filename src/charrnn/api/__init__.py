"""What a notebook uses: corpora by name, trained models, and tables of results."""
