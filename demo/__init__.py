"""`make demo`: Muster with an example school, to be looked at and played with. Muster itself imports nothing of it."""
