"""Strict rules for e-mail addresses beside marshmallow's own field, and what email-validator would cost on every row."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields

from bench.timing import Figure, in_turns
from webapp.core.plan.registry import Registry
from webapp.schemas.rows import RowSchema

ROWS = 20_000
DOMAINS = 200


def figures() -> list[Figure]:
    """Distinct addresses at two hundred domains, one in a hundred of them wrong; the fields themselves, without their schema."""
    addresses = [
        f"Some.Person{n}@{'nowhere' if n % 100 == 0 else f'school{n % DOMAINS}.northfield.example'}" for n in range(ROWS)
    ]
    own = RowSchema(Registry(roles=(), groups=())).fields["email"].deserialize
    plain = fields.Email(required=True).deserialize

    def each(judge: Callable[[str], object], refusal: type[Exception]) -> Callable[[], None]:
        def judged() -> None:
            for address in addresses:
                with suppress(refusal):
                    judge(address)

        return judged

    strictest = each(lambda address: validate_email(address, check_deliverability=False), EmailNotValidError)
    tasks = each(plain, ValidationError), each(own, ValidationError), strictest
    floor, taken, dearest = in_turns(*tasks, rounds=7, clock=time.process_time)
    return [
        Figure(f"strict e-mail rules, {ROWS:,} addresses, beside marshmallow's", taken * 1e3, "ms", floor * 1e3, 1.15),
        Figure("email-validator on every one of them", dearest * 1e3, "ms", floor * 1e3),
    ]
