"""Instability: its definition, and what makes carrying the state unstable.

`definition` says what "unstable" means. The rest compares scheme 4 with scheme 3, which trains
alike but carries no state: at several forget biases (experiment=carry), and with one switch at a
time (experiment=suspects).
"""
