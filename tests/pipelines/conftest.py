import json

import numpy as np
import polars as pl
import pytest

from foretaste.config import ExperimentConfig, check
from foretaste.pipelines.run_record import RunRecord

SMALL = {
    "name": "small",
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "item_knn": {}, "als": {"embedding_dim": 4, "iterations": 2}},
}


@pytest.fixture
def small_config():
    """A config that runs in a moment; keyword arguments replace sections."""
    return lambda **sections: check({**SMALL, **sections}, ExperimentConfig, where="small")


@pytest.fixture
def recorded_run(tmp_path):
    """Writes the folder of a run whose models had these values of ndcg@10 for users u0, u1, …; returns the record."""

    def _write(run_id, models, *, fingerprint="same", protocol=None, users=None, split_events=100, truth=None):
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        for part, outcome in (("per_user", models), ("truth", truth or {})):
            for label, values in outcome.items():
                ids = users or [f"u{number}" for number in range(len(values))]
                pl.DataFrame({"user_id": ids, "ndcg@10": list(values)}).write_parquet(
                    folder / f"{part}.{label}.parquet"
                )
        result = {
            "run_id": run_id,
            "select_by": "ndcg@10",
            "protocol": protocol or {"candidates": "all"},
            "test_fingerprint": fingerprint,
            "split": {"test": {"events": split_events}},
            "models": [
                {
                    "model": label,
                    "type": label,
                    "metrics": {"ndcg@10": {"mean": float(np.nanmean(values))}},
                    "truth": {} if truth else None,
                }
                for label, values in models.items()
            ],
        }
        (folder / "result.json").write_text(json.dumps(result))
        return RunRecord.read(folder)

    return _write
