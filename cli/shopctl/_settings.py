"""The outside services of a served application: from a file, the project, the environment."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from shopctl._errors import CliError

if TYPE_CHECKING:
    from cartwheel.deployment import Outside
    from cartwheel_outside import Settings

TABLE = "[tool.cartwheel.local]"


def load_settings(config: Path | None, project: Path) -> Settings:
    """Read the settings of --config, else of the project's pyproject.toml; variables come first.

    Raises CliError for a file that can't be read, and ConfigurationError for what it says.
    """
    from cartwheel.ports import ConfigurationError
    from cartwheel_outside import read_settings

    file = config if config is not None else project / "pyproject.toml"
    table: object = {}
    if config is not None or file.is_file():
        content = _toml(file)
        table = content if config is not None else _of_project(content)
    if not isinstance(table, dict):
        raise CliError(f"{file}: {TABLE} is no table")
    try:
        return read_settings(table, os.environ)
    except ConfigurationError as error:
        raise CliError(f"{file} or the environment: {error}") from error


def outside(settings: Settings) -> Outside:
    """Say of the settings what a deployed application has to know."""
    from cartwheel.deployment import Outside
    from cartwheel_outside import replaced_by

    replaced = replaced_by(settings)
    return Outside(
        variables=variables(settings),
        replaces=replaced,
        put="cartwheel_outside:from_environment" if replaced else "",
        extras=("stripe",) if "payments" in replaced else (),
    )


def variables(settings: Settings) -> dict[str, str]:
    """Write what was set as the variables of an environment that says the same."""
    from dataclasses import fields

    from cartwheel_outside._settings import PREFIX

    found: dict[str, str] = {}
    for field in fields(settings):
        value: object = getattr(settings, field.name)
        if value != field.default:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            found[PREFIX + field.name.upper()] = text
    return found


def _toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CliError(f"{file} is no TOML: {error}") from error


def _of_project(content: dict[str, object]) -> object:
    found: object = content
    for name in ("tool", "cartwheel", "local"):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found
