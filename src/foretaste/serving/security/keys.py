"""API keys: made once, shown once, stored as hashes.

A key is `ft_<id>_<secret>`. The id finds the record and is no secret; the secret has 256 random bits. What is stored is
BLAKE2b of the secret, keyed with a salt of the record. Slow hashes such as scrypt protect what people choose, because
few guesses reach it; nothing reaches 256 random bits by guessing, so one fast round is as safe as a million, and every
request can afford it. The salt makes the hashes of two stores incomparable.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from pydantic import BaseModel, ConfigDict, Field

from foretaste.errors import ConfigError
from foretaste.serving.security.callers import Caller
from foretaste.serving.security.roles import Role

PREFIX = "ft_"
_ID_BYTES = 4
_SECRET_BYTES = 32
_SALT_BYTES = 16
KEY_ROLES = (Role.READ, Role.WRITE, Role.ADMIN)


class KeyRecord(BaseModel):
    """What is stored of a key: enough to recognise it, not enough to use it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: str = Field(min_length=1, max_length=100)
    """What it is for."""
    role: Role
    salt: str
    hash: str
    """Hexadecimal, as the salt."""
    created_at: str
    """ISO 8601, UTC."""
    revoked_at: str | None = None
    requests_per_second: float | None = Field(default=None, gt=0)
    """Its own limit; null for that of the config."""


def create_key(
    name: str, role: Role, created_at: str, requests_per_second: float | None = None
) -> tuple[str, KeyRecord]:
    """A new key, to be shown once, and its record.

    Raises:
        ConfigError: the role is none of API keys.
    """
    if role not in KEY_ROLES:
        raise ConfigError(f"role '{role}': expected one of {', '.join(KEY_ROLES)}; tokens are what users get.")
    key_id, secret, salt = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES), secrets.token_bytes(16)
    record = KeyRecord(
        id=key_id,
        name=name,
        role=role,
        salt=salt.hex(),
        hash=_hash(secret, salt).hex(),
        created_at=created_at,
        requests_per_second=requests_per_second,
    )
    return f"{PREFIX}{key_id}_{secret}", record


class KeyRing:
    """The records of one moment, ready to recognise keys. It never changes; a new one takes its place."""

    def __init__(self, records: Iterable[KeyRecord], requests_per_second: float | None = None) -> None:
        """Keys without a limit of their own get `requests_per_second`."""
        records = list(records)
        self.has_records = bool(records)
        """True although all are revoked: to revoke the last key must not open the service."""
        self._keys: Mapping[str, tuple[bytes, bytes, Caller]] = {
            record.id: (
                bytes.fromhex(record.salt),
                bytes.fromhex(record.hash),
                Caller(record.id, record.role, requests_per_second=record.requests_per_second or requests_per_second),
            )
            for record in records
            if record.revoked_at is None
        }
        self._nobody = (secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(32), None)

    def __len__(self) -> int:
        """Keys that are not revoked."""
        return len(self._keys)

    def caller(self, key: str) -> Caller | None:
        """Whose key it is; None for one that is wrong or revoked. Takes the same time whether the id exists or not."""
        key_id, _, secret = key.removeprefix(PREFIX).partition("_")
        salt, expected, caller = self._keys.get(key_id, self._nobody)
        return caller if hmac.compare_digest(_hash(secret, salt), expected) else None


def _hash(secret: str, salt: bytes) -> bytes:
    return blake2b(secret.encode(), key=salt, digest_size=32, person=b"foretaste key").digest()
