"""The running portal keeps to its document, whatever is sent: schemathesis, from an environment of its own (`make test-api`)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from webapp.core.security.permissions import Permission
from webapp.http import rate_limits

from tests.factories import make_invitation, make_user
from tests.program import API, program_of
from tests.served import served
from tests.steps import FILE, stage

pytestmark = [pytest.mark.contract, pytest.mark.slow]

TOOL = Path(".venv-contract/bin/schemathesis")
SEED = os.environ.get("MUSTER_CONTRACT_SEED", "16")
EXAMPLES = "15"


def test_the_api_keeps_to_its_document(app, owner, known_groups, monkeypatch, tmp_path):
    monkeypatch.setattr(rate_limits, "BY_TOKEN", 1_000_000)
    program = program_of(app, "Owner", tuple(Permission), may_make_admins=True)
    stage(owner)
    stage(owner, FILE.replace("Email", "Mehl"))
    make_user("Ada Hill", "Remote")
    make_invitation()
    rules = Path(__file__).with_name("schemathesis.toml")
    with served(app, threads=8) as server:
        address = f"http://127.0.0.1:{server.port}"
        sent = ["-H", f"Authorization: Bearer {program.text}"]
        tried = ["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none", "--continue-on-failure"]
        command = [TOOL.absolute(), "--config-file", rules, "run", f"{address}{API}/openapi.json", *sent, *tried]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    print(done.stdout[-20_000:], done.stderr[-2_000:])
    assert done.returncode == 0
