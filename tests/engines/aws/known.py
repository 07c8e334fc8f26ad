"""The programs that ministack and moto can't run as the language says, and why."""

from __future__ import annotations

from tests.engines._driver import Known

_CLOCK = "both engines wait on the machine's clock, which nobody can turn on by hours"
_PATH = "ministack 1.5.33 has no StringLessThanPath or StringGreaterThanPath: the rule is false"
_CAP = "ministack 1.5.33 ignores MaxDelaySeconds: a pause grows up to a minute"

KNOWN: tuple[Known, ...] = (
    Known(
        "ministack",
        "strings_compare_by_code_point",
        "engine bug",
        _PATH,
        "test_probes.py::test_ministack_orders_no_two_paths",
    ),
    Known(
        "ministack",
        "waits_grow_by_the_rate_up_to_the_cap",
        "engine bug",
        _CAP,
        "test_probes.py::test_ministack_knows_no_longest_pause",
    ),
    *(
        Known(engine, program, "documented only", _CLOCK)
        for engine in ("ministack", "moto")
        for program in ("a_sleep_lasts_until_a_time", "a_sleep_may_last_a_day")
    ),
)
