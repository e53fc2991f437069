"""Parts for charrnn that live in a package of their own."""
