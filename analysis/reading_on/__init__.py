"""How the models of a sweep predict if they read on, far beyond k2 tokens."""
