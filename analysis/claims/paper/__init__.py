"""The paper's claims, one module per figure or table."""
