"""How should a recurrent network be trained and sampled? De Boom et al. 2018, as a benchmark."""
