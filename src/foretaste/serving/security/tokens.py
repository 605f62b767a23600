"""Tokens by which a front end names its user: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.

Whoever holds the secret issues them: the backend that knows who is logged in, or `foretaste keys token`.
"""

import os
import time
from collections import OrderedDict

import jwt

from foretaste.errors import ConfigError
from foretaste.serving.security.callers import Caller, UnauthorizedError
from foretaste.serving.security.roles import Role
from foretaste.serving.settings import TokenSettings

_ALGORITHM = "HS256"
_SHORTEST_SECRET = 32
"""Bytes; what HMAC-SHA256 can make use of, and RFC 7518 demands."""
_LONGEST_USER_ID = 256
_REMEMBERED = 4096
"""Tokens whose signature is not checked anew with each request."""


def token_secret(settings: TokenSettings) -> str | None:
    """The secret from the environment; None where there is none.

    Raises:
        ConfigError: it is too short to be safe.
    """
    secret = os.environ.get(settings.secret_env)
    if secret is not None and len(secret.encode()) < _SHORTEST_SECRET:
        raise ConfigError(
            f"{settings.secret_env} has {len(secret.encode())} bytes; expected {_SHORTEST_SECRET} or more. "
            f"Make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`."
        )
    return secret


def issue(user_id: str, settings: TokenSettings, *, seconds: float, now: float | None = None) -> str:
    """A token that speaks for a user.

    Raises:
        ConfigError: the environment holds no secret, or one that is too short.
    """
    secret = token_secret(settings)
    if secret is None:
        raise ConfigError(f"no secret to sign with; set {settings.secret_env} to 32 random bytes or more.")
    issued = time.time() if now is None else now
    claims = {"sub": user_id, "aud": settings.audience, "iat": int(issued), "exp": int(issued + seconds)}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


class TokenReader:
    """Tells whom a token speaks for. Remembers a bounded number of tokens that it has checked."""

    def __init__(self, secret: str, settings: TokenSettings, requests_per_second: float | None = None) -> None:
        self._secret, self._settings = secret, settings
        self._requests_per_second = requests_per_second
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def caller(self, token: str) -> Caller:
        """The user of a token.

        Raises:
            UnauthorizedError: the signature, the audience or the expiry is wrong, or no user is named.
        """
        known = self._known.get(token)
        if known and time.time() < known[1]:
            self._known.move_to_end(token)
            return known[0]
        caller, expires = self._checked(token)
        self._known[token] = (caller, expires)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return caller

    def _checked(self, token: str) -> tuple[Caller, float]:
        leeway = self._settings.leeway_seconds
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=self._settings.audience,
                leeway=leeway,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise UnauthorizedError("the token has expired; ask the front end for a new one.") from None
        except (jwt.InvalidTokenError, ValueError):
            raise UnauthorizedError(
                f"the token is not valid; expected a JWT signed with {_ALGORITHM} for the audience "
                f"'{self._settings.audience}' that has sub and exp."
            ) from None
        user_id = claims["sub"]
        if not 1 <= len(user_id) <= _LONGEST_USER_ID:
            raise UnauthorizedError(f"the token's sub has {len(user_id)} characters; expected 1 to {_LONGEST_USER_ID}.")
        caller = Caller("token", Role.USER, user_id, self._requests_per_second)
        return caller, float(claims["exp"]) + leeway
