"""HTTP: a view parses, calls one service, answers. No session, no loop, no rule about values."""

from __future__ import annotations

from webapp.views import (
    aliases,
    batches,
    blocks,
    downloads,
    edits,
    groups,
    health,
    home,
    invitations,
    letters,
    mapping,
    messages,
    ownership,
    roles,
    rows,
    sessions,
    settings,
    setup,
    users,
)

BLUEPRINTS = [
    module.bp
    for module in (
        sessions,
        setup,
        home,
        users,
        groups,
        aliases,
        roles,
        ownership,
        batches,
        rows,
        blocks,
        downloads,
        edits,
        letters,
        mapping,
        invitations,
        messages,
        settings,
        health,
    )
]
