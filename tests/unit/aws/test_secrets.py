"""Secrets from Secrets Manager: how long they are kept, who makes keys, what refusals say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import ANY, Stubber

from cartwheel.ports import ConfigurationError, Secret, SecretNotFound, Unavailable
from cartwheel_aws._names import Names
from cartwheel_aws._secrets import KEPT_SECONDS, SecretsManagerSecrets

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NAMES = Names("kit", "test")
MISSING = "ResourceNotFoundException"


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class World:
    def __init__(self, client: SecretsManagerClient, stub: Stubber) -> None:
        self.stub = stub
        self.clock = Clock()
        self.secrets = SecretsManagerSecrets(client, NAMES, self.clock, {"given": "by hand"})

    def holds(self, name: str, value: str) -> None:
        asked = {"SecretId": f"kit-test/{name}"}
        self.stub.add_response("get_secret_value", {"SecretString": value}, asked)

    def refuses(self, operation: str, code: str) -> None:
        self.stub.add_client_error(operation, code, "the service's own words")


@pytest.fixture(scope="module")
def client() -> Iterator[SecretsManagerClient]:
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    made = session.client("secretsmanager")
    yield made
    made.close()


@pytest.fixture
def world(client: SecretsManagerClient) -> Iterator[World]:
    with Stubber(client) as stub:
        yield World(client, stub)
        stub.assert_no_pending_responses()


def test_a_secret_that_was_given_is_not_asked_for(world: World) -> None:
    assert world.secrets.get("given") == Secret("by hand")


def test_a_secret_is_asked_for_once_until_its_time_is_over_and_then_seen_rotated(
    world: World,
) -> None:
    world.holds("token", "old")
    assert world.secrets.get("token") == Secret("old")
    world.clock.sleep(KEPT_SECONDS - 1)
    assert world.secrets.get("token") == Secret("old")
    world.holds("token", "new")
    world.clock.sleep(1)
    assert world.secrets.get("token") == Secret("new")


def test_a_secret_that_nobody_set_is_not_remembered_as_missing(world: World) -> None:
    world.refuses("get_secret_value", MISSING)
    with pytest.raises(
        SecretNotFound, match="aws secretsmanager create-secret --name kit-test/token "
    ):
        world.secrets.get("token")
    world.holds("token", "set meanwhile")
    assert world.secrets.get("token") == Secret("set meanwhile")


def test_an_old_value_is_used_while_nobody_answers_and_no_longer(world: World) -> None:
    world.holds("token", "old")
    world.secrets.get("token")
    world.clock.sleep(KEPT_SECONDS)
    world.refuses("get_secret_value", "InternalServiceError")
    assert world.secrets.get("token") == Secret("old")
    world.refuses("get_secret_value", MISSING)
    with pytest.raises(SecretNotFound):
        world.secrets.get("token")


def test_no_answer_and_no_old_value_is_unavailable(world: World) -> None:
    world.refuses("get_secret_value", "InternalServiceError")
    with pytest.raises(Unavailable, match="secret 'kit-test/token': refused with Internal"):
        world.secrets.get("token")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "lacks secretsmanager:GetSecretValue"),
        ("InvalidRequestException", "restore-secret --secret-id kit-test/token"),
    ],
)
def test_a_secret_that_must_not_be_read_is_a_configuration_error(
    world: World, code: str, says: str
) -> None:
    world.refuses("get_secret_value", code)
    with pytest.raises(ConfigurationError, match=says):
        world.secrets.get("token")


def test_a_secret_of_bytes_is_a_configuration_error(world: World) -> None:
    world.stub.add_response("get_secret_value", {"SecretBinary": b"\x00\xff"})
    with pytest.raises(ConfigurationError, match="holds bytes"):
        world.secrets.get("token")


def test_a_key_of_our_own_is_made_under_its_name(world: World) -> None:
    world.refuses("get_secret_value", MISSING)
    made = {"Name": "kit-test/token_signing_key", "SecretString": ANY, "Description": ANY}
    world.stub.add_response("create_secret", {}, made)
    key = world.secrets.get("token_signing_key").reveal()
    assert len(bytes.fromhex(key)) == 32


def test_a_key_that_another_function_made_first_is_the_one_that_counts(world: World) -> None:
    world.refuses("get_secret_value", MISSING)
    world.refuses("create_secret", "ResourceExistsException")
    world.holds("token_signing_key", "the other's")
    assert world.secrets.get("token_signing_key") == Secret("the other's")


def test_a_key_that_exists_without_a_value_is_not_replaced(world: World) -> None:
    world.refuses("get_secret_value", MISSING)
    world.refuses("create_secret", "ResourceExistsException")
    world.refuses("get_secret_value", MISSING)
    with pytest.raises(Unavailable, match="put-secret-value"):
        world.secrets.get("token_signing_key")


def test_a_key_that_must_not_be_made_is_a_configuration_error(world: World) -> None:
    world.refuses("get_secret_value", MISSING)
    world.refuses("create_secret", "AccessDeniedException")
    with pytest.raises(ConfigurationError, match="lacks secretsmanager:CreateSecret"):
        world.secrets.get("token_signing_key")


def test_a_key_is_not_made_anew_when_nobody_could_tell_whether_there_is_one(world: World) -> None:
    world.refuses("get_secret_value", "InternalServiceError")
    with pytest.raises(Unavailable):
        world.secrets.get("token_signing_key")


def test_a_refusal_does_not_repeat_the_services_words(world: World) -> None:
    world.refuses("get_secret_value", "InternalServiceError")
    with pytest.raises(Unavailable) as caught:
        world.secrets.get("token")
    assert "own words" not in str(caught.value)
