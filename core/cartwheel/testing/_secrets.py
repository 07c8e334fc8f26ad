"""What every Secrets promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from cartwheel.ports import Secret, SecretNotFound, Secrets
from cartwheel.testing._base import Contract, OpenHost
from cartwheel.testing._empty_app import empty_app


class SecretsContract(Contract):
    """Holds Secrets to its port; `open_host` opens a host that has the secrets in `given`."""

    given: ClassVar[dict[str, str]] = {
        "kit_secret": "a secret of the kit",
        "kit_other": 'Sécret "two" \\ = 2 ',
    }

    @pytest.fixture
    def secrets(self, open_host: OpenHost) -> Iterator[Secrets]:
        """Give the secrets of a host that is closed afterwards."""
        with open_host(empty_app()) as host:
            yield host.ports.secrets

    def test_a_secret_that_was_set_is_given_as_it_is(self, secrets: Secrets) -> None:
        for name, value in self.given.items():
            assert secrets.get(name).reveal() == value
            assert secrets.get(name) == Secret(value)

    def test_a_secret_does_not_show_itself(self, secrets: Secrets) -> None:
        for name, value in self.given.items():
            secret = secrets.get(name)
            for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{[secret]}"):
                assert value not in shown

    def test_a_secret_that_is_missing_is_named_with_where_to_set_it(self, secrets: Secrets) -> None:
        with pytest.raises(SecretNotFound, match="kit_missing") as caught:
            secrets.get("kit_missing")
        assert caught.value.name == "kit_missing"
        assert len(str(caught.value)) > len("secret 'kit_missing' is not set: ")
        for value in self.given.values():
            assert value not in str(caught.value)

    def test_a_signing_key_of_the_application_is_there_without_anybody_setting_it(
        self, secrets: Secrets
    ) -> None:
        key = secrets.get("kit_signing_key").reveal()
        assert len(key) >= 32
        assert secrets.get("kit_signing_key").reveal() == key
        assert secrets.get("kit_other_signing_key").reveal() != key
