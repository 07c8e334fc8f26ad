"""What of a bundle is deployed, and templates as they are read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cartwheel.deployment import Bundle
from cartwheel.ports import ConfigurationError
from cartwheel_aws.deploy._changes import additions_of
from cartwheel_aws.deploy._records import PACKAGES

PROVIDER = "aws"
DATA = "data.yaml"
APP = "template.yaml"


@dataclass(frozen=True, slots=True)
class Contents:
    """Is what of a bundle is deployed: two templates and the packages by their keys."""

    data: bytes
    app: bytes
    packages: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Version:
    """Is what the application's stack is to become; `files` are packages that may be missing."""

    template: bytes
    files: Mapping[str, bytes]
    packages: tuple[str, ...]
    back: bool = False


def contents_of(bundle: Bundle) -> Contents:
    """Take apart a bundle; raises ConfigurationError for one that is none for AWS."""
    missing = [name for name in (DATA, APP) if name not in bundle.files]
    if bundle.provider != PROVIDER or missing:
        raise ConfigurationError(
            f"this is a bundle for '{bundle.provider}'"
            + (f" without {' and '.join(missing)}" if missing else "")
            + ": build one with `shopctl build --provider aws`"
        )
    app = bundle.files[APP]
    held = [one for one in additions_of(parsed(app)) if one.data]
    if held:
        # What would be lost is looked at before anything is changed: in the data's own stack.
        raise ConfigurationError(
            f"{APP} declares {held[0].kind} {held[0].name}: what keeps data belongs in {DATA}"
        )
    packages = {key: content for key, content in bundle.files.items() if key.startswith(PACKAGES)}
    return Contents(bundle.files[DATA], app, packages)


def parsed(template: bytes | str | Mapping[str, object]) -> Mapping[str, object]:
    """Read a template; raises ConfigurationError."""
    if isinstance(template, Mapping):
        return template
    import yaml

    try:
        # The parser in C is ten times as fast, and not everywhere.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        found: object = yaml.load(template, Loader=loader)  # noqa: S506  # both are safe
    except yaml.YAMLError as error:
        raise ConfigurationError(f"a template is no YAML: {error}") from error
    if not isinstance(found, Mapping):
        raise ConfigurationError("a template is no mapping")
    return found


def written(template: Mapping[str, object]) -> bytes:
    """Write a template as JSON, as short as it gets; the same one gives the same bytes."""
    return json.dumps(template, separators=(",", ":"), ensure_ascii=False).encode()
