"""How fast the project's loops are, beside their floor and their peers."""
