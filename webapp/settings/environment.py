"""What the environment says: the text of each setting, and of a secret also the text of the file that MUSTER_…_FILE names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from webapp.settings.fields import PREFIX, ConfigError, Field, shorten

FILE = "_FILE"
OF_COMMANDS = ("MUSTER_URL", "MUSTER_TOKEN", "MUSTER_TOKEN_FILE")
"""What commands such as `muster invite` take from the environment. They are no settings."""
LARGEST = 65_536
"""Characters of a secret's file: no secret is longer, and a device would never end."""


def read_texts(
    environ: Mapping[str, str], fields: Mapping[str, Field]
) -> tuple[dict[str, str], dict[str, Path]]:
    """Read the text of every setting, "" where it is not set. -> those, and the files that secrets come from, by setting.

    Raises ConfigError on an unknown name, on a secret that is set twice, and on a file that cannot be read.
    """
    names = {PREFIX + name: name for name in fields}
    secrets = [name for name, field in fields.items() if field.is_secret]
    files = {PREFIX + name + FILE: name for name in secrets}
    _refuse_unknown_names(environ, [*names, *files, *OF_COMMANDS])
    texts = {short: environ.get(name, "") for name, short in names.items()}
    named = {short: environ.get(name, "").strip() for name, short in files.items()}
    paths = {short: _find_file(short, path) for short, path in named.items() if path}
    for short, path in paths.items():
        if texts[short].strip():
            raise ConfigError(
                f"{PREFIX}{short} and {PREFIX}{short}{FILE} are both set: remove one of them."
            )
        texts[short] = _read_file(short, path)
    return texts, paths


def _refuse_unknown_names(environ: Mapping[str, str], known: list[str]) -> None:
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)[0]
            raise ConfigError(f"{shorten(name)} is not a setting of Muster. Did you mean {near}?")


def _find_file(name: str, path: str) -> Path:
    """A whole path: who writes the secret itself there by mistake does not read it in the log."""
    if not path.startswith("/"):
        raise ConfigError(
            f"{PREFIX}{name}{FILE} has a value that cannot be used. "
            f"Expected: the whole path of a file, such as /run/secrets/{name.lower()}."
        )
    return Path(path)


def _read_file(name: str, path: Path) -> str:
    begin = f"{PREFIX}{name}{FILE} names “{shorten(str(path))}”, which"
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{begin} cannot be read ({why}).") from None
    if len(text) > LARGEST:
        raise ConfigError(f"{begin} is too long for a secret.")
    if not text.strip():
        raise ConfigError(f"{begin} is empty.")
    return text
