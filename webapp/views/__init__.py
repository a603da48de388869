"""HTTP: a view parses, calls one service, answers. No session, no loop, no rule about values."""

from __future__ import annotations

from webapp.views import (
    account,
    actions,
    aliases,
    audit,
    batches,
    blocks,
    downloads,
    edits,
    erasures,
    groups,
    health,
    home,
    invitations,
    letters,
    mapping,
    messages,
    owner_links,
    ownership,
    resets,
    roles,
    rows,
    second_factors,
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
        resets,
        owner_links,
        account,
        second_factors,
        home,
        users,
        erasures,
        groups,
        aliases,
        roles,
        ownership,
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
        audit,
        health,
    )
]
