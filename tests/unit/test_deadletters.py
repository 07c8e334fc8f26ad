"""Dead letters in the store, and what of a queue's text is an item of ours."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cartwheel.deadletters import DEAD_LETTERS, MAX_TEXT, StoreDeadLetters
from cartwheel.delivery import decode_item, encode_item
from cartwheel.ports import (
    MAX_ITEM_BYTES,
    MAX_PAGE,
    DeadLetter,
    Event,
    JsonObject,
    Message,
    Store,
    Unavailable,
    hooked,
    rfc3339,
)
from cartwheel.testing.faults import Faults
from cartwheel_memory import MemoryDisk
from cartwheel_memory._store import MemoryStore

MESSAGE = Message("msg-1", {"n": 1})
Send = Callable[[str, str], None]


class World:
    def __init__(self, send: Send | None = None) -> None:
        self.sent: list[tuple[str, str]] = []
        self.faults = Faults()
        store = MemoryStore(MemoryDisk(), {DEAD_LETTERS.name: DEAD_LETTERS})
        watched = hooked("store", store, Store, self.faults)  # type: ignore[type-abstract]  # a protocol names the methods
        self.letters = StoreDeadLetters(watched, send or self.note)

    def note(self, consumer: str, text: str) -> None:
        self.sent.append((consumer, text))

    def bury(self, letter_id: str, text: str = "", *, at: float = 0.0, error: str = "why") -> None:
        letter = DeadLetter(letter_id, "kit.work", {}, error, 3, rfc3339(at))
        self.letters.bury(letter, text or encode_item(MESSAGE))


def ids(world: World, limit: int = 100) -> list[str]:
    return [letter.id for letter in world.letters.list(limit=limit)]


def test_a_letter_is_shown_with_the_body_of_its_item() -> None:
    world = World()
    world.bury("a", at=1.5)
    (letter,) = world.letters.list()
    assert letter == DeadLetter("a", "kit.work", {"n": 1}, "why", 3, "1970-01-01T00:00:01.500Z")


def test_the_same_letter_twice_is_one_letter_and_the_first_stays() -> None:
    world = World()
    world.bury("a", error="first")
    world.bury("a", error="second")
    assert [letter.error for letter in world.letters.list()] == ["first"]


def test_letters_come_oldest_first_over_as_many_pages_as_the_limit_needs() -> None:
    world = World()
    count = 2 * MAX_PAGE + 1
    for number in reversed(range(count)):
        world.bury(f"letter-{number}", at=float(number))
    everything = [f"letter-{number}" for number in range(count)]
    assert ids(world, limit=10_000) == everything
    assert ids(world, limit=MAX_PAGE + 1) == everything[: MAX_PAGE + 1]
    assert ids(world) == everything[:100]
    assert ids(world, limit=0) == ids(world, limit=-1) == []


def test_a_redrive_hands_over_the_text_as_it_was_and_forgets_the_letter() -> None:
    world = World()
    text = encode_item(Event("evt", "kit.happened", {"text": "ünï"}, "2026-01-01", "trace"))
    world.bury("a", text)
    world.letters.redrive("a")
    assert world.sent == [("kit.work", text)]
    assert ids(world) == []
    with pytest.raises(KeyError):
        world.letters.redrive("a")


def test_a_redrive_that_is_not_taken_keeps_the_letter() -> None:
    def refuse(consumer: str, text: str) -> None:
        raise Unavailable("the queue is away")

    world = World(refuse)
    world.bury("a")
    with pytest.raises(Unavailable):
        world.letters.redrive("a")
    assert ids(world) == ["a"]


def test_a_redrive_that_ends_before_the_letter_goes_has_sent_it() -> None:
    world = World()
    world.bury("a")
    world.faults.fail("store.commit")
    with pytest.raises(Unavailable):
        world.letters.redrive("a")
    assert len(world.sent) == 1
    assert ids(world) == ["a"]


def test_a_letter_that_is_discarded_while_it_is_redriven_is_gone() -> None:
    def discard(consumer: str, text: str) -> None:
        world.letters.discard("a")

    world = World(discard)
    world.bury("a")
    world.letters.redrive("a")
    assert ids(world) == []


@pytest.mark.parametrize(
    "letter_id", ["", "b", "a\n", "\x00", "\ud800", "x" * 513, "../a", "a/letter"]
)
def test_an_id_that_no_letter_has_is_a_key_error(letter_id: str) -> None:
    world = World()
    world.bury("a")
    for verb in (world.letters.redrive, world.letters.discard):
        with pytest.raises(KeyError):
            verb(letter_id)
    assert ids(world) == ["a"]


def test_an_error_with_half_a_character_is_kept_without_it() -> None:
    world = World()
    world.bury("a", error="bad \ud800 text")
    assert [letter.error for letter in world.letters.list()] == ["bad ? text"]


@pytest.mark.parametrize("character", ["x", '"', "\x01", "é", "😀"])
def test_the_largest_item_is_kept_whole_and_a_foreign_text_is_cut(character: str) -> None:
    world = World()
    size = len(json.dumps(character)) - 2
    body: JsonObject = {"t": character * ((MAX_ITEM_BYTES - len('{"t":""}')) // size)}
    world.bury("a", encode_item(Message("msg", body)), at=1.0)
    world.bury("b", character * 300_000, at=2.0)
    item, foreign = world.letters.list()
    assert item.body == body
    shown = str(foreign.body["text"])
    assert shown.startswith(character * MAX_TEXT)
    assert shown.endswith(f"({300_000 - MAX_TEXT} more characters were cut)")


@pytest.mark.parametrize(
    "item",
    [
        Message("msg", {"a": [1, None]}),
        Message("msg", {}, "trace"),
        Event("evt", "kit.happened", {"a": "ü"}, "2026-01-01"),
        Event("evt", "kit.happened", {}, "2026-01-01", "trace"),
    ],
)
def test_an_item_is_read_as_it_was_written(item: Event | Message) -> None:
    assert decode_item(encode_item(item)) == item


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "null",
        "7",
        '"message"',
        "[]",
        "{}",
        '{"kind": "message"}',
        '["message"]',
        '["message", "id"]',
        '["message", "id", {}, "trace", "more"]',
        '["message", 1, {}]',
        '["message", "id", []]',
        '["message", "id", {}, null]',
        '["event", "id", "type", {}]',
        '["event", "id", 7, {}, "at"]',
        '["event", "id", "type", null, "at"]',
        '["event", "id", "type", {}, 7]',
        '["order", "id", {}]',
        '[["message"], "id", {}]',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_is_no_item_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="event or message of Cartwheel"):
        decode_item(text)
