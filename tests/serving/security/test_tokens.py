import time

import jwt
import pytest

from foretaste.errors import ConfigError
from foretaste.serving.security.callers import ForbiddenError, UnauthorizedError
from foretaste.serving.security.roles import Role
from foretaste.serving.security.tokens import TokenReader, issue, token_secret
from foretaste.serving.settings import TokenSettings

SECRET = "s" * 32
SETTINGS = TokenSettings(leeway_seconds=0)


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("FORETASTE_TOKEN_SECRET", SECRET)


def signed(claims, secret=SECRET, algorithm="HS256"):
    now = int(time.time())
    whole = {"sub": "u1", "aud": "foretaste", "exp": now + 60, **claims}
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, secret, algorithm)


def test_a_token_speaks_for_its_user_and_no_other():
    caller = TokenReader(SECRET, SETTINGS).caller(issue("u7", SETTINGS, seconds=60))
    assert (caller.role, caller.user_id, caller.id) == (Role.USER, "u7", "token")
    assert caller.acting_as(None) == caller.acting_as("u7") == "u7"
    with pytest.raises(ForbiddenError):
        caller.acting_as("u8")


@pytest.mark.parametrize(
    "token",
    [
        signed({"exp": 1}),
        signed({"exp": None}),
        signed({"aud": "another"}),
        signed({"aud": None}),
        signed({"sub": None}),
        signed({"sub": ""}),
        signed({"sub": "x" * 257}),
        signed({}, secret="t" * 32),
        signed({}, secret="s" * 32, algorithm="HS384"),
        jwt.encode({"sub": "u1", "aud": "foretaste", "exp": 10**10}, None, algorithm="none"),
        "a.b.c",
        "x",
    ],
    ids=[
        "expired", "no exp", "audience", "no audience", "no sub", "empty sub", "long sub", "secret", "algorithm",
        "none", "garbage", "short",
    ],
)  # fmt: skip
def test_what_is_not_signed_as_it_should_be_is_refused(token):
    with pytest.raises(UnauthorizedError):
        TokenReader(SECRET, SETTINGS).caller(token)


def test_a_token_that_is_remembered_still_expires(monkeypatch):
    reader = TokenReader(SECRET, SETTINGS)
    token = issue("u1", SETTINGS, seconds=60)
    assert reader.caller(token) is reader.caller(token)
    later = time.time() + 61
    monkeypatch.setattr("foretaste.serving.security.tokens.time.time", lambda: later)
    monkeypatch.setattr("jwt.api_jwt.datetime", _Later(later))  # PyJWT reads the clock for itself
    with pytest.raises(UnauthorizedError):
        reader.caller(token)


class _Later:
    def __init__(self, now):
        self._now = now

    def now(self, tz=None):
        from datetime import datetime

        return datetime.fromtimestamp(self._now, tz)


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("foretaste.serving.security.tokens._REMEMBERED", 3)
    reader = TokenReader(SECRET, SETTINGS)
    for user in range(10):
        reader.caller(issue(f"u{user}", SETTINGS, seconds=60))
    assert len(reader._known) == 3


def test_a_short_secret_is_refused_and_none_means_no_tokens(monkeypatch):
    monkeypatch.setenv("FORETASTE_TOKEN_SECRET", "short")
    with pytest.raises(ConfigError, match="has 5 bytes; expected 32 or more"):
        token_secret(SETTINGS)
    monkeypatch.delenv("FORETASTE_TOKEN_SECRET")
    assert token_secret(SETTINGS) is None
    with pytest.raises(ConfigError, match="set FORETASTE_TOKEN_SECRET"):
        issue("u1", SETTINGS, seconds=60)
