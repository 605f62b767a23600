import json

import pytest

from foretaste.errors import ConfigError
from foretaste.serving.security.key_stores import FileKeys
from foretaste.serving.security.keys import KeyRing
from foretaste.serving.security.roles import Role
from foretaste.serving.security.tokens import TokenReader
from foretaste.serving.settings import TokenSettings


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys.json"


def test_a_key_is_made_listed_and_revoked(foretaste, keys):
    made = json.loads(foretaste("keys", "create", "--name", "shop", "--role", "write", "--keys", keys, "--json").stdout)
    ring = KeyRing(FileKeys(keys).records())
    assert ring.caller(made["key"]).role is Role.WRITE
    listed = foretaste("keys", "list", "--keys", keys)
    assert made["id"] in listed.stdout
    assert "shop" in listed.stdout
    assert made["key"].split("_", 2)[2] not in listed.stdout
    (told,) = json.loads(foretaste("keys", "list", "--keys", keys, "--json").stdout)
    assert not {"salt", "hash"} & told.keys()
    assert foretaste("keys", "revoke", made["id"], "--keys", keys).exit_code == 0
    assert KeyRing(FileKeys(keys).records()).caller(made["key"]) is None


def test_the_key_alone_is_on_stdout(foretaste, keys):
    result = foretaste("keys", "create", "--name", "shop", "--keys", keys)
    assert result.stdout.count("\n") == 1
    assert KeyRing(FileKeys(keys).records()).caller(result.stdout.strip()).role is Role.READ
    assert "shown this once" in result.stderr


def test_a_token_speaks_for_the_user(foretaste, monkeypatch):
    monkeypatch.setenv("FORETASTE_TOKEN_SECRET", "s" * 32)
    token = foretaste("keys", "token", "--user", "u5").stdout.strip()
    assert TokenReader("s" * 32, TokenSettings()).caller(token).user_id == "u5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "--name", "x", "--role", "user"), "expected one of read, write, admin"),
        (("create", "--name", "x", "--rate", "0"), "above 0"),
        (("revoke", "00000000"), "no key '00000000'"),
    ],
)
def test_what_cannot_be_done_is_explained(foretaste, keys, arguments, message):
    result = foretaste("keys", *arguments, "--keys", keys)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)


def test_a_token_without_a_secret_is_explained(foretaste, monkeypatch):
    monkeypatch.delenv("FORETASTE_TOKEN_SECRET", raising=False)
    assert "set FORETASTE_TOKEN_SECRET" in str(foretaste("keys", "token", "--user", "u5").exception)
