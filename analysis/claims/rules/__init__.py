"""How a claim is tested."""
