"""The paper's schemes (Sections 2, 3 and 5), loops in wide use, and the loss over positions."""
