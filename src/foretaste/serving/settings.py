"""How the service runs."""

from pathlib import Path

from pydantic import Field

from foretaste.artifacts.store import DEFAULT_ROOT, PRODUCTION
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.slate_settings import SlateConfig
from foretaste.settings import Settings


class ServingConfig(Settings):
    """Where the service listens, and what it serves."""

    host: str = "127.0.0.1"
    """Address to listen on; the default can be reached from this machine alone."""
    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    store: Path = DEFAULT_ROOT
    """Folder of the bundles."""
    bundle: str = PRODUCTION
    """A bundle id, or `production` for the one that is live when the service starts."""
    slate: SlateConfig = SlateConfig()
    """How the best items become an answer."""
    log: LogConfig = LogConfig()
    """Requests, feedback and registrations."""
