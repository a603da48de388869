"""Measurements: each of Muster's figures beside a floor in the same run, as a ratio. `make bench`; docs/performance.md.

`portal.py`, `floor.py` and `floor_worker.py` are what is measured, `sink.py` is a mail server; each other module of this
package is a table of figures.
"""
