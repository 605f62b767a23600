"""Whether the people and items that a service meets are still those its model was trained on.

The reference is the bundle that serves: the items that its training data met, the lengths of its users' histories, and
the best scores that it gives a sample of these users. Beside it stand the requests of a window: who asked, what was
shown and clicked, and how it was scored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import sqlalchemy as sa

from foretaste.arrays import UNKNOWN, IntArray
from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import BundleStore
from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.data.schemas import GENRES, YEAR
from foretaste.errors import EstimationError
from foretaste.monitoring.drift import DriftConfig, FeatureDrift, compare_features
from foretaste.monitoring.kpis import require_log
from foretaste.monitoring.sampling import evenly
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window
from foretaste.serving.engine import Engine, RecommendRequest

_MOST_ROWS = 20_000
"""Requests, and clicks, of a window that are looked at: all, or as many spread evenly over it."""
_SAMPLED_USERS = 1000
_SAMPLED_EVENTS = 100_000
_SEED = 0
_HOURS_A_DAY = 24

Values = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class NewShare:
    """How much of what came the model does not know."""

    of: str
    """`users`, by requests that name one; or `items`, by clicks."""
    share: float
    num_rows: int
    limit: float
    is_crossed: bool


@dataclass(frozen=True)
class Drift:
    """What moved between the training and a window."""

    bundle_id: str
    num_requests: int
    """Requests that were looked at."""
    features: Sequence[FeatureDrift]
    """The furthest moved first."""
    shares: Sequence[NewShare]
    since: Mapping[str, str]
    """What is drifted or crossed → the first of the days in a row, up to the last, on which it is; ISO 8601, UTC."""


def drift(
    database: LogDatabase, engine: Engine, window: Window, config: DriftConfig | None = None, k: int = 10
) -> Drift:
    """Compare a window with what the bundle was trained on.

    Args:
        database: of the log.
        engine: of the bundle that serves.
        window: of the requests; those that another bundle answered tell of users, but not of scores.
        config: when a feature counts as drifted.
        k: slots whose scores are compared.

    Raises:
        ArtifactError: there is no log, or its database does not answer.
        EstimationError: the window has no answer of /recommend.
    """
    require_log(database)
    config = config or DriftConfig()
    items = _ItemFeatures(engine.bundle)
    reference = _reference(engine, items, k)
    requests, clicks = _requests(database, window), _clicks(database, window)
    if not requests:
        raise EstimationError(
            "the window has no answer of /recommend to compare with the training; take a longer one, as --window 7d."
        )
    features = compare_features(reference, _current(requests, clicks, engine, items, k), config)
    shares = _shares(requests, clicks, engine, config)
    since = {}
    for name in [one.feature for one in features if one.has_drifted] + [one.of for one in shares if one.is_crossed]:

        def is_off(
            of_day: Sequence[sa.RowMapping], clicks_of_day: Sequence[sa.RowMapping], name: str = name
        ) -> bool | None:
            there = _shares(of_day, clicks_of_day, engine, config)
            if any(one.of == name for one in there):
                return any(one.of == name and one.is_crossed for one in there)
            current = _current(of_day, clicks_of_day, engine, items, k)
            if name not in current:
                return None
            found = compare_features({name: reference[name]}, {name: current[name]}, config)
            return found[0].has_drifted if found else None

        since[name] = _since(requests, clicks, is_off)
    return Drift(engine.model_version, len(requests), features, shares, since)


def drift_of_bundle(
    database: LogDatabase, store: BundleStore, bundle_id: str, window: Window, config: DriftConfig | None = None
) -> Drift:
    """`drift` of a bundle of a store.

    Raises:
        ArtifactError: there is no such bundle, or it is damaged; also as `drift`.
        EstimationError: as `drift`.
    """
    return drift(database, Engine(store.open(bundle_id)), window, config)


class _ItemFeatures:
    """The attributes of a catalogue's items that are compared."""

    def __init__(self, bundle: Bundle) -> None:
        self._items = bundle.items
        catalogue = bundle.catalogue
        self._year_I = catalogue[YEAR].cast(pl.Float64).to_numpy() if YEAR in catalogue.columns else None
        has_genres = GENRES in catalogue.columns and catalogue.schema[GENRES] == pl.List(pl.String)
        self._genres_I = catalogue[GENRES].to_list() if has_genres else None
        order_I = np.argsort(np.argsort(-bundle.popularity_I, kind="stable"), kind="stable")
        self._decile_I = (order_I * 10 // max(len(order_I), 1)).astype(np.int64)

    def known(self, item_ids: Sequence[str]) -> IntArray:
        """Index of each item that the bundle holds."""
        index_N: IntArray = np.array([self._items.index(item_id) for item_id in item_ids], dtype=np.int32)
        known_M: IntArray = index_N[index_N != UNKNOWN]
        return known_M

    def of(self, item_N: IntArray, what: str) -> dict[str, npt.NDArray[np.generic]]:
        """Feature → a value for each of the items, or several."""
        found: dict[str, npt.NDArray[np.generic]] = {
            f"popularity of items {what}": np.array([f"tenth {decile + 1}" for decile in self._decile_I[item_N]], str)
        }
        if self._year_I is not None:
            found[f"year of items {what}"] = self._year_I[item_N]
        if self._genres_I is not None:
            genres = [genre for item in item_N.tolist() for genre in self._genres_I[item] or ()]
            found[f"genres of items {what}"] = np.array(genres, str)
        return found


def _reference(engine: Engine, items: _ItemFeatures, k: int) -> Values:
    """The training's side. What it met is beside what is clicked, what the model would show beside what is shown."""
    bundle, rng = engine.bundle, np.random.default_rng(_SEED)
    met_N = np.asarray(bundle.history.weights_UI.indices)
    if len(met_N) > _SAMPLED_EVENTS:
        met_N = rng.choice(met_N, _SAMPLED_EVENTS, replace=False)
    lengths_U = np.diff(bundle.history.weights_UI.indptr)
    users = np.flatnonzero(lengths_U)
    sampled = rng.choice(users, min(len(users), _SAMPLED_USERS), replace=False)
    answers = [engine.recommend(RecommendRequest(bundle.users.id(int(user)), k=k, seed=0)).items for user in sampled]
    shown_N = items.known([item_id for answer in answers for item_id in answer.item_ids])
    return {
        **items.of(met_N, "clicked"),
        **items.of(shown_N, "shown"),
        "history of users": lengths_U[users].astype(np.float64),
        "scores": np.concatenate([np.asarray(answer.scores, dtype=np.float64) for answer in answers]),
    }


def _current(
    requests: Sequence[sa.RowMapping], clicks: Sequence[sa.RowMapping], engine: Engine, items: _ItemFeatures, k: int
) -> Values:
    """The window's side of the same features."""
    bundle = engine.bundle
    users = {row["user_id"] for row in requests if row["user_id"] is not None}
    known = [bundle.users.index(user) for user in sorted(users) if engine.knows(user)]
    of_model = [row for row in requests if row["model_version"] == engine.model_version and row["user_known"]]
    shown = [item_id for row in of_model for item_id in json.loads(row["recommendations"])[:k]]
    scores = [score for row in of_model for score in json.loads(row["scores"] or "[]")[:k]]
    lengths_U = np.diff(bundle.history.weights_UI.indptr)
    return {
        **items.of(items.known([row["item_id"] for row in clicks]), "clicked"),
        **items.of(items.known(shown), "shown"),
        "history of users": lengths_U[known].astype(np.float64),
        "scores": np.array([score for score in scores if score is not None], dtype=np.float64),
    }


def _shares(
    requests: Sequence[sa.RowMapping], clicks: Sequence[sa.RowMapping], engine: Engine, config: DriftConfig
) -> list[NewShare]:
    """New users and new items, where enough rows came to tell."""
    users = [row["user_id"] for row in requests if row["user_id"] is not None]
    items, popularity_I = engine.bundle.items, engine.bundle.popularity_I
    clicked = [items.index(row["item_id"]) for row in clicks]
    sides = (
        ("users", [not engine.knows(user) for user in users], config.new_user_share),
        ("items", [item == UNKNOWN or popularity_I[item] == 0 for item in clicked], config.new_item_share),
    )
    told = []
    for of, is_new, limit in sides:
        if len(is_new) >= config.min_rows:
            share = float(np.mean(is_new))
            told.append(NewShare(of, share, len(is_new), limit, share > limit))
    return told


def _since(requests: Sequence[sa.RowMapping], clicks: Sequence[sa.RowMapping], is_off: Any) -> str:
    """The first day of the last run of days that are off; days with too few rows neither begin nor end one."""
    by_day: dict[int, tuple[list[sa.RowMapping], list[sa.RowMapping]]] = {}
    for place, rows in enumerate((requests, clicks)):
        for row in rows:
            day = int(row["timestamp"] // (SECONDS_PER_HOUR * _HOURS_A_DAY))
            by_day.setdefault(day, ([], []))[place].append(row)
    first = max(by_day)
    for day in sorted(by_day, reverse=True):
        verdict = is_off(*by_day[day])
        if verdict is False:
            break
        if verdict:
            first = day
    return datetime.fromtimestamp(first * _HOURS_A_DAY * SECONDS_PER_HOUR, UTC).date().isoformat()


def _requests(database: LogDatabase, window: Window) -> list[sa.RowMapping]:
    row = REQUESTS.c
    columns = (row.timestamp, row.user_id, row.user_known, row.model_version, row.recommendations, row.scores)
    is_wanted = (row.endpoint == "/recommend") & (row.num_items > 0)
    return _sampled(database, window, REQUESTS, columns, is_wanted)


def _clicks(database: LogDatabase, window: Window) -> list[sa.RowMapping]:
    row = FEEDBACK.c
    return _sampled(database, window, FEEDBACK, (row.timestamp, row.item_id), row.kind == "click")


def _sampled(
    database: LogDatabase,
    window: Window,
    table: sa.Table,
    columns: Sequence[sa.ColumnElement[Any]],
    is_wanted: sa.ColumnElement[bool],
) -> list[sa.RowMapping]:
    with database.reading() as connection:
        rows, _ = evenly(connection, table, window, _MOST_ROWS)
        query = sa.select(*columns).where(rows, is_wanted).order_by(table.c.seq)
        return list(connection.execute(query).mappings())
