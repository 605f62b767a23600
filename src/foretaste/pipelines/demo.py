"""What `foretaste demo` runs: the built-in world, four models, and a look at one user."""

from dataclasses import dataclass

import numpy as np

from foretaste.arrays import EMPTY_SLOT
from foretaste.config import ExperimentConfig, check
from foretaste.models.explain import closest_in_history
from foretaste.models.protocol import Query
from foretaste.models.topk import rank
from foretaste.pipelines.run import RunResult

_LAST_TITLES = 5


@dataclass(frozen=True)
class Told:
    """Recommendations as people read them."""

    last_titles: list[str]
    """What the user chose last, newest last."""
    rows: list[tuple[str, str]]
    """(title, the title of the history it comes from), best first."""


def demo_config() -> ExperimentConfig:
    """The experiment of `configs/demo.yaml`, which an installed package does not have at hand."""
    values = {
        "name": "demo",
        "data": {"source": "synthetic"},
        "prepare": {"min_user_interactions": 5, "min_item_interactions": 5},
        "split": {"method": "global_time", "valid": 0.1, "test": 0.1},
        "models": {
            "popularity": {"half_life_days": 60},
            "item_knn": {},
            "ease": {},
            "als": {},
        },
    }
    return check(values, ExperimentConfig, where="demo")


def typical_user(result: RunResult) -> str:
    """The id of a judged user with a history of median length."""
    test, events = result.judged[0].test, result.divided.history
    warm = test.user_B[~test.is_cold_B]
    warm = warm if len(warm) else test.user_B
    by_length = warm[np.argsort(events.user_counts()[warm], kind="stable")]
    return events.users.id(int(by_length[len(by_length) // 2]))


def recommendations_with_reasons(result: RunResult, user_id: str, k: int) -> Told:
    """The chosen model's list for a user, each item with the one of the user's history that speaks most for it."""
    dataset = result.divided.dataset(result.divided.history)
    events = dataset.interactions
    user = np.array([events.users.index(user_id)], dtype=np.int32)
    model = next(one.model for one in result.judged if one.label == result.best)
    query = Query(user, events.to_csr()[user])
    item_K = rank(model.score(query), k, exclude_BI=query.history_BI).item_BK[0]
    item_K = item_K[item_K != EMPTY_SLOT]
    history_H = events.item_N[events.user_N == user[0]]
    reasons = closest_in_history(model, history_H, item_K, events.num_items)
    titles = zip(dataset.titles(item_K), dataset.titles(reasons), strict=True)
    return Told(dataset.titles(history_H[-_LAST_TITLES:]), list(titles))
