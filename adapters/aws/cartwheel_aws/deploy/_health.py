"""Asks a deployed application whether it answers."""

from __future__ import annotations

import time
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit

from cartwheel.deployment import DeploymentError
from cartwheel_aws.deploy._stacks import Pace

PATH = "/health"
_PATIENCE = 10
"""Seconds that one answer may take; a first one has to start a function."""


def wait_until_healthy(url: str, local: str | None, pace: Pace) -> None:
    """Ask until the application answers with 200; raises DeploymentError when it never does.

    `local` is the address that stands in for AWS: names of its APIs are known to nobody else.
    """
    until = time.monotonic() + pace.health
    while True:
        said = _ask(url, local)
        if said == "":
            return
        if time.monotonic() >= until:
            raise DeploymentError(
                f"everything is deployed, but {url}{PATH} doesn't answer with 200 after "
                f"{pace.health:g} s: {said}; see `shopctl logs`, or go back with `shopctl rollback`"
            )
        pace.sleep(pace.poll)


def _ask(url: str, local: str | None) -> str:
    """Give what is wrong, or nothing."""
    request = urllib.request.Request((local or url).rstrip("/") + PATH)  # noqa: S310  # AWS's own
    if local is not None:
        request.add_header("Host", urlsplit(url).netloc)
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310  # same
            status: int = answer.status
    except HTTPError as error:
        with error:
            return f"status {error.code}"
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    return "" if status == 200 else f"status {status}"
