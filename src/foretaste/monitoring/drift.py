"""Whether what comes in, or what goes out, is still what it was: two samples of one feature, side by side.

Two measures, for they fail in different ways. The population stability index says how far the distribution has moved,
whatever the number of rows; a test says whether the move may be chance, and on a busy service finds every trifle. A
feature has drifted where it moved far and not by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import stats

from foretaste.arrays import DoubleArray
from foretaste.evaluation.significance import SIGNIFICANCE_LEVEL, holm
from foretaste.settings import Settings

_BINS = 10


class DriftConfig(Settings):
    """When a feature counts as drifted."""

    psi: float = Field(default=0.2, gt=0)
    """Population stability index from which a move is large; by custom .1 is slight and .2 or .25 large."""
    max_categories: int = Field(default=50, ge=1)
    """Categories that are told apart: the most common of both sides together. All others are one."""
    min_rows: int = Field(default=100, ge=2)
    """Rows that each side needs; with fewer nothing is said."""
    new_user_share: float = Field(default=0.5, ge=0, le=1)
    """Requests that name a user who was not in the training, over those that name any; at most."""
    new_item_share: float = Field(default=0.2, ge=0, le=1)
    """Clicks on items that were not in the training; at most."""


@dataclass(frozen=True)
class FeatureDrift:
    """One feature, then and now."""

    feature: str
    kind: Literal["numeric", "category"]
    psi: float
    """Population stability index."""
    p: float
    """Of Kolmogorov and Smirnov's test for numbers, of the χ² test of homogeneity for categories; corrected for the
    number of features (Holm 1979)."""
    reference_rows: int
    current_rows: int
    has_drifted: bool


def compare_features(
    reference: Mapping[str, Sequence[float] | Sequence[str] | npt.NDArray[np.generic]],
    current: Mapping[str, Sequence[float] | Sequence[str] | npt.NDArray[np.generic]],
    config: DriftConfig | None = None,
) -> list[FeatureDrift]:
    """Every feature that both sides have enough rows of, the furthest moved first.

    Args:
        reference: feature → its values then; numbers or strings. Values that are no number are left out.
        current: feature → its values now.
        config: when a feature counts as drifted.
    """
    config = config or DriftConfig()
    found = []
    for feature in reference.keys() & current.keys():
        then, now = _values(reference[feature]), _values(current[feature])
        if min(len(then), len(now)) < config.min_rows:
            continue
        is_number = then.dtype.kind == "f" and now.dtype.kind == "f"
        psi, p = _numbers(then, now) if is_number else _categories(then, now, config.max_categories)
        found.append((feature, is_number, psi, p, len(then), len(now)))
    corrected = holm([p for _, _, _, p, _, _ in found])
    drifts = [
        FeatureDrift(
            feature=feature,
            kind="numeric" if is_number else "category",
            psi=psi,
            p=p,
            reference_rows=num_then,
            current_rows=num_now,
            has_drifted=psi >= config.psi and p < SIGNIFICANCE_LEVEL,
        )
        for (feature, is_number, psi, _, num_then, num_now), p in zip(found, corrected, strict=True)
    ]
    return sorted(drifts, key=lambda drift: (-drift.psi, drift.feature))


def population_stability(reference_K: npt.ArrayLike, current_K: npt.ArrayLike) -> float:
    """Σ (q - p) ln(q / p) over K classes: the symmetric Kullback-Leibler divergence of two histograms.

    Half a row is added to every class, so that an empty one does not make it infinite.

    Args:
        reference_K: rows in each class, then.
        current_K: rows in each class, now.
    """
    then_K, now_K = (np.asarray(counts, dtype=np.float64) + 0.5 for counts in (reference_K, current_K))
    then_K, now_K = then_K / then_K.sum(), now_K / now_K.sum()
    return float(np.sum((now_K - then_K) * np.log(now_K / then_K)))


def _values(values: Sequence[float] | Sequence[str] | npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        number: DoubleArray = array.astype(np.float64)
        return number[np.isfinite(number)]
    return array.astype(np.str_)


def _numbers(then: npt.NDArray[np.generic], now: npt.NDArray[np.generic]) -> tuple[float, float]:
    """(PSI over tenths of the reference, p). Equal values stay in one class, however many they are."""
    edges = np.unique(np.quantile(then.astype(np.float64), np.arange(1, _BINS) / _BINS))
    then_K, now_K = (
        np.bincount(np.searchsorted(edges, side, side="left"), minlength=len(edges) + 1) for side in (then, now)
    )
    return population_stability(then_K, now_K), float(stats.ks_2samp(then, now, method="asymp").pvalue)


def _categories(then: npt.NDArray[np.generic], now: npt.NDArray[np.generic], most: int) -> tuple[float, float]:
    """(PSI, p) over the most common categories and all others as one.

    Chosen from both sides alike: the most common of one side alone would on the other be rarer by selection.
    """
    names, class_M = np.unique(np.concatenate([then, now]).astype(np.str_), return_inverse=True)
    then_M = np.bincount(class_M[: len(then)], minlength=len(names))
    now_M = np.bincount(class_M[len(then) :], minlength=len(names))
    order_M = np.argsort(-(then_M + now_M), kind="stable")
    then_K, now_K = (np.append(side[order_M[:most]], side[order_M[most:]].sum()) for side in (then_M, now_M))
    psi = population_stability(then_K, now_K)
    is_used_K = (then_K + now_K) > 0
    if is_used_K.sum() < 2:
        return psi, 1.0
    return psi, float(stats.chi2_contingency(np.vstack([then_K, now_K])[:, is_used_K], correction=False).pvalue)
