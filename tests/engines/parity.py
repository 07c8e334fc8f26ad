"""Writes docs/parity.md: each rule of the language on each engine, from what the tests demand.

A program that is not in an engine's table of known gaps must pass there, one that is must fail:
so the tables and the corpus are the results of the last run that passed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cartwheel.testing.corpus import PROGRAMS, Program, Rule
from tests.engines._driver import Known
from tests.engines._ports import ports
from tests.engines._registry import ENGINES, known, target_of

PATH = Path(__file__).parents[2] / "docs" / "parity.md"
RUNS_ON = {
    "ministack": "ministack 1.5.33, Step Functions",
    "moto": "moto 5.2.5, Step Functions",
    "workflows-emulator": "workflows-emulator 1.10.0 with corrections, Google Cloud Workflows",
    "durable-1.7": "azure-functions-durable 1.7.0 on a replay host, Durable Functions",
    "durable-2.0": "azure-functions-durable 2.0.0rc3 on durabletask 1.12.0, Durable Functions",
}
NOT_HERE = {
    "aws": "a real account: IAM's verdicts, quotas and throttling, express workflows, cold starts "
    "of Lambda itself, delivery by SES and SNS, CloudFormation beyond what its stand-in does",
    "gcp": "Google's own compiler of workflows, callbacks through its front door, OIDC, quotas, "
    "composite indexes, the gateway before functions",
    "azure": "the .NET host (routes, keys, the extension bundle), Durable's storage, throttling, "
    "Table Storage itself",
}
HEAD = """\
# Parity: what is proved, on which engine

## The language

Written by `make parity` from the tests; a test fails when it is stale. Every program of the corpus
({count} of them, in `cartwheel.testing.corpus`) is compiled for each target and played on engines
that nobody here wrote. **{proved}** of {cells} pairs of program and engine are proved: same result,
same calls, same order where order is promised. Random programs and the shop's checkout run on the
same engines.

- *proved*: every program of the rule passes on the engine; the build fails when one doesn't.
- *n of m*: the others are known not to pass there. They are listed below with the reason, and must
  fail: the build fails, too, when one of them begins to pass.

"""


def text() -> str:
    """Give the whole page."""
    tables = {engine: known(engine) for engine in ENGINES}
    cells = len(PROGRAMS) * len(ENGINES)
    proved = cells - sum(len(table) for table in tables.values())
    parts = [HEAD.format(count=len(PROGRAMS), proved=proved, cells=cells)]
    parts.append("| engine | runs | target |\n| --- | --- | --- |\n")
    parts += [f"| {name} | {RUNS_ON[name]} | {target_of(name)} |\n" for name in ENGINES]
    parts.append("\n### Rules\n\n| rule | programs | " + " | ".join(ENGINES) + " |\n")
    parts.append("| --- | ---: |" + " --- |" * len(ENGINES) + "\n")
    for rule in Rule:
        programs = [program for program in PROGRAMS if program.rule is rule]
        row = " | ".join(_cell(programs, tables[engine]) for engine in ENGINES)
        parts.append(f"| {rule.value} | {len(programs)} | {row} |\n")
    parts.append("\n### Known gaps\n\n")
    for engine, table in tables.items():
        parts += _gaps(engine, table)
    parts += ["\n", ports()]
    parts.append("\n## What can't be proved on one machine\n\n")
    parts += [f"- {target}: {what}\n" for target, what in NOT_HERE.items()]
    return "".join(parts)


def _cell(programs: list[Program], table: dict[str, Known]) -> str:
    missing = [program for program in programs if program.name in table]
    if not missing:
        return "proved"
    kinds = sorted({table[program.name].kind for program in missing})
    return f"{len(programs) - len(missing)} of {len(programs)} ({', '.join(kinds)})"


def _gaps(engine: str, table: dict[str, Known]) -> list[str]:
    if not table:
        return [f"**{engine}**: none.\n\n"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, why in sorted(table.items()):
        reasons.setdefault((why.kind, why.reason), []).append(name)
    lines = [f"**{engine}**\n\n"]
    for (kind, reason), names in sorted(reasons.items()):
        lines.append(f"- {kind}: {reason} ({', '.join(f'`{name}`' for name in names)})\n")
    return [*lines, "\n"]


def main() -> int:
    """Write the page."""
    PATH.write_text(text(), encoding="utf-8", newline="\n")
    print(f"wrote {PATH.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
