"""Drawing text from a trained network: windowed, rolling and progressive (Algorithms 4 and 5)."""
