"""A run to be tracked, and an MLflow store that was made once: making one takes seconds."""

import shutil

import pytest

from foretaste.tracking.protocol import Point, TrackedBundle, TrackedModel, TrackedRun


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    from foretaste.tracking.mlflow_tracker import MLflowTracker

    folder = tmp_path_factory.mktemp("mlflow")
    tracker = MLflowTracker(f"sqlite:///{folder / 'mlflow.db'}", folder)
    tracker._client.search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def tracker(empty_store, tmp_path):
    from foretaste.tracking.mlflow_tracker import MLflowTracker

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return MLflowTracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")


@pytest.fixture
def make_run(tmp_path):
    def _make(run_id="20260101-000000-small", bundle_id="20260101-als-aaaa"):
        report, bundle = tmp_path / "report.md", tmp_path / bundle_id
        report.write_text("# Report")
        bundle.mkdir(exist_ok=True)
        (bundle / "model_metadata.json").write_text("{}")
        curve = [Point("train/loss", 1 / epoch, epoch) for epoch in range(1, 1201)]
        models = [
            TrackedModel("als", {"embedding_dim": "8"}, {"test/ndcg_at_10": 0.25}, curve),
            TrackedModel("popularity", {f"p{number}": "x" for number in range(150)}, {"test/ndcg_at_10": 0.125}),
        ]
        return TrackedRun(
            run_id,
            1000,
            2000,
            {"models.als.embedding_dim": "8", "long": "x" * 9000},
            {"test/ndcg_at_10": 0.25},
            {"foretaste.best": "als", "long": "y" * 9000},
            [report],
            models,
            TrackedBundle(bundle_id, bundle, "d1g357"),
        )

    return _make
