"""Prepared data as people and other tools see it: a description, and tables on disk."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from foretaste.artifacts import atomic
from foretaste.data.interactions import Interactions
from foretaste.data.prepare import Prepared
from foretaste.data.schemas import ITEM_ID, TIMESTAMP, USER_ID
from foretaste.pipelines.experiment import Divided

_MOST_MET = 5


def describe(prepared: Prepared) -> dict[str, Any]:
    """Sizes, density, time span, events per user and item, and the items met most; plain JSON types."""
    dataset, events = prepared.dataset, prepared.dataset.interactions
    times, counts_I = events.timestamp_N, events.item_counts()
    most = np.argsort(-counts_I, kind="stable")[:_MOST_MET].astype(np.int32)
    return {
        "name": dataset.info.name,
        "licence": dataset.info.licence,
        "events": len(events),
        "users": events.num_users,
        "items": events.num_items,
        "density": f"{len(events) / (events.num_users * events.num_items):.3%}",
        "first_event": None if times is None else _moment(times.min()),
        "last_event": None if times is None else _moment(times.max()),
        "events_per_user": _quantiles(events.user_counts()),
        "events_per_item": _quantiles(counts_I),
        "item_attributes": ", ".join(column for column in dataset.catalogue.columns if column != ITEM_ID),
        "met_most": [
            {"item_id": events.items.id(int(item)), "title": title, "events": int(counts_I[item])}
            for item, title in zip(most, dataset.titles(most), strict=True)
        ],
    }


def write_prepared(divided: Divided, root: Path, name: str) -> Path:
    """`interactions.parquet`, with the part of each event, `items.parquet`, `users.parquet` and `audit.json`.

    The folder `root/name` appears whole; one that is there is replaced.
    """
    root.mkdir(parents=True, exist_ok=True)
    dataset, parts = divided.prepared.dataset, divided.split
    tables = [
        _events(part, label)
        for label, part in (("train", parts.train), ("valid", parts.valid), ("test", parts.test))
        if part is not None
    ]
    with atomic.unfinished_folder(root) as folder:
        pl.concat(tables).write_parquet(folder / "interactions.parquet")
        dataset.catalogue.write_parquet(folder / "items.parquet")
        if dataset.users is not None:
            dataset.users.write_parquet(folder / "users.parquet")
        audit = json.dumps(asdict(divided.prepared.audit), indent=2, ensure_ascii=False)
        (folder / "audit.json").write_text(audit + "\n", encoding="utf-8")
        if (root / name).exists():
            atomic.remove_folder(root / name)
        return atomic.finish(folder, name)


def _events(part: Interactions, label: str) -> pl.DataFrame:
    columns: dict[str, Any] = {
        USER_ID: part.users.ids_at(part.user_N),
        ITEM_ID: part.items.ids_at(part.item_N),
        "weight": part.weight_N,
    }
    if part.timestamp_N is not None:
        columns[TIMESTAMP] = part.timestamp_N
    return pl.DataFrame(columns).with_columns(pl.lit(label).alias("part"))


def _moment(utc_seconds: int) -> str:
    return datetime.fromtimestamp(int(utc_seconds), UTC).strftime("%Y-%m-%d %H:%M")


def _quantiles(counts: Any) -> dict[str, int]:
    present = counts[counts > 0]
    names = {"least": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "most": 1.0}
    return {name: int(np.quantile(present, share)) for name, share in names.items()}
