"""A list of steps under construction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._lint_targets import GCP_STEP_ENTRIES
from cartwheel_gcp._names import Fresh

Steps: TypeAlias = list[Json]


@dataclass(slots=True)
class Block:
    """Collects steps; assignments that follow one another share a step, for each step is billed."""

    fresh: Fresh
    steps: Steps = field(default_factory=list)

    def add(self, name: str, step: JsonObject) -> None:
        """Add a step under a name of its own."""
        self.steps.append({self.fresh(name): step})

    def assign(self, name: str, entries: list[Json]) -> None:
        """Set variables, in order."""
        for entry in entries:
            last = self._last_assign()
            if last is None or len(last) >= GCP_STEP_ENTRIES:
                last = []
                self.add(name, {"assign": last})
            last.append(entry)

    def inner(self) -> Block:
        """Begin a list of steps inside one of this list."""
        return Block(self.fresh)

    def _last_assign(self) -> list[Json] | None:
        last = self.steps[-1] if self.steps else None
        if isinstance(last, dict):
            for step in last.values():
                if isinstance(step, dict) and isinstance(step.get("assign"), list):
                    return step["assign"]  # type: ignore[return-value]  # narrowed the line before
        return None
