"""How much memory the web process takes while it stages a long file: the highest that its resident set rises."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from bench.portal import LARGEST, Portal, people, portal
from bench.timing import Figure

BOUNDARY = "edge-of-the-file"
MB = 1e6


def figures() -> list[Figure]:
    """Each upload in a process of its own, so that nothing earlier has left room behind."""
    sizes = (10_000, LARGEST)
    risen = [
        float(subprocess.check_output([sys.executable, "-m", __name__, str(size)])) / MB
        for size in sizes
    ]
    return [
        Figure(f"memory while {size:,} rows are staged", rise, "MB")
        for size, rise in zip(sizes, risen, strict=True)
    ]


def main(rows: int) -> None:
    """Print the rise in bytes."""
    with portal(users=10_000) as muster, tempfile.TemporaryFile() as body:
        # whatever is loaded on the first request
        muster.get(f"/batches/{muster.upload(people(100))}")
        body.write(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n\r\n'.encode()
        )
        body.write(people(rows))
        body.write(f"\r\n--{BOUNDARY}--\r\n".encode())
        print(_rise(muster, body))


def _rise(muster: Portal, body: IO[bytes]) -> int:
    """The body comes from a file, as the server hands it over."""
    length = body.tell()
    body.seek(0)
    headers = {**muster.headers(), "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far counts from here
    before = _highest()
    answer = muster.browser.post(
        "/batches", input_stream=body, content_length=length, headers=headers
    )
    assert answer.status_code == 303, answer.status
    return _highest() - before


def _highest() -> int:
    found = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return int(found.split()[1]) * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
