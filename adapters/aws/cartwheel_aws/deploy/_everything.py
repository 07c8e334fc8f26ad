"""The application with what the adapter adds: its own collections, and who may touch them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cartwheel.access import KEEPER
from cartwheel.deadletters import DEAD_LETTERS
from cartwheel.dispatch import SETTLER
from cartwheel.manifest import (
    CollectionSpec,
    FunctionSpec,
    IndexSpec,
    Manifest,
    ScheduleSpec,
)
from cartwheel.ports import Collection
from cartwheel.runs import RUNS
from cartwheel.testbank import BOOKS

SETTLE_SECONDS = 60
"""How often runs are looked after for what no event told."""


def everything(
    manifest: Manifest, replaced: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> Manifest:
    """Give the manifest of all that is deployed.

    `replaced` names the ports that services outside take the place of, with the secrets for that:
    their functions get those, and neither this platform's service nor the test gateway's books.
    """
    bank = "payments" not in replaced
    own = [RUNS, DEAD_LETTERS, *((BOOKS,) if bank else ())]
    return manifest.model_copy(
        update={
            "collections": (*manifest.collections, *(_spec(one) for one in own)),
            "functions": tuple(_function(one, replaced) for one in manifest.functions),
        }
    )


def _spec(collection: Collection) -> CollectionSpec:
    return CollectionSpec(
        name=collection.name,
        indexes=tuple(
            IndexSpec(name=one.name, field=one.field, sort=one.sort) for one in collection.indexes
        ),
    )


def _function(function: FunctionSpec, replaced: Mapping[str, tuple[str, ...]]) -> FunctionSpec:
    added: list[str] = []
    given = function.uses.ports
    if function.tasks or function.uses.runs or function.name == KEEPER:
        added.append(RUNS.name)
    if "payments" in given and "payments" not in replaced:
        added.append(BOOKS.name)
    asked = (RUNS.name,) if function.name == KEEPER else ()
    secrets = {secret for port in given for secret in replaced.get(port, ())}
    uses = function.uses.model_copy(
        update={
            "writes": (*function.uses.writes, *added),
            "queries": (*function.uses.queries, *asked),
            "ports": tuple(port for port in given if port not in replaced),
            "secrets": tuple(sorted({*function.uses.secrets, *secrets})),
        }
    )
    schedules = function.schedules
    if function.name == KEEPER:
        schedules = (*schedules, ScheduleSpec(name=SETTLER, seconds=SETTLE_SECONDS))
    return function.model_copy(update={"uses": uses, "schedules": schedules})
