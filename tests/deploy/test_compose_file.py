"""What is read of a compose file, and that the shipped one is whole."""

import pytest
import yaml

from compose_file import ComposeError, interpolated, services

SMALL = """
services:
  web:
    build: .
    command: serve --host 0.0.0.0 --port ${WEB_PORT:-80} --store http://store:90/path --note "two words"
    environment: {STORE: "http://store:90", LOOKS_ALIKE: "http://storehouse:90", KEPT: $$HOME}
    ports: ["127.0.0.1:${WEB_PORT:-80}:80"]
    volumes: ["data:/srv/foretaste/artifacts/web:ro"]
    depends_on: {store: {condition: service_healthy}, database: {condition: service_healthy}}
    stop_grace_period: 1m30s
  store:
    build: .
    command: [sh, -c, "exec store"]
    healthcheck: {test: [CMD, "true"], interval: 2s, retries: 3, start_period: 10s}
  database:
    image: postgres
    environment: {PASSWORD: "${PASSWORD:?choose one}"}
"""


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${GIVEN}", "x"),
        ("${MISSING}", ""),
        ("${MISSING:-a b}", "a b"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${GIVEN:?needed}", "x"),
        ("$$GIVEN costs $5", "$GIVEN costs $5"),
        ("http://${GIVEN}:${MISSING:-80}/", "http://x:80/"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text, filled):
    assert interpolated(text, {"GIVEN": "x", "EMPTY": ""}) == filled


def test_a_variable_that_must_be_there_is_asked_for():
    with pytest.raises(ComposeError, match="EMPTY is not set: choose one"):
        interpolated("${EMPTY:?choose one}", {"EMPTY": ""})


def test_services_become_processes_of_this_machine():
    found = services(SMALL, {"WEB_PORT": "8080"})
    assert list(found) == ["store", "web"]  # the database only names an image: it is left out, and not waited for
    web = found["web"]
    assert web.command[1:] == (
        *("--host", "127.0.0.1", "--port", "8080"),
        *("--store", "http://127.0.0.1:90/path", "--note", "two words"),
    )
    assert web.environment == {"STORE": "http://127.0.0.1:90", "LOOKS_ALIKE": "http://storehouse:90", "KEPT": "$HOME"}
    assert web.port == 8080
    assert [str(folder) for folder in web.folders] == ["artifacts/web"]
    assert web.depends_on == {"store": "service_healthy"}
    assert web.stop_seconds == 90
    assert found["store"].health.patience_seconds == 10 + 3 * 2
    assert found["store"].command == ("sh", "-c", "exec store")


def test_what_is_asked_for_brings_what_it_depends_on():
    assert list(services(SMALL, {}, ["store"])) == ["store"]
    assert list(services(SMALL, {}, ["web"])) == ["store", "web"]
    with pytest.raises(ComposeError, match="no service database to start as a process; there are store, web"):
        services(SMALL, {}, ["database"])


def test_a_circle_is_refused():
    text = SMALL.replace(
        "  store:\n    build: .", "  store:\n    build: .\n    depends_on: {web: {condition: service_started}}"
    )
    with pytest.raises(ComposeError, match="wait for one another"):
        services(text, {})


@pytest.fixture
def compose(deploy):
    return yaml.safe_load((deploy / "compose.yaml").read_text())


def test_the_shipped_file_has_the_services_of_the_loop(deploy, compose):
    assert {"api", "ui", "dashboard", "mlflow", "postgres", "retrainer", "watcher"} <= set(compose["services"])
    order = list(services((deploy / "compose.yaml").read_text(), {}))
    assert order.index("setup") < order.index("api") < order.index("ui")
    assert "postgres" not in order


def test_every_service_is_confined(compose):
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in compose["volumes"], name


def test_what_is_waited_for_can_tell(compose):
    for service in compose["services"].values():
        for other, how in service.get("depends_on", {}).items():
            awaited = compose["services"][other]
            if how["condition"] == "service_healthy":
                assert awaited["healthcheck"]["test"][0] == "CMD", other
            else:
                assert (how["condition"], awaited["restart"]) == ("service_completed_successfully", "no"), other


def test_images_ask_after_health_as_the_services_do(deploy, compose):
    """`docker run` knows the Dockerfile alone; it must not ask at another address than Compose does."""
    dockerfile = (deploy / "Dockerfile").read_text()
    for name in ("api", "ui", "dashboard", "mlflow"):
        probe = interpolated(compose["services"][name]["healthcheck"]["test"][-1], {})
        assert f'"{probe}"' in dockerfile, name
