import json

import yaml
from rich.console import Console

from foretaste.cli import estimate
from foretaste.pipelines.estimate import Estimate

SMALL = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"als": {"embedding_dim": 4, "iterations": 2}},
}


def test_what_a_run_will_take_as_a_table_and_as_json(foretaste, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    shown = foretaste("estimate", path)
    assert shown.exit_code == 0, shown.output
    for word in ("one fit", "memory", "als", "in all"):
        assert word in shown.stdout
    (told,) = json.loads(foretaste("estimate", path, "--json").stdout)
    assert told["label"] == "als"
    assert told["total_seconds"] > 0


def test_seconds_that_are_none_are_wrong_use(shell, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    result = shell("estimate", path, "--seconds", "0")
    assert result.returncode == 2
    assert "expected more than 0" in result.stderr


def test_a_total_without_a_model_says_so(capsys):
    found = [Estimate("popularity", fit_seconds=1.0, is_measured=True, judge_seconds=0.5), Estimate("two_tower")]
    estimate._print(Console(width=100), found)
    assert "in all    ? (1.5 s without two_tower)" in capsys.readouterr().out
