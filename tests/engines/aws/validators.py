"""Asks asl-validator and amazon-states-language-service what they think of a definition."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from cartwheel.workflow import Compiled
from tests.engines.aws import setup
from tests.engines.aws.engines import PLACEHOLDER, function_arn

SCRIPT = Path(__file__).with_name("_validate.js")


def node() -> str | None:
    """Give the command that runs JavaScript."""
    return shutil.which("node")


def judged(texts: Iterable[str]) -> list[list[str]]:
    """Give for each definition what the validators found."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(
        [str(node()), str(SCRIPT), str(setup.VALIDATORS)],
        input=lines,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def deployed(compiled: Compiled) -> str:
    """Give a definition with the functions' names in it."""
    return PLACEHOLDER.sub(lambda found: function_arn(found[1]), compiled.main)
