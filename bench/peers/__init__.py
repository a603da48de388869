"""Muster beside what others would take for the same: `make bench-peers`, with an environment of its own.

`project.py` and `people` are a minimal Django project with django-import-export, and run in that environment alone.
"""
