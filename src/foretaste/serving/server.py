"""The process that listens."""

import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from foretaste.errors import ArtifactError, ConfigError
from foretaste.serving.app import create_app
from foretaste.serving.json_log import LogHandler
from foretaste.serving.quick_refusal import refusing_protocol
from foretaste.serving.service import Service

_BACKLOG = 2048
_FINISH_SECONDS = 30
"""For requests that are being answered when the service stops."""
_START_SECONDS = 0.01
"""Between looks whether the service has started."""
_SWITCH_SECONDS = 0.0005
"""How long the thread that answers waits at most for one that works beside it; Python's own 5 ms are ten answers."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port that is taken is found before anything is served.

    Raises:
        ConfigError: the address is not of this machine, or the port is taken or reserved.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Choose others with --host and --port; "
            f"--port 0 takes a free one."
        ) from error


def run(service: Service, listener: socket.socket) -> None:
    """Serve until SIGTERM, which it returns from, or SIGINT.

    On SIGTERM `/ready` says no, requests are answered for `limits.drain_seconds` more, and those that are being
    answered then are finished.

    Raises:
        KeyboardInterrupt: after SIGINT.
    """
    logging.getLogger().addHandler(LogHandler(service.log))
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what is loaded stays: to look through it for garbage took 120 ms in which nobody was answered
    server = _Server(_uvicorn_config(service), service)
    server.run(sockets=[listener])
    if server.was_interrupted:
        raise KeyboardInterrupt


@contextmanager
def running(service: Service, listener: socket.socket) -> Iterator[str]:
    """Serve from a thread of this process for as long as the block lasts.

    Yields:
        The URL of the service, which answers.

    Raises:
        ArtifactError: the service could not be started; its log tells why.
    """
    server = uvicorn.Server(_uvicorn_config(service))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="foretaste-service", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise ArtifactError(
                    f"{service.config.store}: the service stopped before it answered; its log tells why."
                )
            time.sleep(_START_SECONDS)
        address, port = listener.getsockname()[:2]
        yield f"http://{address}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _uvicorn_config(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(service),
        loop="uvloop",
        http=refusing_protocol(service.gate, service.count_refusal),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which drains before it stops and takes SIGTERM for a wish, not for a failure."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stops_at: float | None = None
        self.was_interrupted = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take a signal; a second one stops at once."""
        self.was_interrupted |= sig == signal.SIGINT
        self.force_exit = self.should_exit and sig == signal.SIGINT
        if self._service.is_draining or sig == signal.SIGINT:
            self.should_exit = True
        self._service.is_draining = True
        self._stops_at = time.monotonic() + self._service.config.limits.drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; asked ten times a second."""
        if self._stops_at is not None and time.monotonic() >= self._stops_at:
            self.should_exit = True
        return await super().on_tick(counter)
