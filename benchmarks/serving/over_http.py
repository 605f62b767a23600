"""What /recommend costs over HTTP, beside a bare FastAPI POST: processor time of the server a request, on one core.

    python benchmarks/serving/over_http.py [--items 27000] [--starts 6] [--rounds 4] [--requests 3000]

Each contestant is a server process pinned to the same core; requests come from this process, pinned to another, over 4
connections. k = 10, seen items excluded, every fourth request filtered by genre.

Within each round the contestants take turns of 500 requests, in an order that rotates, until each has had 3,000. The
figure of a round is the processor time (user and system, of all threads, from /proc) that a server took over the whole
round, until its last row was in the database, over the requests: others on the machine take time from a server but do
not count in it, and what a server does by the clock counts for all alike. A ratio is taken within each round; told are
the median over the rounds and the quartiles. Nothing is left out. After some rounds all servers are started anew, as
where a process happens to lie in memory makes it a few hundredths slower or faster for as long as it lives.

bare              a FastAPI POST with a body of the same model, which it gives back
recommend         /recommend as it is shipped: keys, ids, metrics, a JSON log line, the request log
without_ids       /recommend without ids, metrics and log line
without_log       /recommend without the request log: no row is made
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results" / "serving_http.json"
CONTESTANTS = ("bare", "recommend", "without_ids", "without_log")
RATIOS = {
    "rate_beside_bare": ("bare", "recommend"),
    "ids_metrics_and_log_line": ("recommend", "without_ids"),
    "request_log": ("recommend", "without_log"),
}
CONNECTIONS = 4
TURN_REQUESTS = 500
NUM_USERS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4, help="after each start")
    parser.add_argument("--requests", type=int, default=3000, help="of each contestant in a round")
    parser.add_argument("--serve", nargs=4, metavar=("CONTESTANT", "FOLDER", "PORT", "POLL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, folder, port, poll = options.serve
        serve(name, Path(folder), int(port), float(poll))
        return
    figures: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(options.starts):
        with tempfile.TemporaryDirectory() as folder:
            for name, micros in measure(Path(folder), options.items, options.rounds, options.requests).items():
                figures[name] += micros
    told = {
        "command": f"python benchmarks/serving/over_http.py --starts {options.starts} --rounds {options.rounds}",
        "items": options.items,
        "cores": os.cpu_count(),
        "microseconds_per_request": {name: spread(each) for name, each in figures.items()},
        **{name: spread(ratios(figures, *pair)) for name, pair in RATIOS.items()},
        "rounds": figures,
    }
    for name, each in figures.items():
        print(
            f"{name:<12}" + "  ".join(f"{key} {value:>7.1f}" for key, value in spread(each).items()) + "  µs a request"
        )
    for name in RATIOS:
        print(f"{name:<26}{told[name]}")
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")


def measure(folder: Path, num_items: int, rounds: int, num_requests: int) -> dict[str, list[float]]:
    """Processor microseconds a request, of each contestant in each round."""
    from engine import contents

    from foretaste.artifacts.store import BundleStore

    BundleStore(folder / "bundles").publish(contents(num_items))
    cores = sorted(os.sched_getaffinity(0))
    ports = {name: free_port() for name in CONTESTANTS}
    servers = {name: start(name, folder, port, cores[0]) for name, port in ports.items()}
    os.sched_setaffinity(0, {cores[-1]})
    micros: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    try:
        requests = [request(n) for n in range(200)]
        for port in ports.values():
            ask(port, requests, 800)  # warm up
        for _ in range(rounds):
            before = {name: cpu_seconds(server.pid) for name, server in servers.items()}
            done = dict.fromkeys(CONTESTANTS, 0)
            for turn in range(num_requests // TURN_REQUESTS):
                first = turn % len(CONTESTANTS)
                for name in (*CONTESTANTS[first:], *CONTESTANTS[:first]):
                    done[name] += ask(ports[name], requests, TURN_REQUESTS)
            for name in CONTESTANTS:
                wait_until_moved(folder / f"{name}.journal")
            for name, server in servers.items():
                micros[name].append(round(1e6 * (cpu_seconds(server.pid) - before[name]) / done[name], 2))
    finally:
        for server in servers.values():
            server.terminate()
            server.wait()
        os.sched_setaffinity(0, cores)
    return micros


def wait_until_moved(journal: Path) -> None:
    """Until the database has all rows of a request log; at once where there are none."""
    while any(segment.stat().st_size for segment in journal.glob("*/*.journal") if segment.exists()):
        time.sleep(0.05)


def ratios(figures: dict[str, list[float]], above: str, below: str) -> list[float]:
    """Of two contestants, round by round."""
    return [one / other for one, other in zip(figures[above], figures[below], strict=True)]


def spread(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4)
    return {"quartile": round(low, 3), "median": round(median, 3), "upper_quartile": round(high, 3)}


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def request(n: int) -> bytes:
    filters = {"genres": ["Comedy"]} if n % 4 == 0 else {}
    body = json.dumps({"user_id": f"u{n * 7 % NUM_USERS}", "k": 10, "exclude_seen": True, "filters": filters}).encode()
    head = "POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, requests: list[bytes], count: int) -> int:
    """Send so many requests over the connections, one at a time on each; how many were answered with 200."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    sent = 0
    while sent < count:
        for connection in connections:
            connection.sendall(requests[sent % len(requests)])
            sent += 1
        for connection in connections:
            status = receive(connection)
            assert status == 200, status
    for connection in connections:
        connection.close()
    return sent


def receive(connection: socket.socket) -> int:
    """Read one answer; its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head[9:12])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start(name: str, folder: Path, port: int, core: int, hot_swap_seconds: float = 2) -> subprocess.Popen[bytes]:
    """A server, once it answers. It looks for new bundles so often, and tries refused ones again five times as late."""
    arguments = [sys.executable, __file__, "--serve", name, str(folder), str(port), str(hot_swap_seconds)]
    with (folder / f"{name}.log").open("wb") as log:
        server = subprocess.Popen(arguments, stdout=log, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{name} did not start")


def serve(name: str, folder: Path, port: int, poll_seconds: float) -> None:
    from foretaste.serving.processes import one_thread_each

    one_thread_each()
    if name == "bare":
        serve_bare(port)
        return
    from foretaste.serving.server import listen, run
    from foretaste.serving.service import open_service
    from foretaste.serving.settings import ServingConfig

    log = {"url": f"sqlite:///{folder}/{name}.db", "journal_dir": str(folder / f"{name}.journal")}
    security = {"keys": str(folder / "keys.json")}
    hot_swap = {"poll_seconds": poll_seconds, "retry_seconds": 5 * poll_seconds}
    service = open_service(ServingConfig(store=folder / "bundles", log=log, security=security, hot_swap=hot_swap))
    if name == "without_log":
        leave_out_recording()
    if name == "without_ids":
        leave_out_observing()
    run(service, listen("127.0.0.1", port))


def leave_out_recording() -> None:
    """No row is made, none written and none moved, and nobody asks what it would say."""
    from foretaste.serving.answers import RecommendRequest
    from foretaste.serving.routes import recommending

    recommending.record = lambda *_, **__: None
    RecommendRequest.asked = lambda _: {}  # type: ignore[method-assign]


def leave_out_observing() -> None:
    """Put in the place of the outermost layer one that only lets the others find an exchange."""
    from foretaste.serving import app
    from foretaste.serving.exchange import Exchange, attach

    class Unobserved:
        def __init__(self, inner, *_, **__):  # type: ignore[no-untyped-def]
            self._inner, self._exchange = inner, Exchange("POST", "/recommend")

        async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
            attach(scope, self._exchange)
            self._exchange.started = time.perf_counter()
            await self._inner(scope, receive, send)

    app.Observing = Unobserved  # type: ignore[misc, assignment]


def serve_bare(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI

    from foretaste.serving.request_schemas import RecommendBody

    bare = FastAPI()

    @bare.post("/recommend")
    async def recommend(body: RecommendBody) -> RecommendBody:
        return body

    uvicorn.run(bare, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
