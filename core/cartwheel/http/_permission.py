"""Who may call a route."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permission:
    """Says who may call a route: anyone, whoever is authenticated, or only some roles.

    A route that is open to anyone still learns who asks when a valid token comes along; an invalid
    token is refused everywhere.
    """

    name: str
    authenticated: bool = True
    roles: frozenset[str] | None = None

    def allows(self, roles: frozenset[str]) -> bool:
        """Tell whether an authenticated caller with these roles may pass."""
        return self.roles is None or bool(self.roles & roles)


ANYONE = Permission("anyone", authenticated=False)
AUTHENTICATED = Permission("authenticated")


def only(*roles: str) -> Permission:
    """Make the permission for callers with one of these roles."""
    return Permission(" or ".join(roles), roles=frozenset(roles))
