"""Entity tags of versioned resources, and the precondition that edits carry."""

from __future__ import annotations

import re

from cartwheel.http._messages import Request
from cartwheel.http._problems import BadRequest, PreconditionFailed, PreconditionRequired

_TAG = re.compile(r'(?:W/)?"[!#-~]*"')
_TAGS = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")


def etag(version: int) -> str:
    """Write a row's version as a strong entity tag."""
    return f'"{version}"'


def require_match(request: Request, version: int) -> None:
    """Demand that If-Match names this version.

    Raises PreconditionRequired without the header and PreconditionFailed for another version; a
    weak tag never matches, `*` always does.
    """
    header = ", ".join(request.headers.get("if-match", ())).strip()
    if not header:
        raise PreconditionRequired("send the ETag that you read in an If-Match header")
    if header == "*":
        return
    if not _TAGS.fullmatch(header):
        raise BadRequest("the If-Match header is not a list of entity tags")
    if etag(version) not in _TAG.findall(header):
        raise PreconditionFailed("the resource has changed; read it again and decide anew")
