"""Small worlds from end to end: real services, real retrainings, and a page that a browser shows."""

import json

import pytest
from typer.testing import CliRunner

from foretaste.cli import create_app
from foretaste.config import config_of
from foretaste.errors import ArtifactError
from foretaste.pipelines.simulation.settings import SimulationConfig, built_in
from foretaste.pipelines.simulation.simulate import simulate

SMALL = (
    "weeks=3",
    "seeds=2",
    "experiment.data.num_users=400",
    "experiment.data.num_items=300",
    "experiment.data.num_interactions=24000",
    "experiment.data.days=56",
    "experiment.models.als.embedding_dim=16",
    "people.visits_per_week=700",
    "guard.min_users=40",
    "guard.margin=0.3",
    "guard.slice_margin=0.5",
    "guard.budgets.requests=20",
    "guard.replay=null",
    "plants=[{after_week: 2, fault: shuffled}]",
)


def config(*overrides):
    return config_of([*SMALL, *overrides], SimulationConfig, built_in())


def test_a_folder_that_is_there_is_not_written_to(tmp_path):
    with pytest.raises(ArtifactError, match="--out"):
        simulate(config(), tmp_path, "foretaste simulate")


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    return simulate(config(), tmp_path_factory.mktemp("simulation") / "out", "foretaste simulate")


@pytest.mark.slow
def test_good_trainings_are_promoted_and_spoiled_ones_refused(lived):
    for world in lived.worlds:
        first, second = world.events
        assert (first.day, first.decision, first.planted) == (7, "promoted", None)
        assert (second.day, second.decision, second.planted) == (14, "refused", "shuffled")
        assert second.reasons[0]
        versions = [bundle.bundle_id for bundle in _store(lived, world).list()]
        assert _store(lived, world).production_id() in versions


def _store(lived, world):
    from foretaste.artifacts.store import BundleStore

    return BundleStore(lived.folder / f"world-{world.seed}" / "retrained" / "bundles")


@pytest.mark.slow
def test_arms_are_alike_until_the_first_training_and_the_oracle_is_above(lived):
    for world in lived.worlds:
        never, loop, oracle = world.arms.values()
        assert never[0] == loop[0], "the same bundle, people and coins"
        assert never[1] != loop[1]
        for ours, best in zip(loop, oracle, strict=True):
            assert best.expected_clicks > ours.expected_clicks
        assert never[2].num_shown_new == 0, "what is not in its catalogue it cannot show"
        assert loop[2].num_shown_new > 0


@pytest.mark.slow
def test_the_same_seed_lives_the_same_weeks(lived, tmp_path):
    again = simulate(config(), tmp_path / "again", "foretaste simulate")
    assert [world.arms for world in again.worlds] == [world.arms for world in lived.worlds]


@pytest.mark.slow
def test_the_log_is_dated_by_the_weeks_that_were_simulated(lived):
    import sqlalchemy as sa

    engine = sa.create_engine(f"sqlite:///{lived.folder}/world-0/retrained/log.db")
    with engine.connect() as connection:
        first, last, count = connection.execute(
            sa.text("select min(timestamp), max(timestamp), count(*) from requests where endpoint = '/recommend'")
        ).one()
    start, end = lived.config.start_seconds, lived.config.world(0).end_seconds
    assert start <= first <= last < end
    assert count == 3 * 700
    moves = (lived.folder / "world-0/retrained/bundles/promotions.jsonl").read_text().splitlines()
    assert all(json.loads(move)["timestamp"].startswith("2023-") for move in moves)


@pytest.mark.slow
def test_a_bad_model_that_was_promoted_by_hand_is_rolled_back_within_the_week(tmp_path):
    hand = "plants=[{after_week: 2, fault: unguarded}]"
    lived = simulate(config(hand, "people.visits_per_week=1500"), tmp_path / "out", "foretaste simulate")
    for world in lived.worlds:
        decisions = {event.decision: event.day for event in world.events}
        assert decisions["promoted by hand"] == 14
        assert 14 < decisions["rolled back"] <= 20


@pytest.mark.slow
def test_the_command_prints_one_line_of_json(tmp_path):
    options = [part for one in SMALL for part in ("--set", one)]
    result = CliRunner().invoke(
        create_app(),
        ["simulate", "--weeks", "1", "--out", str(tmp_path / "out"), *options, "--set", "weeks=1", "--json"],
    )
    assert result.exit_code == 0, result.exception
    told = json.loads(result.stdout)
    assert told["weeks"] == 1
    assert len(told["worlds"]) == 2
    assert (tmp_path / "out" / "config.yaml").exists()
    assert told["page"] == str(tmp_path / "out" / "report.html")
