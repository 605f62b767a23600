import pytest

from foretaste.errors import ConfigError
from foretaste.serving.background import follow_keys
from foretaste.serving.security.guard import Guard, check_exposure, is_loopback
from foretaste.serving.security.key_stores import FileKeys
from foretaste.serving.security.keys import create_key
from foretaste.serving.security.roles import Role
from foretaste.serving.settings import SecuritySettings, ServingConfig

NOON = "2026-11-20T12:00:00+00:00"


def test_an_address_that_others_reach_needs_keys():
    config = ServingConfig(host="0.0.0.0")
    with pytest.raises(ConfigError, match="foretaste keys create"):
        check_exposure(config, Guard(config.security))
    check_exposure(config, Guard(config.security, [create_key("x", Role.READ, NOON)[1]]))
    check_exposure(ServingConfig(), Guard(config.security))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("shop.example", False)],
)  # fmt: skip
def test_what_is_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", ""])
def test_without_keys_a_page_whose_name_points_here_is_turned_away(make_service, client_of, host):
    client = client_of(make_service())
    response = client.post("/recommend", json={}, headers={"Host": host})
    assert response.status_code == 421
    assert response.json()["type"] == "urn:foretaste:problem:v1:misdirected-request"


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_answered(make_service, client_of, host):
    assert client_of(make_service()).get("/live", headers={"Host": host}).status_code == 200


def test_hosts_can_be_named_in_the_config(make_service, client_of):
    client = client_of(make_service(security={"allowed_hosts": ["shop.example"]}))
    assert client.get("/live", headers={"Host": "shop.example:443"}).status_code == 200
    assert client.get("/live").status_code == 421


def test_a_body_that_any_web_page_could_send_is_refused(make_service, client_of):
    for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = client_of(make_service()).post("/recommend", content="{}", headers={"Content-Type": media_type})
        assert response.status_code == 415


def test_no_origin_is_allowed_but_those_of_the_config(make_service, client_of):
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    closed = client_of(make_service()).options("/recommend", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    client = client_of(make_service(security={"cors_origins": ["https://shop.example"]}))
    assert client.options("/recommend", headers=asked).headers["access-control-allow-origin"] == "https://shop.example"
    other = client.options("/recommend", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_a_limit_answers_with_when_to_come_again(make_service, client_of, tmp_path):
    key, record = create_key("slow", Role.READ, NOON, requests_per_second=1)
    FileKeys(tmp_path / "keys.json").add(record)
    client = client_of(make_service())
    headers = {"Authorization": f"Bearer {key}"}
    statuses = [client.post("/recommend", json={}, headers=headers) for _ in range(4)]
    assert [each.status_code for each in statuses][:2] == [200, 200]
    assert statuses[3].status_code == 429
    assert 1 <= int(statuses[3].headers["retry-after"]) <= 2
    assert client.get("/live").status_code == 200


def test_a_running_service_learns_of_new_and_revoked_keys(make_service, client_of, tmp_path):
    import asyncio

    service = make_service()
    client, store = client_of(service), FileKeys(tmp_path / "keys.json")
    assert client.post("/recommend", json={}).status_code == 200, "open: there is no key"
    key, record = create_key("x", Role.READ, NOON)
    store.add(record)
    asyncio.run(follow_keys(service))
    assert client.post("/recommend", json={}).status_code == 401
    headers = {"Authorization": f"bearer {key}"}
    assert client.post("/recommend", json={}, headers=headers).status_code == 200
    store.revoke(record.id, NOON)
    asyncio.run(follow_keys(service))
    assert client.post("/recommend", json={}, headers=headers).status_code == 401
    (tmp_path / "keys.json").unlink()
    asyncio.run(follow_keys(service))
    assert client.post("/recommend", json={}).status_code == 401, "a file that is gone does not open the service"


def test_the_defaults_let_in_nobody_from_outside():
    assert SecuritySettings().cors_origins == ()
    assert is_loopback(ServingConfig().host)
