"""How a row lies in Firestore: its document's id and fields, and the indexes that reads need."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cartwheel.indexing import entries_of
from cartwheel.ports import Collection, InvalidWrite, Json, JsonObject

MAX_ID_BYTES = 1500
"""A document's id in UTF-8 (https://firebase.google.com/docs/firestore/quotas)."""
MAX_INDEXED_BYTES = 1499
"""A string in an index, in UTF-8: Firestore cuts off what is longer, and refuses it in a query."""

PARTITION, KEY, VERSION, DATA = "partition", "key", "version", "data"
NONCE = "commit"
"""The field that names the commit which wrote the document last."""
INDEXES = "indexes"

_SIGNS = {"~": "~0", "/": "~1", ":": "~2"}
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UP, _DOWN = "ASCENDING", "DESCENDING"


def document_id(partition: str, key: str) -> str:
    """Write a row's place as `partition:key`, with `~0`, `~1`, `~2` for `~`, `/` and `:` in them.

    Firestore refuses ids like `__x__`: `~3` stands for a leading underscore of two. Where the id
    would be too long, a digest stands for the end of it, after `~~`, which no other id has.
    """
    text = f"{_escaped(partition)}:{_escaped(key)}"
    if text.startswith("__"):
        text = f"~3{text[1:]}"
    encoded = text.encode()
    if len(encoded) <= MAX_ID_BYTES:
        return text
    digest = hashlib.sha256(encoded).hexdigest()
    kept = encoded[: MAX_ID_BYTES - len(digest) - 2].decode(errors="ignore")
    return f"{kept}~~{digest}"


def _escaped(text: str) -> str:
    return "".join(_SIGNS.get(character, character) for character in text)


def storable(*texts: str) -> bool:
    """Tell whether Firestore can hold the strings; a lone surrogate is in no row."""
    return not any("\ud800" <= character <= "\udfff" for text in texts for character in text)


def index_fields(collection: Collection, data: Mapping[str, Json]) -> dict[str, dict[str, str]]:
    """Give the field that holds a row's places in the indexes of its collection.

    Raises InvalidWrite for a value that an index can't hold.
    """
    found: dict[str, dict[str, str]] = {}
    for name, entry in entries_of(collection, data).items():
        size = max(len(text.encode()) for text in entry)
        if size > MAX_INDEXED_BYTES:
            raise InvalidWrite(
                f"{collection.name}: index '{name}' takes strings of at most {MAX_INDEXED_BYTES} "
                f"bytes on Firestore, not {size}; index a shorter field, or a digest of this one"
            )
        found[name] = {"value": entry.value, "sort": entry.sort}
    return found


def index_path(name: str, part: str) -> str:
    """Write the path of an index's `value` or `sort`, quoted where Firestore wants it."""
    quoted = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"{INDEXES}.{name if _SIMPLE_NAME.fullmatch(name) else f'`{quoted}`'}.{part}"


def indexes_of(collection: Collection) -> list[JsonObject]:
    """List the composite indexes that a collection needs, as `firestore.indexes.json` has them.

    A scan needs one, each declared index two: one for each way to read it.
    """
    shapes = [[(PARTITION, _UP), (KEY, _UP)]]
    for index in collection.indexes:
        value, sort = index_path(index.name, "value"), index_path(index.name, "sort")
        for way in (_UP, _DOWN):
            shapes.append([(value, _UP), (sort, way), (PARTITION, way), (KEY, way)])
    return [
        {
            "collectionGroup": collection.name,
            "queryScope": "COLLECTION",
            "fields": [{"fieldPath": path, "order": way} for path, way in shape],
        }
        for shape in shapes
    ]


def exemptions_of(collection: Collection) -> list[JsonObject]:
    """List the `fieldOverrides` that keep Firestore from indexing every field of every row.

    Nothing here is read by one field alone; without these each write would pay for it, and rows
    written in the order of a field would be held to 500 a second.
    """
    return [
        {"collectionGroup": collection.name, "fieldPath": path, "indexes": []}
        for path in (PARTITION, KEY, VERSION, DATA, NONCE, INDEXES)
    ]
