"""The process that listens."""

import socket

import uvicorn

from foretaste.errors import ConfigError
from foretaste.serving.app import create_app
from foretaste.serving.engine import Engine


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port that is taken is found before anything is served.

    Raises:
        ConfigError: the address is not of this machine, or the port is taken or reserved.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Choose others with --host and --port; "
            f"--port 0 takes a free one."
        ) from error


def run(engine: Engine, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests that are being answered are finished first."""
    config = uvicorn.Config(create_app(engine), log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
