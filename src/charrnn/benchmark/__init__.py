"""How fast the project's loops are, compared with their floor and their peers."""
