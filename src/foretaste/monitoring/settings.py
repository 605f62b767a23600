"""How the service is watched: every section of `configs/monitoring.yaml`."""

from pydantic import Field

from foretaste.data.feedback import DEFAULT_LOG
from foretaste.monitoring.drift import DriftConfig
from foretaste.monitoring.off_policy import OffPolicyConfig
from foretaste.monitoring.release import WatchConfig
from foretaste.monitoring.thresholds import Thresholds
from foretaste.settings import Settings


class MonitoringConfig(Settings):
    """What is read, over which time, and what must not happen."""

    log: str = DEFAULT_LOG
    """Database of the service's log."""
    window: str = Field(default="24h", pattern=r"^\d{1,6}[hdw]$")
    """Hours, days or weeks up to now, as in 24h, 7d or 4w."""
    thresholds: Thresholds = Thresholds()
    """Limits of the service's figures."""
    drift: DriftConfig = DriftConfig()
    """When a feature counts as drifted."""
    replay: OffPolicyConfig = OffPolicyConfig()
    """How other policies are estimated."""
    watch: WatchConfig = WatchConfig()
    """How a promoted model is watched, and what sends it back."""
