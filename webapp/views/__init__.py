"""HTTP: a view parses, calls one service, answers. No session, no loop, no rule about values."""

from __future__ import annotations

from webapp.views import (
    actions,
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
    people,
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
        people,
        groups,
        batches,
        actions,
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
