"""Compiling workflows for providers' engines and counting what they bill, for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cartwheel.plugins import AdapterError, find_adapters, load_adapter
from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import Cost, Unsupported, Workflow
from shopctl._errors import CliError, UsageError
from shopctl._output import say, table
from shopctl._prices import AS_OF, NOT_INCLUDED, PRICES

if TYPE_CHECKING:
    from cartwheel.plugins import Adapter

TARGETS = ("aws", "gcp", "azure")


def workflow_of(name: str | None, ir: Path | None, app: str | None) -> Workflow:
    """Find a workflow by name, or read one from a file; raises UsageError unless one is given."""
    if (name is None) == (ir is None):
        raise UsageError("give the workflow's name or --ir FILE, one of the two")
    if ir is not None:
        return read_workflow(ir)
    from shopctl._apps import load_app
    from shopctl._commands.workflow import find

    return find(load_app(app), str(name)).ir


def read_workflow(path: Path) -> Workflow:
    """Read and check a workflow as data; raises CliError with what is wrong with it."""
    from pydantic import ValidationError

    from cartwheel.workflow import check

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CliError(f"{path}: not UTF-8: {error}") from error
    try:
        workflow = Workflow.from_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise CliError(
            f"{path}: not a workflow: {where}: {first['msg']}",
            "write one with: shopctl workflow ir NAME --out FILE",
        ) from error
    check(workflow)
    return workflow


def compiler(provider: str) -> Adapter:
    """Load a provider's adapter; raises UsageError with those that compile workflows."""
    known = [found.name for found in find_adapters() if found.adapter and found.adapter.compiles]
    if provider not in known:
        raise UsageError(
            f"no adapter '{provider}' compiles workflows; there are: {', '.join(known) or 'none'}"
        )
    return load_adapter(provider)


def write_files(files: dict[str, str], out: Path) -> list[Path]:
    """Write files under a folder, which is made; gives their paths."""
    written: list[Path] = []
    for name, text in files.items():
        path = out / Path(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def costs(workflow: Workflow) -> list[JsonObject]:
    """Count what a run bills on every provider, and what a million runs cost there."""
    rows: list[JsonObject] = []
    for target in TARGETS:
        try:
            cost = load_adapter(target).workflow_cost(workflow)
        except (Unsupported, AdapterError) as error:
            rows.append({"provider": target, "error": str(error)})
        else:
            rows.append(_row(target, cost))
    return rows


def _row(target: str, cost: Cost) -> JsonObject:
    prices = PRICES[target]
    paths: dict[str, Json] = dict(sorted(cost.paths.items()))
    other: dict[str, Json] = dict(sorted(cost.other.items()))
    beside = sum(prices[what].dollars_per_million * n for what, n in cost.other.items())
    each = prices[cost.unit].dollars_per_million
    sources: list[Json] = [prices[cost.unit].source, *(prices[what].source for what in cost.other)]
    return {
        "provider": target,
        "unit": cost.unit,
        "effects": cost.effects,
        "happy": cost.happy,
        "worst": cost.worst,
        "paths": paths,
        "other": other,
        "dollars_per_million_runs": round(each * cost.happy + beside, 2),
        "prices_as_of": AS_OF,
        "sources": sources,
        "not_included": NOT_INCLUDED,
    }


def show_costs(rows: list[JsonObject]) -> None:
    """Print what was counted, side by side, with the prices that were used."""
    counted = [row for row in rows if "error" not in row]
    columns = ("provider", "effects", "unit", "happy", "worst", "other", "$ per million runs")
    table(columns, [_shown(row) for row in counted], empty="no provider's engine can run it")
    for row in counted:
        if isinstance(paths := row["paths"], dict) and paths:
            listed = ", ".join(f"{path} {count}" for path, count in paths.items())
            say(f"{row['provider']} by path: {listed}")
    say("happy: every task at its first try; worst: every retry used.")
    say(f"List prices as known in {AS_OF}; look them up before you rely on them:")
    for target, prices in PRICES.items():
        for what, price in prices.items():
            dollars = f"${price.dollars_per_million:g}"
            say(f"  {target}: {dollars} per million {what}s ({price.source})")
    say(f"  {NOT_INCLUDED}")


def _shown(row: JsonObject) -> tuple[str, ...]:
    other = row["other"]
    beside = [f"{n} {what}s" for what, n in other.items()] if isinstance(other, dict) else []
    return (
        str(row["provider"]),
        str(row["effects"]),
        f"{row['unit']}s",
        str(row["happy"]),
        str(row["worst"]),
        ", ".join(beside),
        f"{row['dollars_per_million_runs']:.2f}",
    )
