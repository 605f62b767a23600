"""What another model would have earned on the traffic of the one that served: from the log to estimates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa
from scipy import sparse

from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.errors import EstimationError
from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.kpis import require_log
from foretaste.monitoring.off_policy import (
    ESTIMATORS,
    Estimator,
    LoggedRows,
    OffPolicyConfig,
    OffPolicyEstimate,
    estimate_value,
    on_policy_value,
)
from foretaste.monitoring.sampling import evenly
from foretaste.monitoring.windows import Window
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.slate_settings import SlateConfig

_MOST_REQUESTS = 20_000
"""Requests that are looked at: all of a window, or as many spread evenly over it. Of these, answers of /recommend are
asked again."""


@dataclass(frozen=True)
class Replay:
    """A log, and what it says of another model."""

    num_requests: int
    """Requests that were asked again."""
    num_slots: int
    """Slots of each that count, from the first on."""
    policies: Sequence[str]
    """By which they were answered, in the order of the alphabet."""
    served: Estimate
    """Reward of an item shown, under what served: its precision."""
    hit_rate: float
    """Share of the requests with any reward, likewise."""
    estimates: Sequence[OffPolicyEstimate]
    """Reward of an item shown, had the other model served."""
    refused: dict[Estimator, str] = field(default_factory=dict)
    """Estimators that the log cannot feed, and why."""


def replay(
    database: LogDatabase,
    engine: Engine,
    window: Window,
    config: OffPolicyConfig | None = None,
    *,
    num_slots: int = 3,
    kinds: Sequence[str] = ("click", "purchase"),
) -> Replay:
    """Ask an engine again what the log was asked, and weigh what was shown by how likely it would have shown it.

    Args:
        database: of the log.
        engine: the other model, with the policy that it would serve by.
        window: of the requests.
        config: clipping, and when to refuse.
        num_slots: slots of an answer that count. Weights multiply from slot to slot: the more slots, the fewer rows
            say anything.
        kinds: feedback on an item shown that is a reward of 1.

    Raises:
        ArtifactError: there is no log, or its database does not answer.
        EstimationError: the window has no request that shows items with propensities.
    """
    require_log(database)
    config = config or OffPolicyConfig()
    requests = _requests(database, window)
    if not requests:
        raise EstimationError(
            "the window has no answer of /recommend to judge by; take a longer one, as in --window 7d."
        )
    rewarded = _rewarded(database, window, kinds)
    rows, target_NI = _rows(requests, rewarded, engine, num_slots)
    estimates, refused = [], {}
    for estimator in ESTIMATORS:
        try:
            estimates.append(estimate_value(rows, target_NI, estimator, config))
        except EstimationError as error:
            refused[estimator] = str(error)
    hits = np.bincount(rows.cluster_N, weights=rows.reward_N) > 0
    policies = sorted({request["policy"] for request in requests if request["policy"]})
    return Replay(len(requests), num_slots, policies, on_policy_value(rows), float(hits.mean()), estimates, refused)


def replay_bundle(
    database: LogDatabase,
    store: BundleStore,
    bundle_id: str,
    window: Window,
    config: OffPolicyConfig | None = None,
    *,
    slate: SlateConfig | None = None,
    num_slots: int = 3,
) -> Replay:
    """`replay` of a bundle of a store, with the slate that it would serve by; greedy without.

    Raises:
        ArtifactError: there is no such bundle, or it is damaged; also as `replay`.
        EstimationError: as `replay`.
    """
    return replay(database, Engine(store.open(bundle_id), slate=slate), window, config, num_slots=num_slots)


def _requests(database: LogDatabase, window: Window) -> list[sa.RowMapping]:
    row = REQUESTS.c
    can_be_asked = (row.endpoint == "/recommend") & (row.num_items > 0) & row.asked.is_not(None)
    with database.reading() as connection:
        rows, _ = evenly(connection, REQUESTS, window, _MOST_REQUESTS)
        columns = (row.request_id, row.user_id, row.asked, row.recommendations, row.propensities, row.policy)
        query = sa.select(*columns).where(rows, can_be_asked).order_by(row.seq)
        return list(connection.execute(query).mappings())


def _rewarded(database: LogDatabase, window: Window, kinds: Sequence[str]) -> set[tuple[str, str]]:
    """(request, item) with feedback of these kinds; feedback may come after the window's end."""
    row = FEEDBACK.c
    query = sa.select(row.request_id, row.item_id).where(
        row.kind.in_(kinds), row.slot.is_not(None), row.timestamp >= window.start_seconds
    )
    with database.reading() as connection:
        return {(request_id, item_id) for request_id, item_id in connection.execute(query)}


def _rows(
    requests: Sequence[sa.RowMapping], rewarded: set[tuple[str, str]], engine: Engine, num_slots: int
) -> tuple[LoggedRows, sparse.csr_array]:
    """The first slots of each answer, and the engine's chances of them. Items that its bundle lacks share a column."""
    items, num_items = engine.bundle.items, len(engine.bundle.items)
    item_N: list[int] = []
    propensity_N: list[float] = []
    reward_N: list[bool] = []
    cluster_N: list[int] = []
    slot_N: list[int] = []
    chances = []
    for place, request in enumerate(requests):
        shown = json.loads(request["recommendations"])[:num_slots]
        chances.append(engine.chances(RecommendRequest.of_log(request["user_id"], json.loads(request["asked"])), shown))
        indices = (items.index(item_id) for item_id in shown)
        item_N += [index if index >= 0 else num_items for index in indices]
        propensity_N += json.loads(request["propensities"])[:num_slots]
        reward_N += [(request["request_id"], item_id) in rewarded for item_id in shown]
        cluster_N += [place] * len(shown)
        slot_N += range(len(shown))
    rows = LoggedRows(
        np.array(item_N, dtype=np.int32),
        np.array(propensity_N, dtype=np.float64),
        np.array(reward_N, dtype=np.float64),
        np.array(cluster_N, dtype=np.int64),
        np.array(slot_N, dtype=np.int32),
    )
    target_NI = sparse.vstack(chances, format="csr")
    target_NI.resize((len(item_N), num_items + 1))
    return rows, sparse.csr_array(target_NI)
