"""The challenger on the log of what served; where the log cannot tell, that is told and held against nobody."""

from foretaste.artifacts.bundle import Bundle
from foretaste.data.log_database import LogDatabase
from foretaste.errors import ArtifactError, EstimationError
from foretaste.monitoring.off_policy import Estimator
from foretaste.monitoring.windows import Window
from foretaste.pipelines.replay import replay
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard_settings import ReplayLimits
from foretaste.serving.engine import Engine
from foretaste.serving.slate_settings import SlateConfig

_ESTIMATOR: Estimator = "dr"
"""The doubly robust estimate decides; all of them are in the evidence."""


def check_replay(
    challenger: Bundle, database: LogDatabase, limits: ReplayLimits, slate: SlateConfig | None, now: float
) -> Finding:
    """What the challenger would have earned on an item shown, against what was earned.

    Args:
        challenger: to be judged.
        database: of the log.
        limits: what it may lose.
        slate: how it would serve; by score alone without, and the finding says so.
        now: UTC seconds.
    """
    window = Window.latest(limits.window, now)
    try:
        found = replay(database, Engine(challenger, slate=slate), window, limits.estimates, num_slots=limits.slots)
    except (ArtifactError, EstimationError) as error:
        return Finding("replay", "reward", True, f"the log says nothing of it: {error}")
    estimates = {each.estimator: each for each in found.estimates}
    if _ESTIMATOR not in estimates:
        return Finding("replay", "reward", True, f"the log says nothing of it: {found.refused[_ESTIMATOR]}")
    ours = estimates[_ESTIMATOR]
    floor = found.served.low * (1 - limits.max_loss)
    how = (
        "by score alone, as no service is named"
        if slate is None
        else f"by {slate.policy.label}, as the service does it"
    )
    told = (
        f"on the log of {found.num_requests:,} answers an item shown, had it been served {how}, would have earned "
        f"{ours.mean:.2%} [{ours.low:.2%} {ours.high:.2%}], where what served, by {', '.join(found.policies)}, "
        f"earned {found.served.mean:.2%} [{found.served.low:.2%} {found.served.high:.2%}]."
    )
    return Finding("replay", "reward", ours.high >= floor, told, ours.mean, floor)
