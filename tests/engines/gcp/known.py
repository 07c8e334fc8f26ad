"""The programs that Workflows can't run as the language says, and why."""

from __future__ import annotations

from tests.engines._driver import Known

KNOWN: tuple[Known, ...] = (
    Known(
        "workflows-emulator",
        "a_map_beside_a_branch_in_a_map_in_a_saga",
        "not possible",
        "parallels nest 2 deep on Workflows, this 3: the compiler refuses it with that reason",
    ),
)
