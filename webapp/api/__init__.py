"""HTTP for programs: a view without a page. It parses, calls one service, and answers JSON."""

from __future__ import annotations

from webapp.api.audit import events
from webapp.api.batches import batches, rows, running
from webapp.api.directory import groups, roles
from webapp.api.invitations import invitations
from webapp.api.operations import document
from webapp.api.people import tokens, users

BLUEPRINTS = [
    module.bp
    for module in (
        batches,
        rows,
        running,
        invitations,
        users,
        groups,
        roles,
        events,
        tokens,
        document,
    )
]
