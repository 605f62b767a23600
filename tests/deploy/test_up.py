"""Plain processes, started in order and stopped together."""

import io
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import PurePosixPath

import pytest

from compose_file import HealthCheck, Service
from up import Supervisor


def service(name, script, *, after=None, health=None, port=None, folders=()):
    return Service(
        name=name,
        command=("sh", "-euc", script),
        environment={"NAME": name},
        depends_on=after or {},
        health=HealthCheck(("sh", "-euc", health), patience_seconds=20) if health else None,
        port=port,
        folders=tuple(map(PurePosixPath, folders)),
        stop_seconds=5,
    )


@pytest.fixture
def supervised(tmp_path):
    """Runs services until a line is told; gives what was told, and whether none failed."""

    def run(*services, until="up "):
        out = io.StringIO()
        supervisor = Supervisor({one.name: one for one in services}, tmp_path, dict(os.environ), out)
        result = []
        thread = threading.Thread(target=lambda: result.append(supervisor.run()))
        thread.start()
        ends_at = time.monotonic() + 30
        while until not in out.getvalue() and thread.is_alive():
            assert time.monotonic() < ends_at, out.getvalue()
            time.sleep(0.02)
        supervisor.stop()
        thread.join(30)
        assert not thread.is_alive()
        return out.getvalue(), result[0]

    return run


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_waits_for_what_it_depends_on(supervised, tmp_path):
    told, went_well = supervised(
        service("once", "sleep 0.3; echo made > made/it; echo done once", folders=["made"]),
        service(
            "base",
            "cat made/it; sleep 0.5; touch answers; exec sleep 60",
            after={"once": "service_completed_successfully"},
            health="test -e answers",
            port=80,
        ),
        service("top", "test -e answers; echo $NAME sees it; exec sleep 60", after={"base": "service_healthy"}),
        until="top sees it",
    )
    assert went_well
    assert (
        told.index("once      | done once")
        < told.index("base      | made")
        < told.index("ready     base  http://127.0.0.1:80")
    )
    assert told.index("ready     base") < told.index("top       | top sees it")


def test_all_stop_together_and_leave_nothing_behind(supervised, tmp_path):
    """Also what a service itself has started, though it does not listen to SIGTERM."""
    stubborn = "trap '' TERM; sleep 61 & echo $! > child; echo $$ > parent; wait; sleep 61"
    told, went_well = supervised(
        service("stubborn", f"({stubborn}) & wait", health="test -s parent"),
        service(
            "gentle",
            "trap 'echo thank you; exit 0' TERM; touch ready; while true; do sleep 0.05; done",
            health="test -e ready",
        ),
    )
    assert went_well
    assert "gentle    | thank you" in told
    for name in ("child", "parent"):
        pid = int((tmp_path / name).read_text())
        ends_at = time.monotonic() + 5
        while is_running(pid) and time.monotonic() < ends_at:
            time.sleep(0.05)
        assert not is_running(pid), name


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (service("bad", "exit 3"), "bad ended with exit code 3"),
        (service("bad", "exit 0"), "bad ended with exit code 0"),
        (service("bad", "sleep 0.3; exit 4", health="false"), "bad ended with exit code 4"),
    ],
)
def test_one_that_ends_stops_all(supervised, failing, said):
    told, went_well = supervised(service("good", "exec sleep 60"), failing, until="never")
    assert not went_well
    assert f"failed    {said}" in told
    assert "stop      good" in told


def test_a_service_that_never_answers_is_given_up(supervised):
    slow = service("slow", "exec sleep 60", health="false")
    slow = Service(**{**vars(slow), "health": HealthCheck(("false",), patience_seconds=0.5)})
    told, went_well = supervised(slow, until="never")
    assert not went_well
    assert "slow was not ready within 0.5 seconds" in told


def test_a_missing_command_is_told(supervised):
    missing = Service(**{**vars(service("ghost", "")), "command": ("no-such-command",)})
    told, went_well = supervised(missing, until="never")
    assert not went_well
    assert "ghost cannot be started: no-such-command" in told


def test_the_command_names_the_services_that_there_are(deploy):
    done = subprocess.run([sys.executable, deploy / "up.py", "web"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no service web to start as a process; there are api, dashboard" in done.stderr


def test_a_taken_port_stops_all(supervised):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = service("server", f"exec {sys.executable} -m http.server --bind 127.0.0.1 {port}")
        _, went_well = supervised(server, until="never")
    assert not went_well
