"""Starts the services of compose.yaml as plain processes, without Docker: `python deploy/up.py`, or `make up`.

It reads what Compose reads: commands, environment, ports, dependencies and health checks. The names of services become
this machine's loopback address, volumes become folders of the working folder, and services that only name an image,
as the database does, are left out. Isolation and limits of resources are Docker's, and are not there.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from compose_file import COMPLETED, HEALTHY, LOOPBACK, ComposeError, HealthCheck, Service, services

COMPOSE = Path(__file__).with_name("compose.yaml")
SQLITE = "sqlite:///artifacts/service/log.db"
"""Takes the place of the database that is left out."""
_LOOK_SECONDS = 0.5
"""Between two looks whether a service answers."""
_LAST_LINES_SECONDS = 2.0
"""For what a process has written before its end."""


class Supervisor:
    """Starts services in their order, tells which is ready where, and stops all of them together.

    Args:
        services: in the order in which they start.
        folder: working folder of every process.
        variables: of their environment, beside their own.
        out: where their lines and ours go.
    """

    def __init__(
        self, services: Mapping[str, Service], folder: Path, variables: Mapping[str, str], out: TextIO
    ) -> None:
        self._services = services
        self._folder = folder
        self._variables = variables
        self._out = out
        self._once = {other for one in services.values() for other, how in one.depends_on.items() if how == COMPLETED}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: dict[str, threading.Thread] = {}
        self._ready: set[str] = set()
        self._is_stopping = threading.Event()
        self._writing = threading.Lock()

    def run(self) -> bool:
        """Start all, and watch over them until `stop` is called or one of them fails.

        Returns:
            Whether none failed.
        """
        try:
            for service in self._services.values():
                for other, condition in service.depends_on.items():
                    self._wait_for(self._services[other], condition)
                self._start(service)
            for service in self._services.values():
                self._wait_for(service, COMPLETED if service.name in self._once else HEALTHY)
            self.say("up", "Ctrl-C stops all")
            while True:
                self._pause(0.2)
        except ComposeError as error:
            self.say("failed", str(error))
            return False
        except _StoppedError:
            return True
        finally:
            self._stop_all()

    def stop(self) -> None:
        """Let `run` stop everything and return; a signal handler may call it."""
        self._is_stopping.set()

    def say(self, word: str, text: str) -> None:
        """A line of our own."""
        self._write(f"{word:<9} {text}")

    def _start(self, service: Service) -> None:
        for folder in service.folders:
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        self.say("start", service.name)
        try:
            process = subprocess.Popen(
                service.command,
                cwd=self._folder,
                env={**self._variables, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C reaches us alone, and a service is stopped with all that it started
            )
        except OSError as error:
            raise ComposeError(f"{service.name} cannot be started: {service.command[0]}: {error.strerror}.") from error
        self._processes[service.name] = process
        reader = threading.Thread(target=self._forward, args=(service.name, process), daemon=True)
        self._readers[service.name] = reader
        reader.start()

    def _wait_for(self, service: Service, condition: str) -> None:
        """Return once another service may count on this one.

        Raises:
            ComposeError: it failed, or is not ready in time.
            _StoppedError: everything is to stop.
        """
        if condition == COMPLETED:
            while self._processes[service.name].poll() is None:
                self._pause(0.1)
        elif condition == HEALTHY and service.health and service.name not in self._ready:
            ends_at = time.monotonic() + service.health.patience_seconds
            while not self._answers(service, service.health):
                if time.monotonic() > ends_at:
                    raise ComposeError(
                        f"{service.name} was not ready within {service.health.patience_seconds:g} seconds."
                    )
                self._pause(_LOOK_SECONDS)
            self._ready.add(service.name)
            self.say(
                "ready", service.name if service.port is None else f"{service.name}  http://{LOOPBACK}:{service.port}"
            )
        self._check()

    def _answers(self, service: Service, health: HealthCheck) -> bool:
        asked = subprocess.run(
            health.command,
            cwd=self._folder,
            env={**self._variables, **service.environment},
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0

    def _pause(self, seconds: float) -> None:
        self._check()
        if self._is_stopping.wait(seconds):
            raise _StoppedError

    def _check(self) -> None:
        """Nothing has ended that should run.

        Raises:
            ComposeError: something has.
        """
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None and (code or name not in self._once):
                self._readers[name].join(_LAST_LINES_SECONDS)
                raise ComposeError(f"{name} ended with exit code {code}; its lines are above.")

    def _stop_all(self) -> None:
        for name, process in reversed(self._processes.items()):
            if process.poll() is None:
                self.say("stop", name)
                _signal_group(process, signal.SIGTERM)
        for name, process in reversed(self._processes.items()):
            try:
                process.wait(self._services[name].stop_seconds)
            except subprocess.TimeoutExpired:
                self.say("kill", name)
            _signal_group(process, signal.SIGKILL)  # what it may have left behind
            process.wait()
            self._readers[name].join(_LAST_LINES_SECONDS)

    def _forward(self, name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._write(f"{name:<9} | {line.rstrip()}")

    def _write(self, line: str) -> None:
        with self._writing:
            print(line, file=self._out, flush=True)


class _StoppedError(Exception):
    """`Supervisor.stop` was called."""


def _signal_group(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def main() -> int:
    """Exit code: 0 after Ctrl-C or SIGTERM, 1 where a service failed, 2 where nothing could be started."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="working folder, with configs and artifacts")
    parser.add_argument("services", nargs="*", help="these and what they depend on; all without")
    asked = parser.parse_args()
    beside = str(Path(sys.executable).parent)  # the commands of the environment that runs this
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    try:
        found = services(
            COMPOSE.read_text(encoding="utf-8"), {"FORETASTE_DATABASE": SQLITE, **environment}, asked.services
        )
    except ComposeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    supervisor = Supervisor(found, asked.folder.resolve(), environment, sys.stdout)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    if "FORETASTE_DATABASE" not in environment:
        supervisor.say(
            "note", f"no PostgreSQL: logs and keys go to {SQLITE}; FORETASTE_DATABASE names another database"
        )
    return 0 if supervisor.run() else 1


if __name__ == "__main__":
    sys.exit(main())
