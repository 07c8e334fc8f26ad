"""What an operator has to say to open a stage, and that nothing is called before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cartwheel.app import App, Service
from cartwheel.deployment import Access
from cartwheel.host import HostOptions
from cartwheel.plugins import load_adapter
from cartwheel.ports import ConfigurationError
from cartwheel.testing.corpus import PROGRAMS


def test_a_stage_has_to_be_named() -> None:
    with pytest.raises(ConfigurationError, match=r"which stage of 'letters' on AWS is meant\?"):
        load_adapter("aws").open(App("letters", services=[Service("letters")]), HostOptions())


def test_a_name_that_no_stage_has_is_refused() -> None:
    options = HostOptions(access=Access("Prod!", region="eu-west-1"))
    with pytest.raises(ConfigurationError, match="Prod!"):
        load_adapter("aws").open(App("letters", services=[Service("letters")]), options)


def test_compiling_needs_no_sdk() -> None:
    name = next(iter(PROGRAMS)).name
    code = (
        "import sys\n"
        "sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "from cartwheel.plugins import load_adapter\n"
        "from cartwheel.testing.corpus import PROGRAMS\n"
        f"(one,) = [one for one in PROGRAMS if one.name == {name!r}]\n"
        "adapter = load_adapter('aws')\n"
        "assert adapter.check(adapter.compile_workflow(one.definition.ir)) == ()\n"
        "assert adapter.workflow_cost(one.definition.ir).happy > 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
