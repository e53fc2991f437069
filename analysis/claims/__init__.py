"""The paper's claims: the cells that decide each, and the test that judges it.

Claims are judged by tables alone: those of the runs that a sweep's grid names, and Table 4.
"""
