"""Reading on and stability: what is measured of each cell, and what changes it.

`gap` measures how much worse the same weights predict if they read on, `definition` how far
perplexity rises, `kinds` tells rises apart, and `threshold` says from what rise on a cell is
unstable. `paired` and `effects` compare cells that differ in one thing: forget biases
(experiment=readings and carry), carrying, and one switch at a time (experiment=suspects).
"""
