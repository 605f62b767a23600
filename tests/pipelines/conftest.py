import json

import numpy as np
import polars as pl
import pytest

from foretaste.config import ExperimentConfig, check
from foretaste.errors import TrackingError
from foretaste.pipelines.run_record import RunRecord
from foretaste.tracking.protocol import Registration

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

    def _rolling(label, models, earlier):
        outcomes = [outcome[label] for outcome, _ in earlier] + [models[label]]
        means = [float(np.nanmean(list(each.values() if isinstance(each, dict) else each))) for each in outcomes]
        return {"windows": [{"metrics": {"ndcg@10": {"mean": mean}}} for mean in means]} if earlier else None

    def _write(
        run_id, models, *, fingerprint="same", protocol=None, users=None, split_events=100, truth=None, earlier=()
    ):
        """`earlier` has models → user → value for each test window before, oldest first, and its fingerprint."""
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        before = [(f"window_{place}", outcome) for place, (outcome, _) in enumerate(earlier, 1)]
        for part, outcome in (("per_user", models), ("truth", truth or {}), *before):
            for label, values in outcome.items():
                ids = users or [f"u{number}" for number in range(len(values))]
                if isinstance(values, dict):
                    ids, values = list(values), values.values()
                pl.DataFrame({"user_id": ids, "ndcg@10": list(values)}).write_parquet(
                    folder / f"{part}.{label}.parquet"
                )
        result = {
            "run_id": run_id,
            "select_by": "ndcg@10",
            "protocol": protocol or {"candidates": "all"},
            "test_fingerprint": fingerprint,
            "window_fingerprints": [*(each for _, each in earlier), fingerprint],
            "split": {"test": {"events": split_events}},
            "models": [
                {
                    "model": label,
                    "type": label,
                    "metrics": {"ndcg@10": {"mean": float(np.nanmean(list(values)))}},
                    "truth": {} if truth else None,
                    "rolling": _rolling(label, models, earlier),
                }
                for label, values in models.items()
            ],
        }
        (folder / "result.json").write_text(json.dumps(result))
        return RunRecord.read(folder)

    return _write


class FakeTracker:
    """Keeps what it is told; fails where told to."""

    def __init__(self):
        self.runs, self.aliases, self.tags, self.problem = {}, {}, {}, None

    def send(self, run, experiment, model):
        self._fail()
        self.runs[run.run_id] = (run, experiment)
        versions = [one.bundle.bundle_id for one, _ in self.runs.values()]
        return Registration("its-id", model, str(versions.index(run.bundle.bundle_id) + 1))

    def set_aliases(self, model, aliases):
        self._fail()
        self.aliases[model] = dict(aliases)

    def set_version_tags(self, model, version, tags):
        self._fail()
        self.tags.setdefault((model, version), {}).update(tags)

    def _fail(self):
        if self.problem:
            raise TrackingError(self.problem)


@pytest.fixture
def tracker(monkeypatch):
    """Stands in for MLflow, wherever runs are sent."""
    fake = FakeTracker()
    for module in ("tracking", "promotion"):
        monkeypatch.setattr(f"foretaste.pipelines.{module}.open_tracker", lambda *_: fake)
    return fake
