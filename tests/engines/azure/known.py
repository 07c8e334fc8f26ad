"""The programs that the two Durable Functions engines can't run as the language says, and why."""

from __future__ import annotations

from tests.engines._driver import Known

KNOWN: tuple[Known, ...] = ()
