"""What makes carrying the state unstable: the forget bias, other suspects, growth over training.

Scheme 4 beside scheme 3, which trains alike but carries nothing: with several forget biases
(experiment=carry), and with one switch at a time (experiment=suspects).
"""
