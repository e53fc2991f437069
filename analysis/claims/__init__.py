"""The paper's findings as data and code: what each needs, and the test that tables decide it by.

Claims read tables only: those of the runs that a sweep's grid names, and Table 4's.
"""
