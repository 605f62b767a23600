"""What the dashboard reads; it travels as an argument of its Streamlit script."""

from collections.abc import Sequence
from pathlib import Path

from foretaste.monitoring.settings import MonitoringConfig
from foretaste.settings import Settings


class DashboardSettings(Settings):
    """Where the log, the bundles and the runs are."""

    monitoring: MonitoringConfig = MonitoringConfig()
    """The log's database, the window shown first, and the limits."""
    store: Path = Path("artifacts/bundles")
    """Folder of the bundles."""
    runs: Path = Path("artifacts/runs")
    """Folder of the runs."""

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "DashboardSettings":
        """From the arguments of the script: one of JSON, or none for the defaults."""
        return cls.model_validate_json(arguments[0]) if arguments else cls()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())
