from pathlib import Path

import polars as pl
import pytest

from foretaste.config import config_of, load_config
from foretaste.errors import ConfigError
from foretaste.pipelines.simulation.settings import SimulationConfig, built_in
from foretaste.pipelines.simulation.shop import export, shuffled, truncated

CONFIG = Path(__file__).parents[3] / "configs/simulate.yaml"


def test_the_shipped_config_is_the_built_in_one():
    assert load_config(CONFIG, SimulationConfig) == config_of([], SimulationConfig, built_in())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("weeks=16", "16 weeks of a world of 112 days leave none to learn from"),
        ("experiment.data={source: coat, path: coat.zip}", "expected source: synthetic"),
        ("experiment.models.ease={}", "expected the one model to train, not 2"),
        ("experiment.feedback={log: 'sqlite:///log.db'}", "experiment.feedback: expected none"),
        ("plants=[{after_week: 1, fault: shuffled}, {after_week: 1, fault: truncated}]", "at most one for each week"),
        ("plants=[{after_week: 1, fault: broken}]", "plants"),
        ("seeds=1", "seeds"),
        ("peple={}", "did you mean 'people'"),
    ],
)
def test_what_cannot_be_simulated_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        config_of([override], SimulationConfig, built_in())


def test_spoiled_data_is_spoiled(rows):
    wrong = shuffled(rows, seed=0)
    assert wrong.drop("user_id").equals(rows.drop("user_id"))
    assert wrong["user_id"].sort().equals(rows["user_id"].sort()), "each user keeps as many events"
    assert (wrong["user_id"] == rows["user_id"]).mean() < 0.1
    short = truncated(rows)
    assert len(short) == 100
    assert short["timestamp"].max() <= rows["timestamp"].sort()[99]


def test_the_shop_lists_what_is_out_and_who_is_there(world, rows, start, tmp_path):
    config = export(world, rows, tmp_path / "shop", start - 1)
    assert len(pl.read_parquet(config.items_path)) == 30
    assert len(pl.read_parquet(config.users_path)) == 45
    export(world, rows, tmp_path / "shop", world.config.end_seconds)
    assert len(pl.read_parquet(config.items_path)) == 40
