"""Measurements: each of Muster's figures beside a floor in the same run, as a ratio. `make bench`; docs/performance.md.

`portal.py` and `floor.py` are what is measured, each other module of this package is one table of figures.
"""
