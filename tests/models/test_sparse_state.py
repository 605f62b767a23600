import numpy as np
from scipy import sparse

from foretaste.models.sparse_state import pack, unpack


def test_what_was_packed_comes_back():
    matrix = sparse.csr_array(np.array([[0, 2, 0], [0, 0, 0]], dtype=np.float32))
    state = pack("similarity", matrix)
    assert sorted(state) == [f"similarity_{part}" for part in ("data", "indices", "indptr", "shape")]
    restored = unpack("similarity", {**state, "other": np.zeros(1)})
    assert restored.shape == (2, 3)
    np.testing.assert_array_equal(restored.toarray(), matrix.toarray())
    assert np.shares_memory(restored.data, matrix.data)
