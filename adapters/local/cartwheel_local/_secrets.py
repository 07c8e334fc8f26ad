"""Secrets from the options, the environment, a file that it names, or the data folder's own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from cartwheel.ports import ConfigurationError, Secret, SecretNotFound

PREFIX = "CARTWHEEL_SECRET_"
FILE = "CARTWHEEL_SECRETS_FILE"
"""Names a JSON file of secrets, as a container's platform or a vault's agent lays it down."""
OWN_KEYS = "_signing_key"
"""Secrets of this ending are the application's own, so they are made when first asked for."""


class LocalSecrets:
    """Gives secrets; keys that only this application uses are made once and kept in a file.

    Looks at what was given, at `CARTWHEEL_SECRET_<NAME>`, at the file that `CARTWHEEL_SECRETS_FILE`
    names, which is read anew when it changes, and at the data folder's own file.
    """

    def __init__(
        self, given: Mapping[str, str], environment: Mapping[str, str], file: Path
    ) -> None:
        self._given = dict(given)
        self._environment = environment
        self._file = file
        self._lock = threading.Lock()
        self._kept: dict[str, str] | None = None
        self._named: tuple[int, dict[str, str]] | None = None

    def get(self, name: str) -> Secret:
        """Give a secret."""
        variable = PREFIX + name.upper()
        value = self._given.get(name) or self._environment.get(variable)
        if value:
            return Secret(value)
        with self._lock:
            value = self._from_named_file(name)
            if value:
                return Secret(value)
            if self._kept is None or name not in self._kept:
                self._kept = _read(self._file)
            if name not in self._kept and name.endswith(OWN_KEYS):
                self._kept[name] = os.urandom(32).hex()
                self._write(self._kept)
            value = self._kept.get(name)
        if value is None:
            raise SecretNotFound(
                name,
                f"set {variable}, or add '{name}' to {self._environment.get(FILE) or self._file}",
            )
        return Secret(value)

    def _from_named_file(self, name: str) -> str | None:
        path = self._environment.get(FILE)
        if not path:
            return None
        file = Path(path)
        try:
            found = file.stat()
        except OSError as error:
            raise ConfigurationError(
                f"{FILE} names {file}, which can't be read: {error.strerror}"
            ) from error
        if os.name == "posix" and found.st_mode & 0o077:
            raise ConfigurationError(
                f"{file} may be read by others than its owner; chmod 600 {file}"
            )
        if self._named is None or self._named[0] != found.st_mtime_ns:
            self._named = (found.st_mtime_ns, _read(file))
        return self._named[1].get(name)

    def _write(self, secrets: Mapping[str, str]) -> None:
        """Replace the file whole, readable by its owner only."""
        draft = self._file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(secrets, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # Neither the error's text nor its cause: they could quote the file.
        raise ConfigurationError(
            f"{file} can't be read ({type(error).__name__}); it must be a JSON object"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ConfigurationError(f"{file} must be a JSON object of strings")
    return found
