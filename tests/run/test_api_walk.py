"""The walk of docs/api.md, executed as it is written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import chromium
from tests.faults.portal import OWNER, PASSWORD, Browser
from tests.run.conftest import TOP, Muster

pytestmark = pytest.mark.slow


def test_the_walk(tmp_path: Path) -> None:
    if not shutil.which("curl"):  # only a small system lacks it
        chromium._apt_get("install", "-y", "--no-install-recommends", "curl")
    owner = {"MUSTER_OWNER_EMAIL": OWNER, "MUSTER_OWNER_PASSWORD": PASSWORD}
    muster = Muster(tmp_path / "data", **owner).migrated()
    text = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    try:
        muster.started()
        environ = os.environ | {"MUSTER_URL": muster.url, "MUSTER_TOKEN": make_token(muster)}
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    finally:
        muster.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"outcomes": {"invited": 2}' in (tmp_path / "report.json").read_text()


def make_token(muster: Muster) -> str:
    browser = Browser(muster.port).sign_in()
    browser.get("/account/tokens")
    permissions = ["users:see", "batches:see", "invitations:make"]
    _, _, page = browser.post("/account/tokens", name="walk", days="30", current=PASSWORD, permissions=permissions)
    found = re.search(r'id="token-text"[^>]*>(muster_[^<]+)<', page)
    assert found
    return found[1]
