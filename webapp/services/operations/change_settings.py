"""What is set on a page: read, checked by the rules of the environment, and kept with the organisation."""

from __future__ import annotations

import math
from collections.abc import Mapping

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


def current_texts() -> dict[str, str]:
    """The settings of the pages as they are in force, as one would type them."""
    return _texts(in_force.settings(), in_force.organisation_name())


def save(typed: Mapping[str, str], by: User, *, proven: bool = False) -> bool:
    """Set what was typed; what the environment gives stays. -> whether anything changed.

    typed: by name; blank is the default again. proven: `by` has just given their password, as it takes to protect
    accounts less than before, or to keep things for fewer days. Raises PasswordRequiredError without it, and
    ValidationError with a sentence for each name that is wrong; nothing is changed then.
    """
    begin_write()
    place = in_force.organisation()
    given = in_force.environment()
    wanted = {name: text.strip() for name, text in typed.items() if name in ON_PAGES}
    after, problems = given.overlaid(place.settings | wanted)
    name = to_one_line(typed.get(NAME, place.name))
    if NAME in typed and not name:
        problems[NAME] = "Type your organisation’s name."
    if len(name) > LONGEST_NAME:
        problems[NAME] = f"Use at most {LONGEST_NAME} characters."
    if problems:
        db.session.rollback()
        raise ValidationError({each: [sentence] for each, sentence in problems.items()})
    if not proven and _protects_less(in_force.settings(), after):
        db.session.rollback()
        raise PasswordRequiredError(
            "this protects accounts less than before, or deletes what is older. Nothing was saved."
        )
    before, new = current_texts(), _texts(after, name)
    changed = [each for each in new if before[each] != new[each]]
    if changed:
        place.name = name
        place.settings = {
            each: new[each]
            for each in ON_PAGES
            if new[each] != given.text(each)  # a default is not kept
        }
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


def go_without_email(by: User) -> None:
    """Mark the first steps' email as skipped."""
    begin_write()
    place = in_force.organisation()
    place.without_email = True
    events.record(by, "organisation.changed", place, after={"without_email": "yes"})
    db.session.commit()


def _texts(settings: Settings, name: str) -> dict[str, str]:
    return {NAME: name} | {each: settings.text(each) for each in ON_PAGES}


def _protects_less(before: Settings, after: Settings) -> bool:
    """Whether two-step sign-in is required of fewer people, or the audit log or uploads are kept for fewer days."""
    demands = list(REQUIRED_OF)
    return (
        demands.index(after.require_totp) < demands.index(before.require_totp)
        or (after.audit_days or math.inf) < (before.audit_days or math.inf)
        or (after.retention_days or math.inf) < (before.retention_days or math.inf)
    )
