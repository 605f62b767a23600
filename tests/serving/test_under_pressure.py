"""A whole service, asked for more than it can do, too slowly, for too much, and told to stop."""

import json
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

pytestmark = pytest.mark.slow

HEAD = "POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = json.dumps({"user_id": "u3"}).encode()
WHOLE = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


@pytest.fixture
def server(quiet_store, tmp_path):
    """A process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "limits.queue": 2,
        "limits.body_bytes": 2000,
        "limits.body_seconds": 2,
        "limits.drain_seconds": 4,
        "log.url": f"sqlite:///{tmp_path}/log.db",
        "log.journal_dir": tmp_path / "journal",
        "security.keys": tmp_path / "keys.json",
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    arguments = ["serve", "--port", str(port), "--store", str(quiet_store.root), *overrides]
    with (tmp_path / "out").open("w") as out:
        code = "from foretaste.cli import main; main()"
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not is_ready(port):
            assert process.poll() is None, (tmp_path / "out").read_text()
            assert time.monotonic() < deadline, (tmp_path / "out").read_text()
            time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.wait()


def is_ready(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def answer(connection):
    """Status, headers and body of what comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, "the connection ended without an answer"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return int(status.split()[1]), headers, json.loads(body)


def test_what_is_beyond_the_queue_gets_503_and_all_others_their_answer(server, tmp_path):
    _, port = server
    connections = [connected(port) for _ in range(60)]
    answered = []
    for _ in range(5):
        for connection in connections:
            connection.sendall(WHOLE)
        answered += [answer(connection) for connection in connections]
    for connection in connections:
        connection.close()
    admitted = [body for status, _, body in answered if status == 200]
    refused = [(headers, body) for status, headers, body in answered if status == 503]
    assert len(admitted) + len(refused) == 300
    assert admitted
    assert refused
    assert all(len(body["recommendations"]) == 10 for body in admitted)
    assert all(headers["retry-after"] == "1" for headers, _ in refused)
    assert all(body["status"] == 503 and body["request_id"] == headers["x-request-id"] for headers, body in refused)
    figures = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    assert f"foretaste_refused_queue_total {len(refused):.1f}" in figures
    assert f"foretaste_logged_requests_total {len(admitted):.1f}" in figures
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines() if line.startswith("{")]
    answered = [line["status"] for line in lines if line.get("path") == "/recommend"]
    assert answered == [200] * len(admitted), "others are refused at the socket, and leave no line of their own"


def test_a_body_that_does_not_come_is_not_waited_for(server):
    _, port = server
    with connected(port) as connection:
        connection.sendall(WHOLE[:-5])
        status, _, body = answer(connection)
    assert status == 408
    assert "did not come within 2 seconds" in body["detail"]
    assert is_ready(port)


def test_a_body_that_is_too_large_is_refused_with_or_without_a_length(server):
    _, port = server
    with connected(port) as connection:
        connection.sendall(f"{HEAD}Content-Length: 2001\r\n\r\n".encode())
        assert answer(connection)[0] == 413, "before any of it came"
    with connected(port) as connection:
        chunk = b"3e8\r\n" + b" " * 1000 + b"\r\n"
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + 3 * chunk)
        assert answer(connection)[0] == 413
    with connected(port) as connection:
        connection.sendall(WHOLE)
        assert answer(connection)[0] == 200


def test_sigterm_turns_ready_off_and_what_was_asked_is_answered(server):
    process, port = server
    half = connected(port)
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 3
    while is_ready(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, "it drains first"
    assert not is_ready(port)
    half.sendall(WHOLE)
    assert answer(half)[0] == 200
    time.sleep(0.1)
    half.sendall(WHOLE[:-5])
    time.sleep(0.2)
    half.sendall(WHOLE[-5:])
    assert answer(half)[0] == 200
    assert process.wait(timeout=30) == 0
    with pytest.raises(ConnectionRefusedError):
        connected(port)
