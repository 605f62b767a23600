"""A retraining is killed at each of its steps: what serves goes on serving, and the next retraining is as any other."""

import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from foretaste.artifacts import atomic
from foretaste.cli import create_app
from foretaste.pipelines.retraining.records import retrainings

DRIVER = """
import os, signal, sys
from importlib import import_module

module, _, name = sys.argv[1].partition(":")
when, count = sys.argv[2], int(sys.argv[3])
owner = import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
real, calls = getattr(owner, name), []

def deadly(*arguments, **options):
    calls.append(None)
    if len(calls) == count and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*arguments, **options)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, deadly)
sys.argv[1:] = sys.argv[4:]
from foretaste.cli import main
main()
"""

TURN = "foretaste.pipelines.retraining.retrain"
ATOMIC = "foretaste.artifacts.atomic"
BEFORE_THE_MOVE = [
    ("read", f"{TURN}:read_log"),
    ("prepare", f"{TURN}:prepare_data"),
    ("prepare", f"{TURN}:hold_out"),
    ("check", f"{TURN}:check_merge"),
    ("check", f"{TURN}:check_data"),
    ("train", f"{TURN}:train"),
    ("train", "foretaste.pipelines.train:fit"),
    ("train", "foretaste.artifacts.writing:_write_files"),
    ("train", f"{ATOMIC}:finish"),
    ("train", "pathlib:Path.rename"),  # which gives a bundle its name
    ("guard", f"{TURN}:guard"),
    ("promote", "foretaste.artifacts.store:BundleStore.add_metrics"),
    ("promote", f"{ATOMIC}:replace_file"),
    ("promote", "foretaste.artifacts.store:append_verdict"),
    ("promote", "foretaste.artifacts.store:BundleStore.check"),
]
"""Step as the record tells it, and a function of it."""
AFTER_THE_MOVE = [
    ("promote", "after", "pathlib:Path.replace", 2),  # which moves the link: the one step
    ("promote", "after", f"{ATOMIC}:replace_link", 1),
    ("promote", "after", "foretaste.artifacts.store:BundleStore.promote", 1),
    ("promote", "after", "foretaste.pipelines.retraining.verdicts:promote", 1),
    ("promote", "after", f"{TURN}:act", 1),
    ("record", "before", f"{TURN}:append", 1),
]
POINTS = [
    *((step, when, function, 1, False) for step, function in BEFORE_THE_MOVE for when in ("before", "after")),
    ("promote", "before", f"{ATOMIC}:replace_link", 1, False),
    ("promote", "before", "pathlib:Path.symlink_to", 1, False),
    ("promote", "after", "pathlib:Path.symlink_to", 1, False),
    ("promote", "before", "pathlib:Path.replace", 1, False),  # which gives the manifest its figures
    ("promote", "before", "pathlib:Path.replace", 2, False),
    *((*point, True) for point in AFTER_THE_MOVE),
]


def killed(loop, function, when, count=1):
    command = [sys.executable, "-c", DRIVER, function, when, count, "retrain", loop.config_path]
    options = ["--artifacts", loop.artifacts]
    process = subprocess.run(
        [str(each) for each in (*command, *options)], capture_output=True, text=True, check=False, timeout=120
    )
    assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr


def call(*arguments):
    result = CliRunner().invoke(create_app(), [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def check_what_serves(loop, expected):
    assert loop.store.production_id() == expected
    assert loop.store.check() == expected
    told = json.loads(call("recommend", "--user", "u1", "--store", loop.artifacts / "bundles", "--json"))
    assert told["model_version"] == expected
    assert told["recommendations"]
    assert all(loop.store.check(each.bundle_id) for each in loop.store.list()), "every bundle is whole"
    assert not atomic.is_locked(loop.artifacts / "retraining" / "lock")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "when", "function", "count", "is_live"), POINTS, ids=lambda value: str(value).split(":")[-1]
)
def test_killed_at_any_step_the_loop_is_whole(loop, step, when, function, count, is_live):
    before = loop.store.production_id()
    killed(loop, function, when, count)
    ids = {each.bundle_id for each in loop.store.list()}
    (new,) = (ids - {before}) or {None}
    check_what_serves(loop, new if is_live else before)

    loop.people_click(seed=1, days=(3, 5), num_events=200, num_new_users=40)
    told = call("retrain", loop.config_path, "--artifacts", loop.artifacts, "--set", "guard.margin=0.9", "--json")
    after = json.loads(told.splitlines()[-1])
    assert after["outcome"] == "promoted", after["reasons"]
    check_what_serves(loop, after["challenger"])
    first, second = retrainings(loop.artifacts)
    assert (first.outcome, first.reasons) == ("interrupted", (f"its process was killed at the step '{step}'.",))
    assert (second.after, second.up_to) == (300 if is_live else 0, 500)
    assert not list(loop.artifacts.rglob(".unfinished-*")), "what the killed one left is cleared away"


@pytest.mark.slow
def test_killed_after_its_line_it_counts_as_done(loop):
    before = loop.store.production_id()
    killed(loop, f"{TURN}:append", "after")
    (record,) = retrainings(loop.artifacts)
    assert (record.outcome, record.champion) == ("promoted", before)
    check_what_serves(loop, record.challenger)
    told = json.loads(call("retrain", loop.config_path, "--artifacts", loop.artifacts, "--json").splitlines()[-1])
    assert (told["outcome"], told["after"]) == ("skipped", 300)
    assert [each.outcome for each in retrainings(loop.artifacts)] == ["promoted", "skipped"]
