import numpy as np
import pytest
from scipy import sparse

from foretaste.models.sparse_rows import rows_of, with_short_indices


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_types_are_always_the_same(index_dtype):
    matrix = sparse.csr_array(
        (np.array([1.0, 2.0]), np.array([1, 0], dtype=index_dtype), np.array([0, 1, 2], dtype=index_dtype)),
        shape=(2, 2),
    )
    rows = rows_of(matrix)
    assert [array.dtype for array in rows] == [np.int64, np.int32, np.float32]
    assert not any(array.flags.writeable for array in rows)
    assert [array.tolist() for array in rows] == [[0, 1, 2], [1, 0], [1, 2]]


def test_arrays_of_the_right_type_are_not_copied():
    matrix = sparse.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(rows_of(matrix).data, matrix.data)
    assert matrix.data.flags.writeable


def test_with_short_indices_no_entry_is_copied():
    identity = sparse.csr_array(np.eye(3, dtype=np.float32))
    long = sparse.csr_array(
        (identity.data, identity.indices.astype(np.int64), identity.indptr.astype(np.int64)), shape=(3, 3)
    )
    assert long.indices.dtype == np.int64
    short = with_short_indices(long)
    np.testing.assert_array_equal(short.toarray(), long.toarray())
    assert np.shares_memory(rows_of(short).indices, short.indices)
    assert np.shares_memory(rows_of(short).data, long.data)
