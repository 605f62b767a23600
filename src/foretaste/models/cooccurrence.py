"""How often two items were met by the same user: the products of the columns of a users × items matrix.

Both kernels work item by item, each on its own row of the result, so that it does not depend on the number of threads.
"""

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray, IntArray
from foretaste.models.sparse_rows import Rows, rows_of


@numba.njit(cache=True, nogil=True)
def _add_products(item: int, users: Rows, items: Rows, product_I: DoubleArray) -> None:  # pragma: no cover
    for n in range(users.indptr[item], users.indptr[item + 1]):
        user, weight = users.indices[n], np.float64(users.data[n])
        for m in range(items.indptr[user], items.indptr[user + 1]):
            product_I[items.indices[m]] += weight * items.data[m]


@numba.njit(cache=True, parallel=True)
def _gram(users: Rows, items: Rows, gram_II: DoubleArray) -> None:  # pragma: no cover
    for item in numba.prange(len(gram_II)):
        _add_products(item, users, items, gram_II[item])


def gram_matrix(weights_UI: sparse.csr_array) -> DoubleArray:
    """gram_II = weightsᵀ · weights, dense, float64, C-contiguous."""
    num_items = weights_UI.shape[1]
    gram_II = np.zeros((num_items, num_items), dtype=np.float64)
    _gram(rows_of(weights_UI.T.tocsr()), rows_of(weights_UI), gram_II)
    return gram_II


@numba.njit(cache=True, nogil=True)
def _insert(
    item: int, similarity: np.float32, held: int, item_K: IntArray, similarity_K: FloatArray
) -> int:  # pragma: no cover
    """Put an item among the `held` best, which are in order; equal ones stay behind those that came first."""
    if held < len(item_K):
        slot = held
        held += 1
    elif similarity > similarity_K[held - 1]:
        slot = held - 1
    else:
        return held
    while slot > 0 and similarity_K[slot - 1] < similarity:
        item_K[slot], similarity_K[slot] = item_K[slot - 1], similarity_K[slot - 1]
        slot -= 1
    item_K[slot], similarity_K[slot] = item, similarity
    return held


@numba.njit(cache=True, parallel=True)
def _nearest(
    users: Rows,
    items: Rows,
    norm_I: DoubleArray,
    shrinkage: float,
    num_workers: int,
    neighbor_IK: IntArray,
    similarity_IK: FloatArray,
) -> None:  # pragma: no cover
    num_items = len(neighbor_IK)
    for worker in numba.prange(num_workers):
        product_I = np.zeros(num_items, dtype=np.float64)
        for item in range(worker, num_items, num_workers):
            _add_products(item, users, items, product_I)
            held = 0
            for other in range(num_items):
                product, product_I[other] = product_I[other], 0.0
                if product > 0.0 and other != item:
                    similarity = np.float32(product / (norm_I[item] * norm_I[other] + shrinkage))
                    held = _insert(other, similarity, held, neighbor_IK[item], similarity_IK[item])


def nearest_items(weights_UI: sparse.csr_array, neighbors: int, shrinkage: float) -> sparse.csr_array:
    """similarity_II, float32: row i holds the `neighbors` items most similar to item i, itself left out.

    The similarity is xᵢ·xⱼ / (|xᵢ| |xⱼ| + shrinkage), x the columns of the matrix; only positive ones count. Among
    equal similarities the lower item index is the nearer. Memory: items × neighbors × 8 bytes, and a row of float64 a
    thread.
    """
    num_items = weights_UI.shape[1]
    neighbor_IK = np.full((num_items, min(neighbors, num_items)), -1, dtype=np.int32)
    similarity_IK = np.zeros(neighbor_IK.shape, dtype=np.float32)
    norm_I = np.sqrt(np.asarray(weights_UI.astype(np.float64).power(2).sum(axis=0)))
    _nearest(
        rows_of(weights_UI.T.tocsr()),
        rows_of(weights_UI),
        norm_I,
        shrinkage,
        numba.get_num_threads(),
        neighbor_IK,
        similarity_IK,
    )
    is_filled_IK = neighbor_IK >= 0
    indptr = np.concatenate([[0], np.cumsum(is_filled_IK.sum(axis=1))])
    matrix = sparse.csr_array((similarity_IK[is_filled_IK], neighbor_IK[is_filled_IK], indptr), shape=(num_items,) * 2)
    matrix.sort_indices()
    return matrix
