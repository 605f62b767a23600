import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from foretaste.data.features import FeaturesConfig, FittedFeatures, fit_features
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import DataError

CATALOGUE = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Star Wars", "Star Trek", None, "Solaris"],
        "year": [1977, 1979, None, 1972],
        "genres": [["War"], ["War", "Drama"], [], ["Drama"]],
        "price": [1.0, 3.0, 8.0, None],
        "url": ["u1", "u2", "u3", "u4"],
    },
    schema_overrides={"year": pl.Int32},
)
USERS = pl.DataFrame({"user_id": ["1", "2", "3"], "age": [20, 40, 40], "job": ["cook", "cook", "judge"]})
PAIRS = [(0, 0), (0, 1), (1, 1), (1, 2)]  # item d and user 3 have no event
CONFIG = FeaturesConfig(min_rows=1)


def dataset(catalogue=CATALOGUE, users=USERS, pairs=PAIRS):
    user_N, item_N = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    events = Interactions(
        user_N,
        item_N,
        np.ones(len(pairs), dtype=np.float32),
        None,
        Vocabulary(pl.Series(["1", "2", "3"])),
        Vocabulary(catalogue["item_id"]),
    )
    return Dataset(events, catalogue, SourceInfo("test"), users)


def encoded(fitted, data):
    items = fitted.encode_items(data.catalogue, data.interactions.item_counts())
    return items, fitted.encode_users(data.users, data.interactions.to_csr(), items)


def same(table, other):
    assert table.columns == other.columns
    assert (table.dense_XF == other.dense_XF).all()
    assert table.bags.keys() == other.bags.keys()
    assert all((table.bags[name] != other.bags[name]).nnz == 0 for name in table.bags)


def column(table, name):
    return table.dense_XF[:, [column.name for column in table.columns].index(name)]


def test_z_scores_are_of_the_items_with_events():
    items, _ = encoded(fit_features(dataset(), CONFIG), dataset())
    # Prices of a, b, c: mean 4, squared distances 9, 1, 16.
    assert_allclose(column(items, "price"), np.array([-3, -1, 4, 0]) / np.sqrt(26 / 3), rtol=1e-6)


def test_popularity_is_the_logarithm_of_the_events_and_the_mean_where_there_are_none():
    items, _ = encoded(fit_features(dataset(), CONFIG), dataset())
    log_I = np.log1p([1, 2, 1])
    assert_allclose(column(items, "popularity"), [*(log_I - log_I.mean()) / log_I.std(), 0], rtol=1e-6)


def test_users_are_what_they_met():
    fitted = fit_features(dataset(), CONFIG)
    items, users = encoded(fitted, dataset())
    price_I = column(items, "price").astype(float)
    mean_U = np.array([price_I[:2].mean(), price_I[1:3].mean()])
    expected = (mean_U - mean_U.mean()) / mean_U.std()
    assert_allclose(column(users, "history price"), [*expected, 0], rtol=1e-5)
    assert column(users, "job=cook").tolist() == [1, 1, 0]


def test_identifiers_are_left_out_unless_they_are_named():
    items, _ = encoded(fit_features(dataset(), CONFIG), dataset())
    assert "url" not in {column.source for column in items.columns}
    named = fit_features(dataset(), FeaturesConfig(item_columns=("url",), min_rows=1))
    assert [encoder.column for encoder in named.items] == ["url"]


def test_rows_without_training_events_teach_nothing():
    strange = {"title": "Zardoz 9", "year": 3000, "genres": ["Horror"], "price": 1e6}
    changed = CATALOGUE.with_columns(
        pl.when(pl.col("item_id") == "d").then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in strange.items()
    )
    other_user = USERS.with_columns(pl.when(pl.col("user_id") == "3").then(99).otherwise(pl.col("age")).alias("age"))
    assert fit_features(dataset(), CONFIG) == fit_features(dataset(changed, other_user), CONFIG)


def test_the_state_encodes_alike():
    fitted = fit_features(dataset(), FeaturesConfig(min_rows=1, embed_above=0))
    again = FittedFeatures.from_state(fitted.state())
    assert again == fitted
    for table, other in zip(encoded(fitted, dataset()), encoded(again, dataset()), strict=True):
        same(table, other)


def test_an_item_of_a_later_catalogue_with_anything_missing():
    fitted = fit_features(dataset(), CONFIG)
    later = pl.DataFrame({"item_id": ["new", "newer"], "genres": [["War"], ["Western"]], "colour": ["red", None]})
    items = fitted.encode_items(later)
    assert column(items, "genres=war").tolist() == [1, 0]
    assert column(items, "title words is missing").tolist() == [1, 1]
    assert np.isfinite(items.dense_XF).all()


def test_a_user_of_whom_nothing_is_known_but_a_history():
    data = dataset()
    fitted = fit_features(data, CONFIG)
    items, users = encoded(fitted, data)
    unknown = fitted.encode_users(None, data.interactions.to_csr()[[1]], items)
    assert unknown.columns == users.columns
    assert column(unknown, "history price")[0] == column(users, "history price")[1]
    assert column(unknown, "job=cook")[0] == 0


def test_data_without_anything_beside_the_events():
    bare = dataset(CATALOGUE.select("item_id"), None)
    items, users = encoded(fit_features(bare, CONFIG), bare)
    assert [column.name for column in items.columns] == ["popularity"]
    assert [column.name for column in users.columns] == ["history popularity"]
    nothing = fit_features(bare, FeaturesConfig(popularity=False, history_means=False))
    assert encoded(nothing, bare)[1].dense_XF.shape == (3, 0)


def test_no_events_at_all():
    items, users = encoded(fit_features(dataset(pairs=[]), CONFIG), dataset(pairs=[]))
    assert np.isfinite(items.dense_XF).all()
    assert (users.dense_XF == 0).all()


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(DataError, match=r"features\.item_columns names 'gerne'.*title, year, genres, price, url"):
        fit_features(dataset(), FeaturesConfig(item_columns=("gerne",)))


def test_a_type_that_is_no_feature_is_refused():
    odd = CATALOGUE.with_columns(pl.struct("price").alias("box"))
    with pytest.raises(DataError, match=r"features\.item_columns names 'box', whose values are Struct"):
        fit_features(dataset(odd), FeaturesConfig(item_columns=("box",)))
    assert "box" not in {encoder.column for encoder in fit_features(dataset(odd), CONFIG).items}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=6)),
            st.one_of(st.none(), st.integers(-5, 5)),
            st.one_of(st.none(), st.lists(st.sampled_from("abc"), max_size=3)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.randoms(),
)
def test_a_permutation_of_rows_permutes_the_features(rows, random):
    schema = {"title": pl.String, "year": pl.Int32, "genres": pl.List(pl.String)}
    catalogue = pl.DataFrame(rows, schema=schema, orient="row")
    catalogue = catalogue.insert_column(0, pl.Series("item_id", [str(n) for n in range(len(rows))]))
    fitted = fit_features(
        dataset(catalogue, None, [(0, n) for n in range(len(rows))]), FeaturesConfig(min_rows=1, embed_above=1)
    )
    order = random.sample(range(len(rows)), len(rows))
    same(fitted.encode_items(catalogue[order]), fitted.encode_items(catalogue).take(np.array(order)))
