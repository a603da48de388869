"""`python -m webapp`: the command `muster`."""

from webapp.command import muster

muster(prog_name="muster")
