"""Codes of the second step."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from pyotp import TOTP
from webapp.core.security import totp

KEY = "a key that is long enough for this here"
NOON = datetime(2026, 9, 1, 12, 0, 10, tzinfo=UTC)


def test_a_secret_is_derived_and_another_for_each_person_salt_and_key() -> None:
    first = totp.secret(KEY, 7, "salt")
    assert re.fullmatch("[A-Z2-7]{32}", first)
    assert first == totp.secret(KEY, 7, "salt")
    assert len({first, totp.secret(KEY, 8, "salt"), totp.secret(KEY, 7, "pepper"), totp.secret(KEY + "!", 7, "salt")}) == 4


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC's "12345678901234567890"
    at = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
    for seconds, code in at.items():
        assert TOTP(secret).at(seconds) == code
        assert totp.step_of([secret], code, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


@pytest.mark.parametrize(("late", "taken"), [(0, True), (30, True), (-30, True), (60, False), (-60, False)])
def test_a_clock_may_be_half_a_minute_off(late: int, taken: bool) -> None:
    secret = totp.secret(KEY, 7, "salt")
    code = TOTP(secret).at(NOON + timedelta(seconds=late))
    assert (totp.step_of([secret], code, NOON) is not None) is taken


def test_a_code_of_an_earlier_key_is_taken_while_that_key_is_named() -> None:
    old, new = totp.secret("old " + KEY, 7, "salt"), totp.secret(KEY, 7, "salt")
    code = TOTP(old).at(NOON)
    assert totp.step_of([new, old], code, NOON)
    assert totp.step_of([new], code, NOON) is None


@pytest.mark.parametrize("code", ["", "abc", "12345", "1234567", "½½½½½½", "x" * 5000])
def test_what_is_no_code_is_of_no_step(code: str) -> None:
    assert totp.step_of([totp.secret(KEY, 7, "salt")], code, NOON) is None


def test_recovery_codes_differ_and_are_read_however_they_are_typed() -> None:
    codes = {totp.new_recovery_code() for _ in range(50)}
    assert len(codes) == 50
    assert all(re.fullmatch("([0-9a-f]{4}-){4}[0-9a-f]{4}", code) for code in codes)
    assert totp.plain(" 07FD 2a9c-ab5e-41D3 9e60 ") == "07fd2a9cab5e41d39e60"
