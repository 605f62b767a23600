"""The nearest items of a large catalogue by FAISS: an inverted file of the item vectors, scaled to length 1.

A catalogue is cut into cells, and a search looks into the few whose centres are nearest (Jégou et al., "Product
quantization for nearest neighbor search", PAMI 2011, without the compression). How many that must be is found when the
index is built: as few as give ten nearest items of which `LOWEST_RECALL` are the true ones. Where a share of the cells
that is worth searching does not reach that, the index is refused, and exact search answers.

FAISS is needed to build and to search (extra `ann`); without it, exact search answers, too.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.arrays import FloatArray, IntArray
from foretaste.retrieval.inner_product import unit_rows
from foretaste.settings import Settings

INDEX_FILE = "item_index.faiss"
FEWEST_ITEMS = 100_000
"""Smaller catalogues are searched exactly (`docs/decisions/0007-faiss-above-100000-items.md`)."""
LOWEST_RECALL = 0.98
INSTALL = "pip install 'foretaste[ann]'"

_NEAREST = 10
_NUM_QUERIES = 500
_FEWEST_PROBES = 4
_LARGEST_SHARE = 8
"""One cell in so many is the most that a search may look into."""
_TOLERANCE = 1e-6


class ItemIndex(Settings):
    """What a bundle's manifest says of its index."""

    is_served: bool
    """Whether `item_index.faiss` is there; if not, exact search answers and `note` says why."""
    note: str
    cells: int = 0
    """Into how many the catalogue is cut."""
    probes: int = 0
    """How many of them a search looks into."""
    recall_at_10: float | None = None
    """Share of the true ten nearest items among those found, the mean over `queries` items."""
    queries: int = 0


def is_installed() -> bool:
    """Whether FAISS is there."""
    return find_spec("faiss") is not None


def build(vectors_ID: FloatArray, folder: Path) -> ItemIndex:
    """Build an index of a catalogue, measure it, and write `item_index.faiss` where it is good enough.

    Args:
        vectors_ID: float32.
        folder: where the file goes.
    """
    if not is_installed():
        return ItemIndex(is_served=False, note=f"faiss is not installed; `{INSTALL}` brings it. Exact search answers.")
    import faiss

    unit_ID = unit_rows(np.ascontiguousarray(vectors_ID, dtype=np.float32))
    num_items, dim = unit_ID.shape
    cells = max(1, int(4 * np.sqrt(num_items)))
    index: Any = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 10, 64, 1
    index.train(unit_ID)
    index.add(unit_ID)
    item_Q = np.random.default_rng(0).choice(num_items, min(_NUM_QUERIES, num_items), replace=False)
    exact = faiss.IndexFlatIP(dim)
    exact.add(unit_ID)
    worst_Q = _nearest_scores(exact, unit_ID, item_Q)[:, -1]
    recall, probes = 0.0, _FEWEST_PROBES
    while True:
        index.nprobe = min(probes, cells)
        found_QK = _nearest_scores(index, unit_ID, item_Q)
        recall = float((found_QK >= worst_Q[:, None] - _TOLERANCE).mean())
        if recall >= LOWEST_RECALL or probes * 2 * _LARGEST_SHARE > cells:
            break
        probes *= 2
    measured = ItemIndex(
        is_served=recall >= LOWEST_RECALL,
        note=f"{recall:.3f} of the true ten nearest items are found.",
        cells=cells,
        probes=int(index.nprobe),
        recall_at_10=round(recall, 4),
        queries=len(item_Q),
    )
    if recall < LOWEST_RECALL:
        note = (
            f"refused: {recall:.3f} of the true ten nearest items with {index.nprobe} of {cells} cells, expected "
            f"{LOWEST_RECALL} or more. Exact search answers."
        )
        return measured.model_copy(update={"note": note})
    faiss.write_index(index, str(folder / INDEX_FILE))
    return measured


def _nearest_scores(index: Any, unit_ID: FloatArray, item_Q: IntArray) -> FloatArray:
    """score_QK of the nearest items other than the item itself, best first; -inf where none was found."""
    score_QK, found_QK = index.search(unit_ID[item_Q], min(_NEAREST + 1, len(unit_ID)))
    score_QK = np.where((found_QK == item_Q[:, None]) | (found_QK < 0), -np.inf, score_QK)
    return np.asarray(-np.sort(-score_QK, axis=1)[:, :_NEAREST])


class NearestItems:
    """An index that was written by `build`."""

    def __init__(self, folder: Path, num_items: int) -> None:
        """Open the index of a bundle.

        Raises:
            ImportError: FAISS is not installed.
            ValueError: the file is no index of so many items.
        """
        import faiss

        try:
            self._index = faiss.read_index(str(folder / INDEX_FILE))
        except RuntimeError as error:
            raise ValueError(f"{INDEX_FILE}: cannot be read ({error!s:.200})") from error
        if self._index.ntotal != num_items:
            raise ValueError(f"{INDEX_FILE}: {self._index.ntotal} items, expected {num_items}")

    def search(self, unit_D: FloatArray, num_items: int) -> IntArray:
        """About the nearest items of a vector of length 1; fewer where the cells looked into hold fewer."""
        _, found_1K = self._index.search(unit_D[None, :], num_items)
        return np.asarray(found_1K[0][found_1K[0] >= 0].astype(np.int32))
