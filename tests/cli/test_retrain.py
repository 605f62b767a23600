import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

_LOOP = Path(__file__).parents[1] / "pipelines/retraining/loop.py"


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A service that has run for a while, as the tests of the loop have it."""
    return SimpleNamespace(**runpy.run_path(str(_LOOP), run_name="loop")).running(
        tmp_path_factory.mktemp("loop") / "at"
    )


@pytest.fixture
def loop(begun, tmp_path):
    return begun.copied(tmp_path / "loop")


def test_a_retraining_is_told_from_the_log_to_the_promotion(foretaste, loop):
    before = loop.store.production_id()
    result = foretaste("retrain", loop.config_path, "--artifacts", loop.artifacts)
    assert result.exit_code == 0, result.output
    lines = {line[:10].strip(): line[10:] for line in result.stdout.splitlines() if line[:1] != " "}
    assert lines["log"] == "300 events since the last training, rows 0 to 300"
    assert lines["hold out"].startswith("the newest 668 of 3,338 fresh events")
    assert lines["promoted"] == f"{loop.store.production_id()} → production, after {before}"
    again = foretaste("retrain", loop.config_path, "--artifacts", loop.artifacts)
    assert again.exit_code == 0
    assert "50 are worth one (min_new_events)" in again.stdout


def test_json_is_the_line_of_the_record(foretaste, loop):
    planned = json.loads(
        foretaste("retrain", loop.config_path, "--artifacts", loop.artifacts, "--dry-run", "--json").stdout
    )
    assert (planned["outcome"], planned["new_events"]) == ("planned", 300)
    assert not (loop.artifacts / "retraining").exists()
    told = json.loads(foretaste("retrain", loop.config_path, "--artifacts", loop.artifacts, "--json").stdout)
    assert told["challenger"] == loop.store.production_id()
    assert told == json.loads((loop.artifacts / "retraining" / "retrainings.jsonl").read_text())
    assert told["verdict"]["findings"]


def test_a_refusal_ends_with_1_and_says_why(foretaste, loop):
    before = loop.store.production_id()
    refuse = ("--set", "merge.max_repeated_share=0.01")
    result = foretaste("retrain", loop.config_path, "--artifacts", loop.artifacts, *refuse)
    assert result.exit_code == 1
    assert f"refused   {before} goes on serving" in result.stdout
    assert "events were said again later" in result.stdout


def test_wrong_use_is_refused(shell, loop):
    both = shell("retrain", loop.config_path, "--watch", "--dry-run")
    assert (both.returncode, "leave one out" in both.stderr) == (2, True)
    unknown = shell("retrain", loop.config_path, "--set", "schedule.dritf=true")
    assert (unknown.returncode, "did you mean 'schedule.drift'" in unknown.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_trains_and_ends_when_it_is_asked_to(loop, stop):
    options = [
        "--set",
        "schedule.every_hours=1e-9",
        "--set",
        "schedule.check_seconds=0.1",
        "--artifacts",
        loop.artifacts,
    ]
    arguments = [sys.executable, "-c", "from foretaste.cli import main; main()", "retrain", loop.config_path, "--watch"]
    process = subprocess.Popen([*map(str, [*arguments, *options])], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.startswith("skipped"):  # after the promotion there is nothing new
                break
        process.send_signal(stop)
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    assert "stopped   nothing was left half done" in rest
    assert outcomes(loop)[0] == "promoted"


def outcomes(loop):
    lines = (loop.artifacts / "retraining" / "retrainings.jsonl").read_text().splitlines()
    return [json.loads(line)["outcome"] for line in lines]
