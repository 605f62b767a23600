"""Swaps as clients and administrators see them."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from foretaste.errors import ArtifactError

from .test_live_models import flipped, ids


@pytest.fixture
def service(make_service, store):
    return make_service(store=store.root)


@pytest.fixture
def admin(service, client_of, monkeypatch):
    from foretaste.serving.security.keys import create_key
    from foretaste.serving.security.roles import Role

    key, record = create_key("admin", Role.ADMIN, "2026-11-20T12:00:00+00:00")
    service.guard.know([record])
    client = client_of(service)
    client.headers["Authorization"] = f"Bearer {key}"
    return client


def test_reload_and_rollback(admin, store):
    popularity, als = ids(store)
    assert admin.post("/models/reload").json()["status"] == "unchanged"
    store.promote(popularity)
    found = admin.post("/models/reload").json()
    assert (found["status"], found["model_version"]) == ("swapped", popularity)
    assert admin.post("/recommend", json={}).json()["model_version"] == popularity
    found = admin.post("/models/rollback").json()
    assert (found["status"], found["model_version"]) == ("swapped", als)
    assert store.production_id() == als
    assert [each["model_version"] for each in admin.get("/models").json()["loaded"]] == [als]


def test_a_bad_bundle_is_a_conflict_and_ready_tells(admin, store):
    popularity, als = ids(store)
    flipped(store, popularity, "item_mapping.parquet")
    response = admin.post("/models/reload")
    assert response.status_code == 409
    assert response.json()["type"].endswith(":bundle-refused")
    ready = admin.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["model_version"] == als
    assert popularity in ready.json()["problems"]["default"]
    assert admin.post("/recommend", json={}).json()["model_version"] == als
    assert "foretaste_model_problems 1.0" in admin.get("/metrics").text


def test_nothing_to_roll_back_to_is_a_conflict(make_service, client_of, quiet_store):
    service = make_service()
    with pytest.raises(ArtifactError):
        quiet_store.rollback()
    assert service.models.current.default.engine.model_version == quiet_store.production_id()


def test_old_versions_leave_the_metrics(admin, store, service):
    popularity, als = ids(store)
    admin.post("/recommend", json={})
    for bundle_id in (popularity, als, popularity, als, popularity):
        store.promote(bundle_id)
        admin.post("/models/reload")
        admin.post("/recommend", json={})
    service.metrics.keep_versions({popularity})
    text = admin.get("/metrics").text
    assert als not in text
    assert f'model_version="{popularity}"' in text


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails_while_bundles_are_swapped_and_corrupted(store, tmp_path, workers):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "hot_swap.poll_seconds": 0.1,
        "hot_swap.retry_seconds": 0.3,
        "log.url": f"sqlite:///{tmp_path}/log.db",
        "log.journal_dir": tmp_path / "journal",
        "security.keys": tmp_path / "keys.json",
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    arguments = ["serve", "--port", str(port), "--store", str(store.root), "--workers", str(workers), *overrides]
    code = "from foretaste.cli import main; main()"
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=out, stderr=subprocess.STDOUT)
    base, statuses, is_over = f"http://127.0.0.1:{port}", [], threading.Event()

    def ask():
        with httpx.Client(base_url=base, timeout=30) as client:
            while not is_over.is_set():
                statuses.append(client.post("/recommend", json={"user_id": "u3"}).status_code)

    def ready():
        """What every worker says: a connection stays with the worker that took it."""
        return [httpx.get(f"{base}/ready", timeout=30).json() for _ in range(8 if workers > 1 else 1)]

    def wait_for(condition):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if all(condition(each) for each in ready()):
                    return
            except httpx.TransportError:
                assert process.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.1)
        raise AssertionError((tmp_path / "out").read_text()[-2000:])

    try:
        wait_for(lambda told: told["status"] == "ready")
        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        popularity, als = ids(store)
        for file in sorted(path.name for path in (store.root / als).iterdir()):
            live = store.production_id()
            other = als if live == popularity else popularity
            if not (store.root / other / file).exists():
                continue
            mend = flipped(store, other, file)
            wait_for(lambda told, live=live: "goes on" in str(told["problems"]) and told["model_version"] == live)
            mend()
            wait_for(lambda told, other=other: told["model_version"] == other and not told["problems"])
        is_over.set()
        for client in clients:
            client.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        is_over.set()
        process.kill()
    assert len(statuses) > 20
    assert set(statuses) == {200}
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} >= {"request", "models", "bundle refused"}
