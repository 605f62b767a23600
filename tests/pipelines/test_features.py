import json

import numpy as np
import polars as pl
import pytest

from foretaste.data.features import FeaturesConfig, FittedFeatures
from foretaste.models.sparse_state import unpack
from foretaste.pipelines.experiment import divide
from foretaste.pipelines.features import build_features, describe_features, features_config, write_features
from foretaste.pipelines.narration import Silence


@pytest.fixture
def built(small_config):
    divided = divide(small_config(), Silence())
    return build_features(divided.dataset(divided.split.train), FeaturesConfig(ngram_words=1))


def test_a_config_without_features_gets_the_defaults(small_config):
    assert features_config(small_config()) == FeaturesConfig()


def test_every_column_is_told_with_its_figures_over_the_training_rows(built):
    told = {(row["of"], row["name"]): row for row in describe_features(built)}
    events, catalogue = built.dataset.interactions, built.dataset.catalogue
    is_trained_I = events.item_counts() > 0
    assert len(told) == sum(len(table.columns) + len(table.bags) for table in (built.items, built.users))
    year = told["item", "year"]
    assert (year["kind"], year["mean"], year["stdev"]) == ("number", pytest.approx(0, abs=1e-5), pytest.approx(1))
    genre = catalogue["genres"].explode().drop_nulls().mode().sort()[0]
    share = catalogue.filter(is_trained_I)["genres"].list.contains(genre).mean()
    assert told["item", f"genres={genre.lower()}"]["mean"] == pytest.approx(share, abs=1e-5)
    title = told["item", "title"]
    assert (title["kind"], title["slots"]) == ("bag", built.items.bags["title"].shape[1])
    assert ("user", "history year") in told
    json.dumps(list(told.values()), allow_nan=False)


def test_missing_values_are_counted_in_the_column_that_they_miss_from(built):
    catalogue = built.dataset.catalogue.with_columns(
        pl.lit(None, dtype=pl.Int32).alias("year"), pl.lit([], dtype=pl.List(pl.String)).alias("genres")
    )
    bare = type(built)(built.fitted, _with_catalogue(built.dataset, catalogue), built.items, built.users)
    told = {row["name"]: row["missing_share"] for row in describe_features(bare) if row["of"] == "item"}
    assert told["year"] == 1
    assert all(share == 1 for name, share in told.items() if name.startswith("genres="))
    assert told["popularity"] == told["title words"] == 0


def test_what_is_written_can_be_read_again(built, tmp_path):
    for _ in range(2):  # the second time replaces the first
        folder = write_features(built, tmp_path, "small")
    users = pl.read_parquet(folder / "users.parquet")
    assert users["user_id"].to_list() == built.dataset.interactions.users.ids.to_list()
    assert (users.drop("user_id").to_numpy() == built.users.dense_XF).all()
    with np.load(folder / "item_bags.npz", allow_pickle=False) as archive:
        bag = unpack("title", dict(archive))
    assert (bag != built.items.bags["title"]).nnz == 0
    assert FittedFeatures.model_validate_json((folder / "fitted.json").read_text()) == built.fitted


def _with_catalogue(dataset, catalogue):
    return type(dataset)(dataset.interactions, catalogue, dataset.info, dataset.users)
