"""What each role may do over HTTP, line by line of the table, and the other way round: the table against the routes."""

import re
from pathlib import Path

import pytest

from foretaste.serving.documentation import request_examples
from foretaste.serving.security.key_stores import FileKeys
from foretaste.serving.security.keys import KEY_ROLES, create_key
from foretaste.serving.security.roles import PERMISSIONS, PUBLIC, Role
from foretaste.serving.security.tokens import issue
from foretaste.serving.settings import TokenSettings

EVERYBODY = [None, *Role]
PAGE = Path(__file__).parents[3] / "docs/guide/security.md"


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """Role → headers of somebody who has it."""
    monkeypatch.setenv("FORETASTE_TOKEN_SECRET", "s" * 32)
    store = FileKeys(tmp_path / "keys.json")
    found = {None: {}, Role.USER: {"Authorization": f"Bearer {issue('u3', TokenSettings(), seconds=60)}"}}
    for role in KEY_ROLES:
        key, record = create_key(role.value, role, "2026-11-20T12:00:00+00:00")
        store.add(record)
        found[role] = {"X-API-Key": key} if role is Role.READ else {"Authorization": f"Bearer {key}"}
    return found


@pytest.fixture
def service(credentials, make_service, store):
    return make_service(store=store.root)


def body_of(service, path, role):
    """A body that works, and names nobody but the user of the token."""
    examples = request_examples(service.models.current.default.engine)
    if path not in examples:
        return None
    body = dict(next(iter(examples[path].values())))
    if role is Role.USER:
        body.pop("user_id", None)
        body.get("events", [{}])[0].pop("user_id", None)
    return body


@pytest.mark.parametrize("role", EVERYBODY, ids=str)
@pytest.mark.parametrize("call", sorted(PERMISSIONS), ids=" ".join)
def test_each_role_may_do_what_the_table_says_and_nothing_else(service, client_of, credentials, call, role):
    method, path = call
    url = path.replace("{item_id}", "m3")
    params = {"user_id": "u3"} if path == "/history" else {}
    response = client_of(service).request(
        method, url, json=body_of(service, path, role), params=params, headers=credentials[role]
    )
    if role is None:
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    elif role in PERMISSIONS[call]:
        assert response.status_code == 200, response.text
    else:
        assert response.status_code == 403
        assert response.json()["type"] == "urn:foretaste:problem:v1:forbidden"


@pytest.mark.parametrize("call", sorted(PUBLIC), ids=" ".join)
def test_public_calls_need_no_key(service, client_of, call):
    assert client_of(service).request(*call).status_code == 200


def test_the_table_has_every_route_and_no_other(service, client_of):
    described = client_of(service).get("/openapi.json").json()["paths"]
    calls = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert calls == set(PERMISSIONS) | {("GET", "/live"), ("GET", "/ready")}


def test_whoever_is_unknown_learns_nothing_of_other_paths(service, client_of, credentials):
    client = client_of(service)
    assert client.get("/nothing").status_code == 401
    assert client.get("/nothing", headers=credentials[Role.READ]).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/recommend", {"user_id": "u4"}),
        ("/explain", {"item_id": "m3", "user_id": "u4"}),
        ("/feedback", {"events": [{"kind": "click", "item_id": "m3", "user_id": "u4"}]}),
        ("/users", {"user_id": "u4"}),
    ],
)
def test_a_token_reaches_its_own_user_alone(service, client_of, credentials, path, body):
    client, headers = client_of(service), credentials[Role.USER]
    assert client.post(path, json=body, headers=headers).status_code == 403
    own = {**body, "user_id": "u3"} if "user_id" in body else {"events": [{**body["events"][0], "user_id": "u3"}]}
    assert client.post(path, json=own, headers=headers).status_code == 200


def test_feedback_of_a_token_is_that_of_its_user(service, client_of, credentials):
    client, headers = client_of(service), credentials[Role.USER]
    client.post("/feedback", json={"events": [{"kind": "click", "item_id": "m3"}]}, headers=headers)
    assert service.logs.recent.history("u3").seen == ["m3"]
    assert client.post("/recommend", json={}, headers=headers).json()["user_id"] == "u3"


def test_the_page_has_the_table(service):
    rows = re.findall(r"^\| `(\w+) (/\S*)` \|(.*)\|$", PAGE.read_text(), flags=re.MULTILINE)
    columns = ["read", "write", "admin", "user"]
    told = {}
    for method, path, cells in rows:
        marks = [cell.strip() for cell in cells.split("|")]
        told[method, path] = {Role(name) for name, mark in zip(columns, marks, strict=True) if mark == "yes"}
    assert told == {call: set(roles) for call, roles in PERMISSIONS.items()}
