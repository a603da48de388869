"""How many examples property tests try: few in `make test`, many in `make faults` (`--hypothesis-profile=many`)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

BUSY_MACHINE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def register_profiles() -> None:
    """Define both profiles and take the one with few examples; an option of pytest comes after this."""
    settings.register_profile("few", max_examples=50, deadline=None, suppress_health_check=BUSY_MACHINE)
    settings.register_profile("many", max_examples=500, deadline=None, suppress_health_check=BUSY_MACHINE)
    settings.load_profile("few")


def fewer(by: int = 10) -> settings:
    """Try a tenth of the examples, for a property whose examples each take long."""
    return settings(max_examples=settings().max_examples // by)
