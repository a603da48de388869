"""What is set on a page: read, checked by the rules of the environment, and kept with the organisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from marshmallow import ValidationError

from webapp.core.errors import PasswordRequiredError
from webapp.core.text.formatting import to_one_line
from webapp.db import begin_write, db
from webapp.models import User
from webapp.services.audit import events
from webapp.services.directory import lookup
from webapp.services.settings import in_force
from webapp.settings.pages import NAME, REQUIRED_OF
from webapp.settings.settings import ON_PAGES, Settings

LONGEST_NAME = 120


def current_texts(names: Iterable[str]) -> dict[str, str]:
    """These settings as they are in force, as one would type them."""
    now = in_force.settings()
    texts = {name: now.text(name) for name in names if name != NAME}
    return {NAME: in_force.organisation_name()} | texts


def save(typed: Mapping[str, str], by: User, *, proven: bool = False) -> bool:
    """Set what was typed; what the environment gives stays. -> whether anything changed.

    typed: by name; blank is the default again. proven: `by` has just given their password, as it takes to protect
    accounts or the audit log less than before. Raises PasswordRequiredError without it, and ValidationError with a
    sentence for each name that is wrong; nothing is changed then.
    """
    begin_write()
    place = in_force.organisation()
    given = in_force.environment()
    wanted = {
        each: text.strip()  # blank: the default
        for each, text in typed.items()
        if each in ON_PAGES and each not in given.given
    }
    after, problems = given.overlaid(place.settings | wanted)
    name = to_one_line(typed.get(NAME, place.name))
    if NAME in typed and not name:
        problems[NAME] = "Type your organisation’s name."
    if len(name) > LONGEST_NAME:
        problems[NAME] = f"Use at most {LONGEST_NAME} characters."
    if problems:
        db.session.rollback()
        raise ValidationError(
            {each: [sentence] for each, sentence in problems.items()},
        )
    if not proven and _protects_less(in_force.settings(), after):
        db.session.rollback()
        raise PasswordRequiredError(
            "Type your password: this protects accounts or the audit log less than before. Nothing was saved."
        )
    before = current_texts(wanted)
    new = {each: after.text(each) for each in wanted}
    texts = place.settings | new
    place.settings = {
        each: text
        for each, text in texts.items()
        if text != given.text(each)  # a default is not kept
    }
    place.name = name
    new = {NAME: name} | new
    changed = [each for each in new if before[each] != new[each]]
    if changed:
        events.record(
            by,
            "organisation.changed",
            place,
            before={each.lower(): before[each] for each in changed},
            after={each.lower(): new[each] for each in changed},
        )
        lookup.bump_version()  # which domains are allowed is part of what plans are made of
    db.session.commit()
    return bool(changed)


def _protects_less(before: Settings, after: Settings) -> bool:
    """Whether two-step sign-in is required of fewer people, or the audit log kept for fewer days."""
    demands = list(REQUIRED_OF)
    if demands.index(after.require_totp) < demands.index(before.require_totp):
        return True
    return (after.audit_days or math.inf) < (before.audit_days or math.inf)
