"""From a config to a page that tells whether retraining helps."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml

from foretaste.artifacts import atomic
from foretaste.errors import ArtifactError
from foretaste.models.registry import check_trainable
from foretaste.pipelines.narration import Narrator, Silence
from foretaste.pipelines.report_files import write_report
from foretaste.pipelines.simulation.outcome import ARMS, ArmName, SimulationResult, WorldOutcome
from foretaste.pipelines.simulation.page import compose
from foretaste.pipelines.simulation.settings import SimulationConfig
from foretaste.pipelines.simulation.worlds import simulate_world

RESULT_FILE, CONFIG_FILE = "result.json", "config.yaml"


def simulate(
    config: SimulationConfig, folder: Path, command: str, narrator: Narrator | None = None
) -> SimulationResult:
    """Live through the weeks in every world with every arm, and write what came of it.

    The services of the arms listen on free ports of this machine's loopback address, one at a time.

    Args:
        config: who lives for how long, and how the service learns.
        folder: for the page, the figures, and a folder of each world; it is made.
        command: what to type for the same result; the page tells it.
        narrator: told of each world.

    Raises:
        ArtifactError: the folder is there already.
        ConfigError: the model needs a library that is not installed.
    """
    narrator = narrator or Silence()
    for spec in config.experiment.models.values():
        check_trainable(spec.type)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ArtifactError(f"{folder}: {error.strerror}; name a folder that is not there yet with --out.") from error
    started = time.perf_counter()
    worlds: list[WorldOutcome] = []
    with narrator.progress("simulate") as progress:
        done, total = 0, config.seeds * len(ARMS) * config.weeks

        def tell(_: ArmName) -> None:
            nonlocal done
            done += 1
            progress(done, total, {})

        for seed in range(config.first_seed, config.first_seed + config.seeds):
            worlds.append(simulate_world(config, seed, folder / f"world-{seed}", tell))
            narrator.say(f"world {seed}", _told(worlds[-1]))
    result = SimulationResult(folder, config, worlds, time.perf_counter() - started)
    write_report(folder, compose(result, command))
    (folder / CONFIG_FILE).write_text(yaml.safe_dump(config.resolved(), sort_keys=False), encoding="utf-8")
    told = json.dumps(result.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    atomic.write_text(folder / RESULT_FILE, told + "\n")
    narrator.say("page", str(result.page))
    return result


def new_folder(root: Path, name: str) -> Path:
    """A folder for a simulation that begins now."""
    return root / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}"


def _told(world: WorldOutcome) -> str:
    ends = " · ".join(f"{arm} {weeks[-1].click_through:.3f}" for arm, weeks in world.arms.items())
    decisions = [event.decision for event in world.events]
    counts = ", ".join(f"{decisions.count(name)} {name}" for name in dict.fromkeys(decisions))
    return f"click-through of the last week: {ends}" + (f"; {counts}" if counts else "")
