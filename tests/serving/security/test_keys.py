import pytest

from foretaste.errors import ConfigError
from foretaste.serving.security.key_stores import DatabaseKeys, FileKeys, key_store
from foretaste.serving.security.keys import KeyRing, create_key
from foretaste.serving.security.roles import Role


@pytest.fixture(params=["file", "database"])
def place(request, tmp_path):
    return str(tmp_path / "sub" / "keys.json") if request.param == "file" else f"sqlite:///{tmp_path}/log.db"


def made(name="shop", role=Role.READ, at="2026-11-20T12:00:00+00:00", **options):
    return create_key(name, role, at, **options)


def test_a_key_is_recognised_and_no_other():
    key, record = made(role=Role.WRITE)
    ring = KeyRing([record])
    assert ring.caller(key).role is Role.WRITE
    assert ring.caller(key).id == record.id
    for wrong in (
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        f"ft_{record.id}_",
        f"ft_{record.id}",
        "ft_",
        "",
        "ft_x_y",
    ):
        assert ring.caller(wrong) is None


def test_two_keys_with_one_secret_have_different_hashes():
    keys = [made() for _ in range(3)]
    assert len({record.hash for _, record in keys}) == 3
    assert all(key.split("_", 2)[2] not in record.model_dump_json() for key, record in keys)


def test_a_key_that_is_revoked_is_unknown_but_does_not_open_the_service(place):
    store = key_store(place)
    key, record = made()
    store.add(record)
    store.revoke(record.id, "2026-11-20T13:00:00+00:00")
    ring = KeyRing(store.records())
    assert ring.caller(key) is None
    assert ring.has_records
    assert len(ring) == 0


def test_stores_give_back_what_they_were_given(place):
    store = key_store(place)
    assert list(store.records()) == []
    records = [made(name, at=f"2026-11-20T12:00:0{n}+00:00")[1] for n, name in enumerate("abc")]
    for record in records:
        store.add(record)
    assert list(key_store(place).records()) == records


def test_what_is_no_live_key_cannot_be_revoked(place):
    store = key_store(place)
    with pytest.raises(ConfigError, match="there are none"):
        store.revoke("00000000", "now")
    _, record = made()
    store.add(record)
    with pytest.raises(ConfigError, match=f"{record.id} \\(shop\\)"):
        store.revoke("00000000", "now")
    store.revoke(record.id, "2026-11-20T13:00:00+00:00")
    with pytest.raises(ConfigError, match="no key"):
        store.revoke(record.id, "2026-11-20T13:00:00+00:00")


def test_the_file_is_for_its_owner_alone(tmp_path):
    store = FileKeys(tmp_path / "keys.json")
    store.add(made()[1])
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", '[{"id": "x"}]', "\udcff"])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="foretaste keys create"):
        FileKeys(path).records()


def test_a_database_that_cannot_be_opened_is_explained():
    with pytest.raises(ConfigError, match="sqlite:///artifacts"):
        DatabaseKeys("nothing://x")


def test_users_get_tokens_not_keys():
    with pytest.raises(ConfigError, match="tokens are what users get"):
        made(role=Role.USER)


def test_a_key_has_its_own_limit_or_that_of_the_config():
    key, record = made()
    quick, quick_record = made(requests_per_second=50)
    ring = KeyRing([record, quick_record], requests_per_second=5)
    assert ring.caller(key).requests_per_second == 5
    assert ring.caller(quick).requests_per_second == 50
    assert ring.caller(key).id == record.id
