"""A service that is killed under load has lost nothing that it acknowledged, and doubled nothing."""

import runpy
import sys
from pathlib import Path

import pytest

KILL = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks/serving/kill.py"))
SMALL_SERVICE = Path(__file__).with_name("small_service.py")


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(config):
    port = KILL["free_port"]()
    settings = config.model_copy(update={"move_every_seconds": 0.05}).model_dump_json()
    told = KILL["kill_under_load"]([sys.executable, str(SMALL_SERVICE), str(port), settings], port, rounds=10)
    found = KILL["compared"](config.url, config.journal_dir, told)
    assert found["acknowledged"]["requests"] > 100  # else the clients have not loaded anything
    assert found["acknowledged"]["feedback"] > 100
    assert found["lost"] == {"requests": 0, "feedback": 0}
    assert found["doubled"] == {"requests": 0, "feedback": 0}
    assert found["torn rows"] == found["feedback without its request"] == found["files left in the journal"] == 0
    assert found["model versions"] == 1
