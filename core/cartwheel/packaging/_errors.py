"""The error of everything here."""

from __future__ import annotations

from cartwheel.ports import ConfigurationError


class PackagingError(ConfigurationError):
    """Says that an application can't be packaged, why, and what to do."""
