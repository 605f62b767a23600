"""Where the logs go, and how long they stay."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from foretaste.data.feedback import DEFAULT_LOG
from foretaste.settings import Settings

_MIB = 1 << 20


class LogConfig(Settings):
    """The section `log` of the service."""

    url: str = DEFAULT_LOG
    """Database of the logs: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`."""
    journal_dir: Path = Path("artifacts/service/journal")
    """Folder of what the database does not have yet. It must be on a local disk, and the same for all workers of a
    machine."""
    move_every_seconds: float = Field(default=0.5, gt=0, le=60)
    """How often feedback and registrations are moved from the journal into the database, and those that other workers
    took are read from there. Requests go along, or by themselves every fourth time."""
    max_journal_bytes: int = Field(default=256 * _MIB, ge=64 * 1024)
    """Of each worker's journal. At nine tenths, rows of requests are dropped and counted; at the whole, feedback and
    registrations are refused."""
    fsync: Literal["never", "feedback", "always"] = "never"
    """What waits for the disk: nothing is lost when the process is killed either way; `feedback` (with registrations)
    and `always` survive a power cut, too, and take the time of the disk."""
    retention_days: float | None = Field(default=90, gt=0)
    """Days after which a request is deleted; null keeps all."""
    feedback_retention_days: float | None = Field(default=None, gt=0)
    """Days after which feedback is deleted; null keeps all, as it is what later models learn from."""
    max_requests: int | None = Field(default=None, ge=1)
    """The oldest requests above this number are deleted; null for no limit."""
    max_recent_users: int = Field(default=100_000, ge=1)
    """Users whose recent feedback each worker has in memory; those not seen for longest go first."""
    max_recent_events: int = Field(default=200, ge=1)
    """Latest events of a user that count at request time."""
