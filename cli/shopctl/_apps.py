"""Finds the application that a command is about."""

from __future__ import annotations

import importlib
import sys
import tomllib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shopctl._errors import CliError, UsageError

if TYPE_CHECKING:
    from cartwheel.app import App

SHOP = "cartwheel_workflows.shop:app"
HOW = 'name it with --app MODULE:NAME, or [tool.cartwheel] app = "module:name" in pyproject.toml'


@dataclass(frozen=True, slots=True)
class Project:
    """Is where an application comes from: its name as `module:name`, who said so, its folder."""

    spec: str
    source: str
    folder: Path


def find_project(given: str | None, start: Path) -> Project:
    """Find which application is meant: the one given, else the project's, else the shop."""
    if given is not None:
        return Project(given, "--app", start)
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        spec = _configured(file)
        if spec is not None:
            return Project(spec, str(file), folder)
    return Project(SHOP, "the built-in shop", start)


def _configured(file: Path) -> str | None:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CliError(f"{file} is no TOML: {error}", "mend it, or use --app") from error
    section = content.get("tool", {}).get("cartwheel")
    if not isinstance(section, dict) or "app" not in section:
        return None
    spec = section["app"]
    if not isinstance(spec, str):
        raise CliError(f'{file}: [tool.cartwheel] app is no string "module:name"', HOW)
    return spec


def load_app(given: str | None = None) -> App:
    """Load the application that is meant; raises CliError with what is wrong and what exists."""
    return load_project(find_project(given, Path.cwd()))


def load_project(project: Project) -> App:
    """Load a project's application; its folder and the current one are searched first."""
    module_name, colon, name = project.spec.partition(":")
    if not (colon and module_name and name.isidentifier()):
        raise UsageError(f"app '{project.spec}' ({project.source}) is not MODULE:NAME", HOW)
    for folder in (str(Path.cwd()), str(project.folder)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module = _module(project, module_name)
    from cartwheel.app import App
    from cartwheel.ports import ConfigurationError

    try:
        found: object = getattr(module, name)
    except AttributeError:
        raise CliError(_lacks(project, module, module_name, name), HOW) from None
    except ConfigurationError:
        raise
    except Exception as error:
        raise _broken(project, error) from error
    if not isinstance(found, App):
        raise CliError(
            f"app '{project.spec}' ({project.source}) is a {type(found).__name__}, "
            "not a cartwheel.app.App",
            HOW,
        )
    return found


def _module(project: Project, name: str) -> object:
    from cartwheel.ports import ConfigurationError

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the module that was asked for is the user's slip; one that it imports is a fault.
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise CliError(
                f"app '{project.spec}' ({project.source}): there is no module '{error.name}' in "
                f"{Path.cwd()} or what is installed",
                HOW,
            ) from None
        raise _broken(project, error) from error
    except ConfigurationError:
        raise
    except Exception as error:
        raise _broken(project, error) from error


def _lacks(project: Project, module: object, module_name: str, name: str) -> str:
    from cartwheel.app import App

    apps = sorted(key for key, value in vars(module).items() if isinstance(value, App))
    listed = ", ".join(apps) or "no App"
    where = f"app '{project.spec}' ({project.source})"
    return f"{where}: '{module_name}' has no '{name}'; it has: {listed}"


def _broken(project: Project, error: Exception) -> CliError:
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}:{error.lineno})"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
        where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return CliError(
        f"app '{project.spec}' ({project.source}) can't be loaded: "
        f"{type(error).__name__}: {error}{where}",
        "CARTWHEEL_DEBUG=1 shows the whole stack",
    )
