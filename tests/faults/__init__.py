"""Faults: the real processes, a nemesis that plays against them, and a checker that compares what is left. docs/faults.md."""
