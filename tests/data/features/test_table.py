import numpy as np
from numpy.testing import assert_allclose
from scipy import sparse

from foretaste.data.features.table import DenseColumn, FeatureTable, row_shares

ITEMS = FeatureTable(
    (DenseColumn("year", "number", "year"),),
    np.array([[1.0], [2.0], [6.0]], dtype=np.float32),
    {"author": sparse.csr_array(np.array([[1, 0], [0.5, 0.5], [0, 0]], dtype=np.float32))},
)


def histories(rows):
    return sparse.csr_array(np.array(rows, dtype=np.float32))


def test_means_over_a_history_by_hand():
    means = ITEMS.means_over(histories([[1, 1, 0], [0, 3, 1], [0, 0, 0]]))
    assert_allclose(means.dense_XF[:, 0], [1.5, (3 * 2 + 6) / 4, 0])
    # The third item has no author and takes no part.
    assert_allclose(means.bags["history author"].toarray(), [[0.75, 0.25], [0.5, 0.5], [0, 0]])
    assert means.columns == (DenseColumn("history year", "number", "year", of_history=True),)


def test_a_mean_does_not_depend_on_the_other_rows():
    rng = np.random.default_rng(0)
    dense = rng.random((50, 7), dtype=np.float32)
    items = FeatureTable(tuple(DenseColumn(str(n), "number", "x") for n in range(7)), dense, {})
    history = sparse.random_array((20, 50), density=0.3, rng=rng, dtype=np.float32).tocsr()
    whole = items.means_over(history).dense_XF
    assert all((items.means_over(history[[row]]).dense_XF[0] == whole[row]).all() for row in range(20))


def test_tables_beside_each_other_and_rows_of_them():
    both = FeatureTable.beside(3, [ITEMS, FeatureTable((), np.zeros((3, 0), np.float32), {})])
    assert both.take(np.array([2, 0])).dense_XF.tolist() == [[6], [1]]
    assert both.take(np.array([False, True, False])).bags["author"].toarray().tolist() == [[0.5, 0.5]]
    assert FeatureTable.beside(4, []).dense_XF.shape == (4, 0)


def test_shares_of_a_row_without_weight_are_zero():
    shares = row_shares(histories([[0, 0], [2, 6]])).toarray()
    assert_allclose(shares, [[0, 0], [0.25, 0.75]])
