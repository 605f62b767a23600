"""Which features of items the scores of a model go with."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from foretaste.arrays import BoolArray, DoubleArray, IntArray
from foretaste.data.features import FeaturesConfig, fit_features
from foretaste.data.interactions import Dataset
from foretaste.evaluation.significance import holm
from foretaste.models.protocol import Query, Recommender
from foretaste.models.topk import queries_per_block

_LARGEST_CATEGORIES = 50
"""Values of a column that are asked about, the most frequent ones."""
_MIN_ITEMS = 5
"""Items that must share a value."""


@dataclass(frozen=True)
class FeatureCorrelation:
    """One feature and the mean score."""

    feature: str
    r: float
    """Pearson's r over items."""
    p: float
    """Two-sided: how often items without any correlation would show as strong a one."""
    corrected_p: float
    """After Holm's correction for all the features that were asked about."""


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Features of the items with events."""

    is_in_I: BoolArray
    """True for the items with events."""
    names: list[str]
    value_EF: DoubleArray
    """A row for each of those items, a column a feature."""


def item_features(dataset: Dataset) -> ItemFeatures:
    """Numbers, and an indicator for each frequent category, of the items with events.

    Missing numbers stand at the mean; whether they are missing is a feature of its own. Popularity is the logarithm of
    the events. Values that fewer than five items share are left out, as is a feature that says the same of every item
    as one before it: the first author, say, where another column has all authors.
    """
    config = FeaturesConfig(
        embed_above=_LARGEST_CATEGORIES,
        top_k=_LARGEST_CATEGORIES,
        hash_buckets=0,
        min_rows=_MIN_ITEMS,
        ngram_buckets=0,
        history_means=False,
    )
    events_I = dataset.interactions.item_counts()
    table = fit_features(dataset, config).encode_items(dataset.catalogue, events_I)
    is_in_I = events_I > 0
    value_EF = table.dense_XF[is_in_I].astype(np.float64)
    _, first_F = np.unique(value_EF, axis=1, return_index=True)
    kept_F = np.sort(first_F)
    return ItemFeatures(is_in_I, [table.columns[feature].name for feature in kept_F], value_EF[:, kept_F])


def mean_scores(model: Recommender, user_B: IntArray, history_UI: sparse.csr_array, is_in_I: BoolArray) -> DoubleArray:
    """score_E: the mean score of each item over users, each user's scores first brought to mean 0 and deviation 1.

    A user whose scores are all equal says nothing and is left out; zeros where that is everyone.
    """
    total_E, num_users = np.zeros(int(is_in_I.sum())), 0
    size = queries_per_block(history_UI.shape[1])
    for start in range(0, len(user_B), size):
        users = user_B[start : start + size]
        score_BE = model.score(Query(users, history_UI[users]))[:, is_in_I].astype(np.float64)
        spread_B1 = score_BE.std(axis=1, keepdims=True)
        tells_B = spread_B1[:, 0] > 0
        total_E += ((score_BE - score_BE.mean(axis=1, keepdims=True))[tells_B] / spread_B1[tells_B]).sum(axis=0)
        num_users += int(tells_B.sum())
    return total_E / max(num_users, 1)


def correlations(score_E: DoubleArray, features: ItemFeatures) -> list[FeatureCorrelation]:
    """Pearson's r of the mean score with each feature, the strongest first.

    The unit is the item: pairs of user and item are far from independent, and would make everything significant. p is
    that of Student's t with as many degrees of freedom as items less two. Features that are the same for all items are
    left out.
    """
    r_F = pearson(score_E, features.value_EF)
    told = np.flatnonzero(~np.isnan(r_F))
    freedom = len(score_E) - 2
    if freedom < 1 or not len(told):
        return []
    r_T = np.clip(r_F[told], -1.0, 1.0)
    with np.errstate(divide="ignore"):
        t_T = np.abs(r_T) * np.sqrt(freedom / (1 - r_T**2))
    p_T = 2 * stats.t.sf(t_T, freedom)
    found = [
        FeatureCorrelation(features.names[feature], float(r), float(p), corrected)
        for feature, r, p, corrected in zip(told, r_T, p_T, holm(p_T.tolist()), strict=True)
    ]
    return sorted(found, key=lambda one: (-abs(one.r), one.feature))


def pearson(x_E: DoubleArray, y_EF: DoubleArray) -> DoubleArray:
    """r_F of x with each column of y; NaN where either does not vary."""
    return np.asarray(_standard(x_E) @ _standard(y_EF))


def _standard(value_EX: DoubleArray) -> DoubleArray:
    """Each column about its mean, with length 1; NaN where it does not vary."""
    centred_EX = value_EX - value_EX.mean(axis=0)
    # The square of a number below 1e-154 is none that can be relied on.
    largest_X = np.abs(centred_EX).max(axis=0)
    varies_X = (np.ptp(value_EX, axis=0) > 0) & (largest_X > 0)
    centred_EX = centred_EX / np.where(varies_X, largest_X, np.nan)
    return np.asarray(centred_EX / np.linalg.norm(centred_EX, axis=0))
