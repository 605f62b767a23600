"""How the ranker learns: from events that the retrievers it learns with have not seen.

Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82, by LightGBM (Ke et al., NeurIPS 2017).

A window of events is held out. The retrievers and the facts of items are fitted on what was before it, as those that
are served are on everything. Their candidates for a user of the window are a group, and what the user met in the window
is relevant.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from foretaste.arrays import BoolArray, FloatArray, LongArray
from foretaste.data.interactions import Dataset, Interactions, Split
from foretaste.data.splits import GlobalTimeSplit, RandomSplit, split_events
from foretaste.errors import ModelError, SplitError
from foretaste.models.protocol import Query, Recommender
from foretaste.models.topk import queries_per_block
from foretaste.models.two_stage.candidates import propose
from foretaste.models.two_stage.config import HoldoutConfig, RankerConfig, TwoStageConfig
from foretaste.models.two_stage.facts import Facts, Layout, encode, fit_facts
from foretaste.models.two_stage.features import describe, praise
from foretaste.models.two_stage.trees import Trees, trees_of

FitRetrievers = Callable[[Dataset], Sequence[Recommender]]


@dataclass(frozen=True, eq=False)
class Lessons:
    """N candidates of G users, the users one after the other."""

    feature_NF: FloatArray
    is_relevant_N: BoolArray
    size_G: LongArray
    """Candidates of each user; each has a relevant one and one that is not."""


def windows(events: Interactions, config: HoldoutConfig, seed: int) -> list[Split]:
    """For each window what was before it (`train`) and what it holds (`test`), the newest window first.

    Windows that few events leave empty are left out.

    Raises:
        ModelError: by time, and the events have no timestamps.
    """
    if config.method == "global_time" and events.timestamp_N is None:
        raise ModelError(
            "two_stage: holdout.method is 'global_time', but the data has no timestamps; leave it out, or set it to "
            "'random'."
        )
    is_random = config.method == "random" or events.timestamp_N is None
    found = []
    for window in range(config.windows):
        with suppress(SplitError):
            if is_random:
                found.append(split_events(events, RandomSplit(valid=0, test=config.share, seed=seed + window)))
            else:
                by_time = GlobalTimeSplit(valid=0, test=config.share, windows=config.windows)
                found.append(split_events(events, by_time, window))
    return found


def learn(dataset: Dataset, config: TwoStageConfig, fit_retrievers: FitRetrievers, seed: int) -> Trees:
    """The trees that put what users met next before the other candidates.

    Args:
        dataset: the events that may be known.
        config: of the model.
        fit_retrievers: trains the retrievers on a part of the events.
        seed: of all draws.

    Raises:
        ModelError: no user of the windows met a candidate in them, so that there is nothing to learn.
    """
    rng = np.random.default_rng(seed)
    taught = []
    layout = Layout.of(encode(dataset, config.features))  # what is served is read by the same trees
    for window in windows(dataset.interactions, config.holdout, seed):
        before = dataset.with_interactions(window.train)
        models = fit_retrievers(before)
        facts = fit_facts(before, config.features, config.half_lives_days, layout)
        taught.append(lessons(models, facts, window, config, rng))
    found = [each for each in taught if each is not None and len(each.size_G)]
    if not found:
        raise ModelError(
            "two_stage: no user with a history met a candidate in the events that are held out for the ranker, so that "
            "there is nothing to learn from; raise holdout.share or holdout.windows, or train a single model."
        )
    together = Lessons(
        np.concatenate([each.feature_NF for each in found]),
        np.concatenate([each.is_relevant_N for each in found]),
        np.concatenate([each.size_G for each in found]),
    )
    return fit_trees(together, len(config.retrievers), config.ranker, seed)


def lessons(
    models: Sequence[Recommender], facts: Facts, window: Split, config: TwoStageConfig, rng: np.random.Generator
) -> Lessons | None:
    """The candidates of users who were known before the window, and whether they met them in it.

    None where nobody was.
    """
    history_UI, later_UI = window.train.to_csr(), window.test.to_csr()
    user_U = np.flatnonzero((np.diff(history_UI.indptr) > 0) & (np.diff(later_UI.indptr) > 0)).astype(np.int32)
    if len(user_U) > config.holdout.max_users:
        user_U = np.sort(rng.choice(user_U, config.holdout.max_users, replace=False))
    size, num_items = queries_per_block(history_UI.shape[1]), history_UI.shape[1]
    features, relevant, sizes = [], [], []
    for start in range(0, len(user_U), size):
        user_B = user_U[start : start + size]
        query = Query(user_B, history_UI[user_B])
        candidates, scores_RBI = propose(models, query, config.candidates)
        size_B = np.diff(candidates.indptr_B)
        pairs = later_UI[user_B].tocoo()
        hoped = pairs.row.astype(np.int64) * num_items + pairs.col
        row_N = np.repeat(np.arange(len(user_B)), size_B)
        is_relevant_N = np.isin(row_N * num_items + candidates.item_N, hoped)
        num_relevant_B = np.bincount(row_N, weights=is_relevant_N, minlength=len(user_B))
        teaches_B = (num_relevant_B > 0) & (num_relevant_B < size_B)
        teaches_N = teaches_B[row_N]
        features.append(describe(candidates, scores_RBI, query, facts)[teaches_N])
        relevant.append(is_relevant_N[teaches_N])
        sizes.append(size_B[teaches_B])
    return Lessons(np.concatenate(features), np.concatenate(relevant), np.concatenate(sizes)) if features else None


def fit_trees(lessons: Lessons, num_retrievers: int, config: RankerConfig, seed: int) -> Trees:
    """LambdaRank; the same lessons, config and seed give the same trees on any number of threads."""
    import lightgbm

    constraints = praise(num_retrievers, lessons.feature_NF.shape[1]) if config.monotone else None
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_leaf_rows,
            "lambda_l2": config.regularization,
            "feature_fraction": config.column_share,
            "lambdarank_truncation_level": config.truncation,
            "monotone_constraints": constraints,
            "seed": seed % 2**31,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        },
        lightgbm.Dataset(lessons.feature_NF, lessons.is_relevant_N, group=lessons.size_G),
        num_boost_round=config.trees,
    )
    return trees_of(booster.dump_model())
