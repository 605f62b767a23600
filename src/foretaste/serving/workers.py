"""Several processes that answer at one address, and the one that watches over them.

Each is started afresh, opens the bundle for itself, and maps the same files into memory. They share the listening
socket; the system gives each connection to one that is free.
"""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

from foretaste.errors import ForetasteError
from foretaste.serving.json_log import JsonLog
from foretaste.serving.security.rate_limits import make_shared_buckets
from foretaste.serving.service import BUCKETS_FILE, open_service
from foretaste.serving.settings import ServingConfig

_FEWEST_SECONDS = 5.0
"""A worker that ends sooner than this after its start did not get to serve, and others would not either."""
_FAILED = 1


def run_workers(config: ServingConfig, listener: socket.socket) -> int:
    """Serve until SIGTERM or SIGINT, and start anew what dies meanwhile.

    Returns:
        0 after SIGTERM, 1 where workers end as soon as they are started.

    Raises:
        KeyboardInterrupt: after SIGINT.
    """
    with tempfile.TemporaryDirectory(prefix="foretaste-") as folder:
        shared = Path(folder)
        make_shared_buckets(shared / BUCKETS_FILE)
        return _Supervisor(config, listener, shared).run()


class _Supervisor:
    def __init__(self, config: ServingConfig, listener: socket.socket, shared: Path) -> None:
        self._arguments = (config.resolved(), listener, str(shared))
        self._num_workers = config.workers
        self._log = JsonLog()
        self._processes: dict[int, tuple[SpawnProcess, float]] = {}
        self._signal: int | None = None

    def run(self) -> int:
        previous = {each: signal.signal(each, self._stop) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            for worker in range(self._num_workers):
                self._start(worker)
            failed = self._watch()
        finally:
            self._end_all()
            for each, handler in previous.items():
                signal.signal(each, handler)
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        return _FAILED if failed else 0

    def _start(self, worker: int) -> None:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_work, args=(worker, *self._arguments), name=f"worker {worker}")
        process.start()
        self._processes[worker] = (process, time.monotonic())

    def _watch(self) -> bool:
        """Return when asked to stop, or True when workers do not live."""
        while self._signal is None:
            wait([process.sentinel for process, _ in self._processes.values()], timeout=0.5)
            for worker, (process, started) in list(self._processes.items()):
                if process.is_alive() or self._signal is not None:
                    continue
                fields = {"worker": worker, "exit_code": process.exitcode}
                self._log.write("error", "worker died", fields)
                if process.exitcode == _FAILED and time.monotonic() - started < _FEWEST_SECONDS:
                    return True
                self._start(worker)
        return False

    def _end_all(self) -> None:
        for process, _ in self._processes.values():
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGTERM)
        for process, _ in self._processes.values():
            process.join()

    def _stop(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._signal = sig


def _work(worker: int, values: dict[str, Any], listener: socket.socket, shared: str) -> None:
    """The life of a worker."""
    from foretaste.serving.server import run

    try:
        run(open_service(ServingConfig.model_validate(values), worker, Path(shared)), listener)
    except ForetasteError as error:
        sys.stderr.write(f"error: worker {worker}: {error}\n")
        sys.exit(_FAILED)
    except KeyboardInterrupt:
        sys.exit(0)
