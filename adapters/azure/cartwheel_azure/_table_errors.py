"""Turns what the SDK raises into the errors of the ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cartwheel.ports import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

MOVED = frozenset({404, 409, 412})
"""What a guarded write is refused with when its row is not as it was read; nothing was written."""
_TRY_AGAIN = frozenset({408, 429})
_REFUSED = frozenset({401, 403})


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise Unavailable for what may pass, ConfigurationError for what the deployment lacks.

    An answer that says neither passes through as the SDK's own error.
    """
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        raise _translated(what, error) from error
    except AzureError as error:
        raise Unavailable(f"{what}: Table Storage did not answer: {_brief(error)}") from error


def status_of(error: HttpResponseError) -> int:
    """Give the status of an answer, 0 when it could not be read; not all errors have a code."""
    return error.status_code or 0


def _translated(what: str, error: HttpResponseError) -> Exception:
    status = status_of(error)
    if not 400 <= status < 500 or status in _TRY_AGAIN:
        return Unavailable(f"{what}: Table Storage answered {status or 'nothing readable'}")
    if status in _REFUSED:
        return ConfigurationError(
            f"{what}: Table Storage refuses the identity of this function ({status}); it needs the "
            "role Storage Table Data Contributor on the account"
        )
    if getattr(error, "error_code", None) == "TableNotFound":
        return ConfigurationError(f"{what}: the table does not exist; deploy the application anew")
    return error


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error!s:.200}"
