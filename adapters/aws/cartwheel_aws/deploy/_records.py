"""The bucket of a stage: packages, templates, and a record of each deployment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast

from cartwheel_aws._calls import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

PACKAGES = "packages/"
TEMPLATES = "templates/"
RECORDS = "deployments/"
KEPT = 20
"""Deployments whose templates and packages are kept."""
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True, slots=True)
class Record:
    """Is a deployment as it is remembered; `version` is the digest of its template."""

    version: str
    template: str
    packages: tuple[str, ...]
    at: str
    state: Literal["started", "done"]
    back: bool = False
    """Whether it went back to what was there before."""
    key: str = ""

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        document = {
            "version": self.version,
            "template": self.template,
            "packages": [*self.packages],
            "at": self.at,
            "state": self.state,
            "back": self.back,
        }
        return json.dumps(document, indent=2).encode()


def version_of(template: bytes) -> str:
    """Name a template by its content."""
    return hashlib.sha256(template).hexdigest()[:16]


def template_key(version: str) -> str:
    """Say where in the bucket a version's template is."""
    return f"{TEMPLATES}{version}.yaml"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Reads and writes the bucket of a stage; keys that are not ours are never touched."""

    client: S3Client
    name: str

    def has(self, key: str) -> bool:
        """Tell whether an object is there."""
        from botocore.exceptions import ClientError

        try:
            self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if code_of(error) in _MISSING:
                return False
            raise
        return True

    def upload(self, files: Mapping[str, bytes]) -> Iterator[str]:
        """Put what is not there yet, and give its keys; keys contain digests of contents."""
        for key, content in files.items():
            if not self.has(key):
                self.client.put_object(Bucket=self.name, Key=key, Body=content)
                yield key

    def read(self, key: str) -> bytes:
        """Read an object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def url(self, key: str) -> str:
        """Give the address under which CloudFormation reads an object."""
        return f"{self.client.meta.endpoint_url.rstrip('/')}/{self.name}/{key}"

    # Records.

    def records(self) -> list[Record]:
        """Read the deployments, newest first."""
        return [self._record(key) for key in reversed(self._keys(RECORDS))]

    def begin(self, version: str, packages: Iterable[str], *, back: bool) -> Record:
        """Note that a version is about to be deployed."""
        now = datetime.now(UTC)
        stamp = now.strftime("%Y%m%dT%H%M%S.%fZ")
        record = Record(
            version=version,
            template=template_key(version),
            packages=tuple(packages),
            at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            state="started",
            back=back,
            key=f"{RECORDS}{stamp}-{version}.json",
        )
        self._write(record)
        return record

    def complete(self, record: Record) -> Record:
        """Note that a version is deployed."""
        if record.state == "done":
            return record
        done = replace(record, state="done")
        self._write(done)
        return done

    def prune(self, records: list[Record]) -> None:
        """Remove the records that are too old, and the templates and packages that none names."""
        kept, old = records[:KEPT], records[KEPT:]
        if not old:
            return
        used = {key for record in kept for key in (record.template, *record.packages)}
        stale = [record.key for record in old]
        # The records last: while one is there, a run that comes after this one looks again.
        for prefix in (PACKAGES, TEMPLATES):
            stale = [key for key in self._keys(prefix) if key not in used] + stale
        for key in stale:
            self.remove(key)

    def _write(self, record: Record) -> None:
        self.client.put_object(Bucket=self.name, Key=record.key, Body=record.to_bytes())

    def _record(self, key: str) -> Record:
        found = cast("dict[str, object]", json.loads(self.read(key)))
        return Record(
            version=str(found["version"]),
            template=str(found["template"]),
            packages=tuple(map(str, cast("list[object]", found["packages"]))),
            at=str(found["at"]),
            state="done" if found["state"] == "done" else "started",
            back=bool(found["back"]),
            key=key,
        )

    def _keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return sorted(one["Key"] for page in pages for one in page.get("Contents", []))

    # The end.

    def empty(self) -> list[str]:
        """Remove all versions of what is ours; gives the keys of what else is there."""
        foreign: list[str] = []
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            ours: list[ObjectIdentifierTypeDef] = []
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if one["Key"].startswith((PACKAGES, TEMPLATES, RECORDS)):
                    ours.append({"Key": one["Key"], "VersionId": one["VersionId"]})
                else:
                    foreign.append(one["Key"])
            if ours:
                self.client.delete_objects(
                    Bucket=self.name, Delete={"Objects": ours, "Quiet": True}
                )
        return sorted(set(foreign))
