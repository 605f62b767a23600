"""Starts a Streamlit script as a server of its own; all that Streamlit is told comes from here, no file of its own."""

import importlib.util
import socket
from collections.abc import Sequence
from pathlib import Path

from foretaste.errors import ConfigError

_NEEDED = ("streamlit", "altair", "httpx")
_ACCENT, _ACCENT_ON_DARK = "#0f766e", "#2dd4bf"


def check_installed() -> None:
    """Refuse early what is missing.

    Raises:
        ConfigError: a library of the extra `ui` is not installed.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"this page needs {', '.join(missing)}: pip install 'foretaste[ui]'.")


def check_free(host: str, port: int) -> None:
    """Refuse early an address that cannot be listened on.

    Raises:
        ConfigError: the port is taken, or the host is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port or --host."
        ) from error


def run(script: Path, arguments: Sequence[str], host: str, port: int, headless: bool) -> None:
    """Serve the script until Ctrl-C.

    Args:
        script: of Streamlit.
        arguments: what the script finds in `sys.argv` behind its name.
        host: address to listen on.
        port: TCP port.
        headless: do not open a browser.

    Raises:
        ConfigError: something is not installed, or the address is not free.
    """
    check_installed()
    check_free(host, port)
    from streamlit.web import bootstrap

    options = {
        "server_address": host,
        "server_port": port,
        "server_headless": headless,
        "server_fileWatcherType": "none",
        "browser_gatherUsageStats": False,
        "client_showErrorDetails": "none",
        "logger_hideWelcomeMessage": True,
        "client_toolbarMode": "minimal",
        "theme_light_primaryColor": _ACCENT,
        "theme_dark_primaryColor": _ACCENT_ON_DARK,
    }
    bootstrap.load_config_options(options)
    bootstrap.run(str(script), False, list(arguments), options)
