"""Where Muster's own files are: beside this package in a checkout, within it where it was installed as a package."""

from pathlib import Path

_PACKED = Path(__file__).resolve().parent / "_top"
IS_INSTALLED = _PACKED.is_dir()
"""Whether Muster was installed as a package; False in a checkout."""
TOP = _PACKED if IS_INSTALLED else _PACKED.parents[1]
"""The folder with templates, static, migrations, worker.py, wsgi.py and pyproject.toml."""
