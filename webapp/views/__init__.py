"""HTTP: a view parses, calls one service, answers. No session, no loop, no rule about values."""

from __future__ import annotations

from webapp.views.accounts import (
    password_reset,
    profile,
    service_accounts,
    sessions,
    sso,
    tokens,
    two_factor,
)
from webapp.views.audit import audit
from webapp.views.batches import (
    actions,
    batches,
    confirmation,
    edits,
    export,
    letter,
    mapping,
    missing,
    paste,
    report,
    review,
    running,
    tidy_up,
)
from webapp.views.directory import aliases, groups, roles
from webapp.views.invitations import invitations
from webapp.views.mail import messages
from webapp.views.operations import api, dashboard, first_run, health
from webapp.views.people import link_sheets, ownership, people_list, person
from webapp.views.settings import settings, webhooks

BLUEPRINTS = [
    module.bp
    for module in (
        sessions,
        sso,
        first_run,
        password_reset,
        profile,
        two_factor,
        tokens,
        service_accounts,
        dashboard,
        api,
        people_list,
        person,
        groups,
        aliases,
        roles,
        ownership,
        batches,
        review,
        running,
        report,
        confirmation,
        actions,
        paste,
        export,
        edits,
        tidy_up,
        letter,
        mapping,
        missing,
        invitations,
        link_sheets,
        messages,
        settings,
        webhooks,
        audit,
        health,
    )
]
