"""What a build refuses before anything is packaged for long."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.deployment import BuildOptions
from cartwheel.manifest import manifest_of
from cartwheel.ports import ConfigurationError
from cartwheel.testing import apps
from cartwheel.testing.corpus import PROGRAMS, corpus_app
from cartwheel_aws import Package, Packages
from cartwheel_aws.deploy import build


def empty(
    source: str, folder: Path, services: Mapping[str, Mapping[str, bytes]], **options: object
) -> Packages:
    """Make packages that hold nothing: what is in them is not what is tested here."""
    nothing = Package(b"", 0)
    return Packages(nothing, nothing, dict.fromkeys(services, nothing), ())


def test_a_template_with_more_bytes_than_cloudformation_takes_is_refused(tmp_path: Path) -> None:
    manifest = manifest_of(corpus_app(PROGRAMS), apps.source("corpus_rest"))
    with pytest.raises(ConfigurationError, match=r"template.yaml has \d{7} bytes .* 1000000 bytes"):
        build(manifest, BuildOptions("test", tmp_path), package=empty)


def test_a_template_with_more_resources_than_cloudformation_takes_is_refused(
    tmp_path: Path,
) -> None:
    service = Service("many")
    for number in range(500):
        service.collection(f"rows_{number}")
    manifest = manifest_of(App("many", services=[service]), apps.source("kit_empty"))
    with pytest.raises(ConfigurationError, match=r"data.yaml has .* 50\d resources"):
        build(manifest, BuildOptions("test", tmp_path), package=empty)
