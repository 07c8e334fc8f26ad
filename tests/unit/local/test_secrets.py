"""Secrets on one machine: where they come from, and that a file of them is held close."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cartwheel.ports import ConfigurationError, SecretNotFound
from cartwheel_local._secrets import LocalSecrets


def written(path: Path, secrets: dict[str, str], mode: int = 0o600) -> Path:
    path.write_text(json.dumps(secrets), encoding="utf-8")
    path.chmod(mode)
    return path


def secrets(tmp_path: Path, environment: dict[str, str], **given: str) -> LocalSecrets:
    return LocalSecrets(given, environment, tmp_path / "own.json")


def test_what_was_given_comes_before_a_variable_and_that_before_a_file(tmp_path: Path) -> None:
    file = written(tmp_path / "s.json", {"a": "file", "b": "file", "c": "file"})
    written(tmp_path / "own.json", {"a": "own", "b": "own", "c": "own", "d": "own"})
    environment = {
        "CARTWHEEL_SECRETS_FILE": str(file),
        "CARTWHEEL_SECRET_A": "variable",
        "CARTWHEEL_SECRET_B": "variable",
    }
    found = secrets(tmp_path, environment, a="given")
    assert [found.get(name).reveal() for name in "abcd"] == ["given", "variable", "file", "own"]


def test_a_named_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = written(tmp_path / "s.json", {"a": "one"})
    found = secrets(tmp_path, {"CARTWHEEL_SECRETS_FILE": str(file)})
    assert found.get("a").reveal() == "one"
    written(file, {"a": "two"})
    os.utime(file, ns=(1, 1))
    assert found.get("a").reveal() == "two"


@pytest.mark.skipif(os.name != "posix", reason="permissions of this kind are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_named_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path / "s.json", {"a": "canary"}, mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        secrets(tmp_path, {"CARTWHEEL_SECRETS_FILE": str(file)}).get("a")
    assert "canary" not in str(caught.value)


def test_a_named_file_that_is_not_there_is_an_error_and_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CARTWHEEL_SECRETS_FILE names"):
        secrets(tmp_path, {"CARTWHEEL_SECRETS_FILE": str(tmp_path / "none")}).get("a_signing_key")


@pytest.mark.parametrize("content", ["canary", '["canary"]', '{"a": 1}', '{"a": "canary"'])
def test_a_file_of_another_shape_is_refused_without_quoting_it(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "s.json"
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="JSON object") as caught:
        secrets(tmp_path, {"CARTWHEEL_SECRETS_FILE": str(file)}).get("a")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_secret_says_where_it_may_be_set(tmp_path: Path) -> None:
    with pytest.raises(SecretNotFound, match=r"CARTWHEEL_SECRET_A, or add 'a' to .*own\.json"):
        secrets(tmp_path, {}).get("a")


def test_a_key_of_our_own_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = secrets(tmp_path, {}).get("token_signing_key")
    assert secrets(tmp_path, {}).get("token_signing_key") == made
    if os.name == "posix":
        assert (tmp_path / "own.json").stat().st_mode & 0o777 == 0o600
