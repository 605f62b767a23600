"""What each role may do: one table, from which the service decides, and with which documentation and tests agree.

Whatever is not in the table is refused to everybody without a role.
"""

from collections.abc import Mapping
from enum import StrEnum

Call = tuple[str, str]
"""Method and path, as in `("POST", "/recommend")`; `{item_id}` stands for one part of a path."""


class Role(StrEnum):
    """What a caller is. The first three belong to API keys, `user` to a token that the front end was given."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    USER = "user"


_EVERYONE = frozenset(Role)
_KEYS = frozenset({Role.READ, Role.WRITE, Role.ADMIN})
_WRITERS = frozenset({Role.WRITE, Role.ADMIN})
_ADMINS = frozenset({Role.ADMIN})

PUBLIC: frozenset[Call] = frozenset(
    {
        ("GET", "/live"),
        ("GET", "/ready"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
    }
)
"""Calls that need no key: an orchestrator's probes carry none, and the documentation names no person."""

PERMISSIONS: Mapping[Call, frozenset[Role]] = {
    ("POST", "/recommend"): _EVERYONE,
    ("POST", "/recommend/batch"): _KEYS,
    ("POST", "/similar"): _EVERYONE,
    ("GET", "/popular"): _EVERYONE,
    ("GET", "/items"): _EVERYONE,
    ("GET", "/items/{item_id}"): _EVERYONE,
    ("GET", "/about"): _EVERYONE,
    ("GET", "/users"): _KEYS,
    ("GET", "/history"): _EVERYONE,
    ("POST", "/explain"): _EVERYONE,
    ("POST", "/feedback"): _WRITERS | {Role.USER},
    ("POST", "/users"): _WRITERS | {Role.USER},
    ("GET", "/health"): _KEYS,
    ("GET", "/metrics"): _KEYS,
    ("GET", "/models"): _ADMINS,
    ("POST", "/models/reload"): _ADMINS,
    ("POST", "/models/rollback"): _ADMINS,
}
"""Who may make which call. A user's token reaches that user alone: see `Caller.acting_as`."""

_ITEMS = "/items/"


def call_of(method: str, path: str) -> Call:
    """The row of the table that a request belongs to, or would, were there one."""
    if path.startswith(_ITEMS):
        return (method, "/items/{item_id}")
    return (method, path)
