"""The kit's applications as functions load them: by name, where no pytest and no compiler is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cartwheel.app import App
from cartwheel.testing import apps
from cartwheel.testing.corpus import ONE_A_RULE, PROGRAMS, Rule
from cartwheel_aws.deploy._package import _MODULES

LOAD = """
import json, sys
missing = json.loads(sys.argv[1])
class Refuse:
    def find_spec(self, module, path=None, target=None):
        if any(module == one or module.startswith(one + ".") for one in missing):
            raise ImportError(f"no module {module}")
sys.meta_path.insert(0, Refuse())
from cartwheel.app import checked_before
from cartwheel.testing import apps
with checked_before():
    print(json.dumps([getattr(apps, name).name for name in apps.NAMES]))
"""


def test_applications_load_without_pytest_and_without_what_packages_leave_out() -> None:
    missing = json.dumps(["pytest", "_pytest", "boto3", "botocore", *_MODULES])
    done = subprocess.run(
        [sys.executable, "-c", LOAD, missing], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = [getattr(apps, name) for name in apps.NAMES]
    assert all(isinstance(app, App) for app in made)
    assert json.loads(done.stdout) == [app.name for app in made]


def test_an_application_that_the_kit_does_not_have_is_an_error_that_lists_them() -> None:
    assert apps.source("kit_http") == "cartwheel.testing.apps:kit_http"
    with pytest.raises(AssertionError, match="kit_store"):
        apps.source("kit_nothing")
    with pytest.raises(AttributeError, match="kit_nothing"):
        apps.kit_nothing  # noqa: B018  # asking is the test


def test_the_two_parts_of_the_corpus_are_the_whole() -> None:
    rules = {program.rule for program in ONE_A_RULE}
    assert rules == set(Rule)
    assert len(ONE_A_RULE) == len(Rule) < len(PROGRAMS)
    served = {*apps.corpus_rules.workflows, *apps.corpus_rest.workflows}
    assert served == {program.definition.name for program in PROGRAMS}
