from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from foretaste.data.sources.synthetic import SyntheticConfig, World, chunks, make_world, read, write_csv

SMALL = SyntheticConfig(num_users=300, num_items=240, num_interactions=6_000, seed=7)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SMALL)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return pl.concat(chunks(SMALL))


def test_there_are_as_many_rows_as_asked_for(rows):
    assert rows.schema == {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "timestamp": pl.Int64}
    assert len(rows) == 6_000
    assert rows.null_count().sum_horizontal().item() == 0


def test_the_same_seed_gives_the_same_rows_whatever_the_size_of_a_chunk(rows):
    pieces = list(chunks(SMALL, rows_per_chunk=500))
    assert len(pieces) > 10
    assert all(len(piece) <= 500 for piece in pieces)
    assert pl.concat(pieces).equals(rows)


def test_a_user_with_more_rows_than_a_chunk_comes_whole(rows):
    pieces = list(chunks(SMALL, rows_per_chunk=1))
    assert [piece["user_id"].n_unique() for piece in pieces if len(piece)] == [1] * rows["user_id"].n_unique()


def test_another_seed_gives_other_rows(rows):
    assert not pl.concat(chunks(SMALL.model_copy(update={"seed": 8}))).equals(rows)


def test_nothing_happens_before_a_user_arrives_or_an_item_is_released(world, rows):
    user = rows["user_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    item = rows["item_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    timestamp = rows["timestamp"].to_numpy()
    assert (timestamp >= world.arrival_seconds_U[user]).all()
    assert (timestamp >= world.release_seconds_I[item]).all()
    assert timestamp.max() < SMALL.end_seconds


def test_late_users_and_items_appear_in_the_last_fifth_only(world):
    first_late = SMALL.end_seconds - 0.2 * 730 * 86_400
    assert (world.arrival_seconds_U >= first_late).sum() == 30
    assert (world.release_seconds_I >= first_late - 86_400).sum() == 24


def test_late_ones_come_as_late_as_asked(world):
    config = SMALL.model_copy(update={"late_after": 0.25})
    sooner = make_world(config)
    late_from = SMALL.end_seconds - 0.75 * 730 * 86_400
    assert (sooner.arrival_seconds_U >= late_from).sum() == 30
    assert (sooner.release_seconds_I >= late_from - 86_400).sum() == 24
    assert (sooner.taste_end_UD == world.taste_end_UD).all()


def test_almost_no_pair_is_repeated(rows):
    assert rows.select("user_id", "item_id").n_unique() > 0.99 * len(rows)


def test_exposure_bias_makes_the_tail_long(rows):
    def share_of_the_top_tenth(frame: pl.DataFrame) -> float:
        counts = frame["item_id"].value_counts(sort=True)["count"]
        return counts.head(24).sum() / counts.sum()

    unbiased = pl.concat(chunks(SMALL.model_copy(update={"exposure_bias": 0.0})))
    assert share_of_the_top_tenth(rows) > 1.3 * share_of_the_top_tenth(unbiased)


def test_people_choose_and_rate_what_they_like(world, rows):
    user = rows["user_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    item = rows["item_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    chosen = world.preference(user, rows["timestamp"].to_numpy())[np.arange(len(rows)), item]
    assert chosen.mean() > 2 * world.preference(np.arange(300), SMALL.end_seconds).mean()
    # A rating is 1 + Binomial(4, preference): its mean over 6,000 rows is within four standard errors of the truth.
    error = rows["rating"].to_numpy() - (1 + 4 * chosen)
    assert abs(error.mean()) < 4 * np.sqrt((4 * chosen * (1 - chosen)).mean() / len(rows))


def test_preference_is_the_logistic_of_affinity(world):
    affinity = world.taste_start_UD[3] @ world.item_ID[5] + world.quality_I[5]
    begin = SMALL.end_seconds - 730 * 86_400
    assert world.preference(np.array([3]), begin)[0, 5] == pytest.approx(1 / (1 + np.exp(-affinity)), rel=1e-5)


def test_tastes_drift_by_as_much_as_the_config_says():
    def correlation(drift: float) -> float:
        drifting = make_world(SyntheticConfig(num_users=5_000, taste_drift=drift))
        return float(np.corrcoef(drifting.taste_start_UD[:, -1], drifting.taste_end_UD[:, -1])[0, 1])

    assert correlation(0.0) == pytest.approx(1.0)
    assert correlation(0.3) == pytest.approx(0.7, abs=0.03)
    assert correlation(1.0) == pytest.approx(0.0, abs=0.05)


def test_titles_are_unique_and_readable():
    large = make_world(SyntheticConfig(num_users=10, num_items=20_000, num_interactions=10))
    assert large.titles.n_unique() == 20_000
    assert large.titles.str.contains(r"^The [A-Z][a-z]+ [A-Z][A-Za-z-]+( \d+)?$").all()


def test_read_gives_canonical_tables(rows):
    tables = read(SMALL)
    items, users = tables.items.collect().to_native(), tables.users.collect().to_native()
    assert tables.interactions.collect().to_native().equals(rows)
    assert tables.info.item_noun == "movie"
    assert tables.rows_read == 6_000
    assert items.schema == {
        "item_id": pl.String,
        "title": pl.String,
        "year": pl.Int32,
        "genres": pl.List(pl.String),
        "release_date": pl.String,
    }
    assert len(items) == 240
    assert set(items["genres"].list.len()) == {1, 2, 3}
    assert (items["release_date"].str.slice(0, 4).cast(pl.Int32) == items["year"]).all()
    assert len(users) == 300
    assert users["age_band"].n_unique() == 5


def test_the_checksum_follows_the_settings():
    assert read(SMALL).info.checksum != read(SMALL.model_copy(update={"taste_drift": 0.4})).info.checksum


def test_write_csv_reads_back(tmp_path: Path, rows):
    write_csv(SMALL, tmp_path / "log.csv", rows_per_chunk=1_000)
    assert pl.read_csv(tmp_path / "log.csv", schema=rows.schema).equals(rows)


def test_more_rows_than_the_world_can_hold_are_refused():
    with pytest.raises(ValidationError, match=r"at most 2,500, a quarter of all pairs; raise num_users or num_items"):
        SyntheticConfig(num_users=100, num_items=100, num_interactions=2_501)


def test_an_item_to_item_model_beats_popularity():
    # The world must be worth modelling: what users took before says more about what they take next than what sells.
    config = SyntheticConfig(num_users=1_000, num_items=400, num_interactions=30_000)
    frame = pl.concat(chunks(config)).sort("timestamp", maintain_order=True)
    user = frame["user_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    item = frame["item_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    cut = 27_000
    seen_UI, next_UI = np.zeros((1_000, 400)), np.zeros((1_000, 400))
    seen_UI[user[:cut], item[:cut]] = 1
    next_UI[user[cut:], item[cut:]] = 1

    def hits(scores_UI: np.ndarray) -> float:
        top_UK = np.argsort(-np.where(seen_UI > 0, -np.inf, scores_UI), axis=1, kind="stable")[:, :10]
        return float(np.take_along_axis(next_UI, top_UK, axis=1).sum())

    gram_II = seen_UI.T @ seen_UI + 300 * np.eye(400)
    inverse_II = np.linalg.inv(gram_II)
    weights_II = -inverse_II / np.diag(inverse_II)
    np.fill_diagonal(weights_II, 0)
    popularity_UI = np.broadcast_to(seen_UI.sum(axis=0), seen_UI.shape)
    assert hits(seen_UI @ weights_II) > 1.4 * hits(popularity_UI)


def test_random_ratings_follow_taste_and_not_the_shelf():
    config = SyntheticConfig(num_users=300, num_items=60, num_interactions=4000, truth_items=20, taste_drift=0)
    world = make_world(config)
    truth = read(config).truth.collect(backend="polars").to_native()
    assert truth.group_by("user_id").len()["len"].to_list() == [20] * 300
    assert truth.unique(["user_id", "item_id"]).height == 300 * 20
    shown = truth.group_by("item_id").len()["len"].to_numpy()
    assert shown.min() > 60  # 100 each on average, whatever the attention: the least draws of 60 binomials are near 77
    liking = world.preference(np.arange(300), config.end_seconds)
    user, item = (truth[name].str.slice(1).cast(pl.Int64).to_numpy() - 1 for name in ("user_id", "item_id"))
    expected = 1 + 4 * liking[user, item]
    # The error of a mean of 6,000 ratings, each with a variance of at most 1, is near 0.01.
    assert truth["rating"].mean() == pytest.approx(expected.mean(), abs=0.05)
    assert np.corrcoef(truth["rating"].to_numpy(), expected)[0, 1] > 0.7


def test_the_truth_changes_nothing_of_the_log():
    with_truth = SyntheticConfig(num_users=50, num_items=30, num_interactions=300, truth_items=5)
    without = with_truth.model_copy(update={"truth_items": 0})
    first, second = read(with_truth), read(without)
    assert first.info.checksum == second.info.checksum
    assert first.interactions.collect().to_native().equals(second.interactions.collect().to_native())
    assert second.truth is None
    with pytest.raises(ValidationError, match="truth_items is 31, of 30 items"):
        SyntheticConfig(num_users=50, num_items=30, num_interactions=300, truth_items=31)
