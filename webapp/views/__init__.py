"""HTTP: a view parses, calls one service, answers. No session, no loop, no rule about values."""

from __future__ import annotations

from webapp.views import batches, groups, health, home, invitations, messages, rows, sessions, settings, setup, users

BLUEPRINTS = [
    module.bp for module in (sessions, setup, home, users, groups, batches, rows, invitations, messages, settings, health)
]
