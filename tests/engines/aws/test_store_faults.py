"""Commits on DynamoDB where replies are lost, rows are held, and others write the same rows."""

from __future__ import annotations

import pytest

from cartwheel.ports import (
    Check,
    ConfigurationError,
    Conflict,
    Delete,
    InvalidWrite,
    JsonObject,
    Put,
    Store,
    Unavailable,
    Write,
)
from cartwheel.testing._store_app import THINGS
from cartwheel_aws._commit import TRIES
from tests.engines.aws.conftest import Pauses
from tests.support.dynamo import ATTEMPTS
from tests.support.wire import Fault, Wire

LOST = Fault()
"""The write is applied and its reply is lost."""
NEVER_SENT = Fault(forward=False)


def versions(store: Store, place: str) -> dict[str, int]:
    return {row.key: row.version for row in store.scan(THINGS, place).rows}


COMMITS: dict[str, tuple[list[Write], dict[str, int]]] = {
    "create": ([Put("c", {"n": 2}, 0)], {"a": 1, "b": 1, "c": 1}),
    "update": ([Put("a", {"n": 2}, 1)], {"a": 2, "b": 1}),
    "several": ([Put("a", {"n": 2}, 1), Put("c", {"n": 2}, 0)], {"a": 2, "b": 1, "c": 1}),
    "delete": ([Delete("a", 1)], {"b": 1}),
    "mixed": ([Delete("a", 1), Put("b", {"n": 2}, 1), Check("c", 0)], {"b": 2}),
}
SINGLE = ("create", "update")


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("fault", [LOST, NEVER_SENT], ids=["reply", "request"])
@pytest.mark.parametrize("times", range(1, ATTEMPTS))
def test_a_commit_whose_reply_or_request_was_lost_happens_once_and_returns(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, fault: Fault, times: int
) -> None:
    writes, expected = COMMITS[commit]
    wire.will(*[fault] * times)
    far.commit(THINGS, place, writes)
    assert (wire.writes, wire.left) == (times + 1, 0)
    assert versions(store, place) == expected


@pytest.mark.parametrize("commit", COMMITS)
def test_a_commit_of_which_every_reply_was_lost_is_unavailable_and_happened_once(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, expected = COMMITS[commit]
    wire.will(*[LOST] * ATTEMPTS)
    with pytest.raises(Unavailable):
        far.commit(THINGS, place, writes)
    assert (wire.writes, wire.left) == (ATTEMPTS, 0)
    assert versions(store, place) == expected


def go_on(store: Store, place: str, writes: list[Write]) -> Fault:
    """Apply the write, let another writer go on from it, and lose the reply."""
    return Fault(meanwhile=lambda: store.commit(THINGS, place, writes))


@pytest.mark.parametrize(
    ("commit", "then"),
    [
        ("create", Put("c", {"n": 9}, 1)),
        ("update", Put("a", {"n": 9}, 2)),
        ("update", Delete("a", 2)),
    ],
    ids=["create-put", "update-put", "update-delete"],
)
def test_a_put_whose_reply_was_lost_and_whose_row_moved_on_is_no_false_conflict(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, then: Write
) -> None:
    writes, after = COMMITS[commit]
    wire.will(go_on(store, place, [then]))
    with pytest.raises(Unavailable, match="nobody knows"):
        far.commit(THINGS, place, writes)
    key = then.key
    expected = {**after, key: after[key] + 1} if isinstance(then, Put) else {"b": 1}
    assert versions(store, place) == expected


def test_a_put_whose_row_was_deleted_before_it_came_again_creates_it_anew(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    # The gap that is left: only a transaction's token would tell, at twice the price.
    wire.will(go_on(store, place, [Delete("c", 1)]))
    far.commit(THINGS, place, [Put("c", {"n": 2}, 0)])
    assert versions(store, place) == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("commit", [name for name in COMMITS if name not in SINGLE])
def test_a_transaction_whose_reply_was_lost_is_known_again_though_its_rows_moved_on(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, expected = COMMITS[commit]
    moved = [Put(key, {"n": 9}, version) for key, version in expected.items()]
    wire.will(go_on(store, place, [*moved]))
    far.commit(THINGS, place, writes)
    assert versions(store, place) == {key: version + 1 for key, version in expected.items()}


@pytest.mark.parametrize("commit", COMMITS)
def test_a_commit_that_another_writer_overtook_is_a_conflict_though_it_was_resent(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, _ = COMMITS[commit]
    key, version = writes[0].key, writes[0].expect
    other = Put(key, {"n": 9}, version)
    wire.will(Fault(False, lambda: store.commit(THINGS, place, [other])))
    with pytest.raises(Conflict) as caught:
        far.commit(THINGS, place, writes)
    assert caught.value.keys == (key,)
    row = store.get(THINGS, place, key)
    assert row is not None
    assert (row.version, row.data) == (version + 1, {"n": 9})


def cancelled(*codes: str) -> tuple[int, JsonObject]:
    """Say, as DynamoDB does, that a transaction was cancelled for these reasons."""
    return 400, {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": f"Transaction cancelled, reasons [{', '.join(codes)}]",
        "CancellationReasons": [{"Code": code} for code in codes],
    }


def refused(code: str, message: str = "said so", status: int = 400) -> tuple[int, JsonObject]:
    """Say, as DynamoDB does, that a call is refused."""
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


def tokens(wire: Wire) -> set[object]:
    """Give the tokens of the transactions that were sent."""
    return {body["ClientRequestToken"] for body in wire.bodies if "ClientRequestToken" in body}


HELD = {
    "several": cancelled("TransactionConflict", "None"),
    "update": refused("TransactionConflictException"),
}


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_waits_while_another_transaction_holds_its_rows(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, pauses: Pauses
) -> None:
    wire.will(*[Fault(False, answer=HELD[commit])] * 4)
    far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.left == 0
    assert versions(store, place) == COMMITS[commit][1]
    assert len(pauses.slept) == 4
    assert all(0.01 <= pause <= 0.5 for pause in pauses.slept)
    assert sorted(pauses.slept) == pauses.slept
    assert len(tokens(wire)) == (5 if commit == "several" else 0), "a cancelled one is over"


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_whose_rows_were_held_by_the_winner_is_a_conflict(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    winner = Put("a", {"n": 9}, 1)
    wire.will(Fault(False, lambda: store.commit(THINGS, place, [winner]), HELD[commit]))
    with pytest.raises(Conflict) as caught:
        far.commit(THINGS, place, COMMITS[commit][0])
    assert caught.value.keys == ("a",)
    assert wire.writes == 1
    assert versions(store, place) == {"a": 2, "b": 1}


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_whose_rows_stay_held_is_unavailable_and_not_applied(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    wire.will(*[Fault(False, answer=HELD[commit])] * TRIES)
    with pytest.raises(Unavailable, match="held rows"):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.writes == TRIES
    assert versions(store, place) == {"a": 1, "b": 1}


def test_a_put_that_was_applied_is_done_though_its_row_is_held_when_it_comes_again(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    wire.will(LOST, Fault(False, answer=HELD["update"]))
    far.commit(THINGS, place, COMMITS["update"][0])
    assert versions(store, place) == COMMITS["update"][1]


def test_a_transaction_that_is_still_under_way_is_asked_for_again(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    under_way = refused("TransactionInProgressException")
    # Until the SDK gives up, and once more: the commit goes on asking with the same token.
    wire.will(LOST, *[Fault(False, answer=under_way)] * ATTEMPTS)
    far.commit(THINGS, place, COMMITS["delete"][0])
    assert wire.left == 0
    assert len(tokens(wire)) == 1
    assert versions(store, place) == COMMITS["delete"][1]


@pytest.mark.parametrize("commit", ["update", "several"])
@pytest.mark.parametrize(
    "answer",
    [
        refused("ThrottlingException"),
        refused("ProvisionedThroughputExceededException"),
        refused("InternalServerError", status=500),
        refused("ServiceUnavailable", status=503),
    ],
    ids=["throttled", "throughput", "500", "503"],
)
def test_a_commit_that_dynamodb_is_too_busy_for_is_unavailable(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, answer: tuple[int, JsonObject]
) -> None:
    wire.will(*[Fault(False, answer=answer)] * ATTEMPTS)
    with pytest.raises(Unavailable):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert versions(store, place) == {"a": 1, "b": 1}


TOO_LARGE = refused("ValidationException", "Item size has exceeded the maximum allowed size")


@pytest.mark.parametrize(
    ("commit", "answer", "error"),
    [
        ("update", TOO_LARGE, InvalidWrite),
        ("several", TOO_LARGE, InvalidWrite),
        ("several", cancelled("None", "ValidationError"), InvalidWrite),
        ("update", refused("AccessDeniedException"), ConfigurationError),
        ("several", refused("ResourceNotFoundException"), ConfigurationError),
        ("several", cancelled("ThrottlingError", "ConditionalCheckFailed"), Conflict),
    ],
)
def test_a_refused_commit_says_what_it_means(
    *,
    wire: Wire,
    far: Store,
    place: str,
    commit: str,
    answer: tuple[int, JsonObject],
    error: type[Exception],
) -> None:
    wire.will(Fault(False, answer=answer))
    with pytest.raises(error):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.writes == 1


@pytest.mark.parametrize(
    ("commit", "answer"),
    [
        ("update", refused("ValidationException", "The provided key does not match the schema")),
        ("several", cancelled("None", "AccessDenied")),
        ("several", refused("SomethingNew")),
    ],
)
def test_what_nobody_knows_passes_as_the_sdk_raised_it(
    wire: Wire, far: Store, place: str, commit: str, answer: tuple[int, JsonObject]
) -> None:
    from botocore.exceptions import ClientError

    wire.will(Fault(False, answer=answer))
    with pytest.raises(ClientError, match=str(answer[1]["message"]).replace("[", r"\[")):
        far.commit(THINGS, place, COMMITS[commit][0])
