import numpy as np
import polars as pl
from scipy import sparse

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.diagnostics.metadata import categories_of, liked

ITEMS = Vocabulary.of(["a", "b", "c", "d"])
NOBODY = Interactions(
    np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32), None, Vocabulary.of(["u"]), ITEMS
)


def dataset(**columns):
    return Dataset(NOBODY, pl.DataFrame({"item_id": ITEMS.ids, **columns}), SourceInfo("tiny"))


def test_lists_and_single_values_become_a_matrix_each():
    genres, author = categories_of(
        dataset(genres=[["War", "Art", "War"], [], None, ["Art"]], author=["x", None, " ", "y"])
    )
    assert (genres.column, genres.names) == ("genres", ["Art", "War"])
    assert genres.has_IC.toarray().tolist() == [[1, 1], [0, 0], [0, 0], [1, 0]]
    assert author.names == ["x", "y"]
    assert author.is_known_I.tolist() == [True, False, False, True]


def test_a_catalogue_that_says_nothing_has_no_categories():
    assert categories_of(dataset()) == []
    assert categories_of(dataset(genres=pl.Series([None, [], None, []], dtype=pl.List(pl.String)))) == []


def test_a_user_likes_what_is_a_larger_share_of_the_own_events_than_of_everybodys():
    (genres,) = categories_of(dataset(genres=[["A"], ["A"], ["B"], ["B", "C"]]))
    # Events: user 0 has a, b, c: A 2/3, B 1/3. User 1 has c, d: B 2/3, C 1/3. Together A 2/6, B 3/6, C 1/6.
    all_UI = sparse.csr_array(np.array([[5, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]], dtype=np.float32))
    told = liked(all_UI, all_UI, genres).toarray()
    np.testing.assert_allclose(told, [[2, 0, 0], [0, 4 / 3, 2], [0, 0, 0]], rtol=1e-6)
