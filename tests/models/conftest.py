"""Datasets written out by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary


@pytest.fixture
def dataset_of() -> Callable[..., Dataset]:
    """A function from a users × items table of weights (0: no event) to a dataset."""

    def build(
        weights_UI: Sequence[Sequence[float]],
        days: Sequence[float] | None = None,
        genres: Sequence[Sequence[str]] | None = None,
    ) -> Dataset:
        weights_UI = np.asarray(weights_UI, dtype=np.float32)
        user_N, item_N = np.nonzero(weights_UI)
        events = Interactions(
            user_N.astype(np.int32),
            item_N.astype(np.int32),
            weights_UI[user_N, item_N],
            None if days is None else (np.asarray(days) * 86_400).astype(np.int64),
            *(Vocabulary(pl.Series([f"{index:06}" for index in range(length)])) for length in weights_UI.shape),
        )
        catalogue = pl.DataFrame({"item_id": events.items.ids})
        if genres is not None:
            catalogue = catalogue.with_columns(genres=pl.Series(genres, dtype=pl.List(pl.String)))
        return Dataset(events, catalogue, SourceInfo("by hand"))

    return build
