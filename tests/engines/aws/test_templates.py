"""The templates as cfn-lint reads them: each property as AWS documents its resource's type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cartwheel_aws.deploy._yaml import to_yaml
from tests.engines.aws import setup
from tests.support.aws_templates import Templates, hello, shop
from tests.support.engines import require
from tests.support.ministack import HOW

pytestmark = pytest.mark.timeout(900)
REGIONS = ("eu-central-1", "us-east-1")


def lint(*files: Path) -> list[str]:
    """Give the errors and warnings that cfn-lint finds; nothing is ignored."""
    require("cfn-lint", setup.is_ready(setup.LINT), HOW)
    command = [setup.LINT / "bin" / "cfn-lint", "--format", "json"]
    done = subprocess.run(
        [str(part) for part in (*command, "--regions", *REGIONS, "--", *files)],
        capture_output=True,
        text=True,
        check=False,
        cwd=files[0].parent,
    )
    assert done.stderr == ""
    return [
        f"{one['Rule']['Id']} {one['Message']} {one['Location'].get('Path')}"
        for one in json.loads(done.stdout or "[]")
    ]


def write(made: Templates, folder: Path) -> tuple[Path, Path]:
    name = made.manifest.app
    data, app = folder / f"{name}-data.yaml", folder / f"{name}-template.yaml"
    data.write_bytes(to_yaml(made.data))
    app.write_bytes(to_yaml(made.app))
    return data, app


def test_cfn_lint_finds_nothing_in_the_templates_of_the_shop_and_the_example(
    tmp_path: Path,
) -> None:
    files = [*write(shop(), tmp_path), *write(hello(), tmp_path)]
    assert lint(*files) == []


def test_cfn_lint_would_find_a_property_that_aws_does_not_have(tmp_path: Path) -> None:
    made = hello()
    made.of("AWS::Lambda::Function")["HelloFunction"]["MemorySise"] = 1
    (found,) = lint(write(made, tmp_path)[1])
    assert "MemorySise" in found
