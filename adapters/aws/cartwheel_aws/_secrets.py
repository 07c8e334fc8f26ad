"""Secrets from the options, or from Secrets Manager."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cartwheel.ports import Clock, ConfigurationError, Secret, SecretNotFound, Unavailable
from cartwheel_aws._calls import code_of, is_denied, sdk_errors, unavailable
from cartwheel_aws._names import Names

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

OWN_KEYS = "_signing_key"
"""Secrets of this ending are the application's own, so they are made when first asked for."""
KEPT_SECONDS = 300.0
"""How long a value is used before it is asked for anew: a rotated one is seen by then."""
_MISSING = "ResourceNotFoundException"
_EXISTS = "ResourceExistsException"


class SecretsManagerSecrets:
    """Gives secrets by their names in Secrets Manager, kept in the process for some minutes.

    While Secrets Manager does not answer, a value that is older goes on being used.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        names: Names,
        clock: Clock,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._names = names
        self._clock = clock
        self._given = dict(given or {})
        self._kept: dict[str, tuple[float, Secret]] = {}

    def get(self, name: str) -> Secret:
        """Give a secret.

        Raises SecretNotFound, Unavailable when there is no answer, and ConfigurationError for a
        secret that must not or can't be read.
        """
        given = self._given.get(name)
        if given:
            return Secret(given)
        now = self._clock.now()
        until, kept = self._kept.get(name, (0.0, None))
        if kept is not None and now < until:
            return kept
        try:
            value = self._read(name)
            if value is None and name.endswith(OWN_KEYS):
                value = self._make(name)
        except Unavailable:
            if kept is None:
                raise
            return kept
        if value is None:
            raise SecretNotFound(
                name,
                f"aws secretsmanager create-secret --name {self._names.secret(name)} "
                "--secret-string file://...",
            )
        secret = Secret(value)
        self._kept[name] = (now + KEPT_SECONDS, secret)
        return secret

    def _read(self, name: str) -> str | None:
        """Ask for a secret; None when there is none."""
        try:
            found = self._client.get_secret_value(SecretId=self._names.secret(name))
        except sdk_errors() as error:
            if code_of(error) == _MISSING:
                return None
            raise self._refused(error, name, "secretsmanager:GetSecretValue") from error
        value = found.get("SecretString")
        if value is None:
            raise ConfigurationError(
                f"secret '{self._names.secret(name)}' holds bytes; set it as a string"
            )
        return value

    def _make(self, name: str) -> str:
        """Make a key of our own, or read the one that somebody else made meanwhile."""
        value = os.urandom(32).hex()
        try:
            self._client.create_secret(
                Name=self._names.secret(name),
                SecretString=value,
                Description="Made by the application itself; it signs with it.",
            )
        except sdk_errors() as error:
            if code_of(error) != _EXISTS:
                raise self._refused(error, name, "secretsmanager:CreateSecret") from error
            found = self._read(name)
            if found is None:
                raise Unavailable(
                    f"secret '{self._names.secret(name)}' exists and has no value yet; unless "
                    "somebody is just making it: aws secretsmanager put-secret-value"
                ) from error
            return found
        return value

    def _refused(self, error: Exception, name: str, permission: str) -> Exception:
        what = f"secret '{self._names.secret(name)}'"
        if is_denied(error):
            return ConfigurationError(f"{what}: the function's role lacks {permission} on it")
        if code_of(error) == "InvalidRequestException":
            return ConfigurationError(
                f"{what} can't be used as it is, perhaps it is marked for deletion: "
                "aws secretsmanager restore-secret --secret-id " + self._names.secret(name)
            )
        return unavailable(error, what, permission)
