"""How the web app was started: it travels as arguments of the Streamlit script, the key as a variable."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from foretaste.errors import ConfigError

KEY_VARIABLE = "FORETASTE_API_KEY"


@dataclass(frozen=True)
class UiSettings:
    """Which services the web app talks to."""

    api: str
    compare_with: str = ""
    """A second service, or empty."""
    timeout_seconds: float = 8.0

    def check(self) -> None:
        """Refuse addresses that cannot be asked.

        Raises:
            ConfigError: one is not of the form `http://host:port`.
        """
        for option, url in (("--api", self.api), ("--compare-with", self.compare_with)):
            try:
                parts = urlsplit(url)
                is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            except ValueError:
                is_address = False
            if (url and not is_address) or not self.api:
                raise ConfigError(f"{option} {url}: expected the address of a service, as in http://127.0.0.1:8000.")

    def arguments(self) -> list[str]:
        """As arguments of the script."""
        return [self.api, self.compare_with, str(self.timeout_seconds)]

    @staticmethod
    def of(arguments: Sequence[str]) -> "UiSettings":
        """From the arguments of the script."""
        api, compare_with, timeout_seconds = arguments
        return UiSettings(api, compare_with, float(timeout_seconds))


def api_key() -> str:
    """The key with which the services are asked; empty for none."""
    return os.environ.get(KEY_VARIABLE, "")
