"""nginx for tests. As root on Debian its package is unpacked into a folder: nothing is installed, and no service starts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from webapp.run import processes

from tests.chromium import _apt_get

PATIENCE = 20


def find(folder: Path) -> str | None:
    """The program: the system's, else one that is unpacked into this folder. None where there is none to be had."""
    for path in (shutil.which("nginx"), "/usr/sbin/nginx"):
        if path and os.access(path, os.X_OK):
            return path
    if os.geteuid() or not shutil.which("dpkg-deb"):
        return None
    if not _download(folder):
        _apt_get("update")
        _download(folder)
    for package in folder.glob("nginx_*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    unpacked = folder / "usr" / "sbin" / "nginx"
    return str(unpacked) if unpacked.exists() else None


def _download(folder: Path) -> bool:
    asked = subprocess.run(["apt-get", "-qq", "download", "nginx"], cwd=folder, capture_output=True)
    return asked.returncode == 0


class Nginx:
    """A running nginx with one server block."""

    def __init__(self, program: str, server: str, port: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="muster-nginx-"))
        bodies = " ".join(
            f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = (
            f"daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/errors;"
            f"events {{}} http {{ access_log off; {bodies} {server} }}"
        )
        config = self.folder / "nginx.conf"
        config.write_text(text)
        errors = str(self.folder / "errors")
        self._child = processes.spawn([program, "-p", str(self.folder), "-e", errors, "-c", str(config)])
        end = time.monotonic() + PATIENCE
        while not _answers(port):
            assert self._child.poll() is None, (self.folder / "errors").read_text()
            assert time.monotonic() < end, "nginx does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
