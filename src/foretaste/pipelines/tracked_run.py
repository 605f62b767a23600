"""A run's folder as trackers take it: parameters, figures with intervals, learning curves, files and bundle."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from foretaste.evaluation.learning_curve import EPOCH, FIT
from foretaste.pipelines.provenance import PROVENANCE_FILE, read_provenance
from foretaste.pipelines.report_files import REPORT_FILE, REPORT_HTML_FILE
from foretaste.pipelines.run_record import CONFIG_FILE, RESULT_FILE, RunRecord
from foretaste.tracking.protocol import Point, TrackedBundle, TrackedModel, TrackedRun


def tracked_run(folder: Path) -> TrackedRun:
    """What is sent of a run.

    Raises:
        ArtifactError: the folder is not that of a whole run.
    """
    record, told = RunRecord.read(folder), read_provenance(folder)
    config = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    bundle = TrackedBundle(told["bundle"]["bundle_id"], Path(told["bundle"]["folder"]), told["bundle"]["digest"])
    models = [
        TrackedModel(
            label, dict(flat(config["models"][label])), figures(record.model(label)), list(_curve(folder, label))
        )
        for label in record.labels
    ]
    best = record.result["best"]
    tags = {
        "foretaste.best": best,
        "foretaste.bundle_id": bundle.bundle_id,
        "foretaste.bundle": str(bundle.folder),
        "foretaste.bundle_digest": bundle.digest,
        "foretaste.data_fingerprint": told["data_fingerprint"],
        "foretaste.git_commit": told["git_commit"] or "",
        **{f"foretaste.version.{name}": version for name, version in told["library_versions"].items()},
    }
    names = (REPORT_FILE, REPORT_HTML_FILE, CONFIG_FILE, RESULT_FILE, PROVENANCE_FILE)
    return TrackedRun(
        run_id=record.run_id,
        started_at_ms=_milliseconds(told["started_at"]),
        finished_at_ms=_milliseconds(told["finished_at"]),
        params=dict(flat(config)),
        metrics=figures(record.model(best)),
        tags={name: value for name, value in tags.items() if value},
        files=[folder / name for name in names if (folder / name).exists()],
        models=models,
        bundle=bundle,
    )


def flat(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys of a resolved config, and their values as YAML writes them in one line."""
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value)


def figures(model: Mapping[str, Any]) -> dict[str, float]:
    """Every figure of a model of `result.json`: `test/ndcg_at_10`, its `_low` and `_high`, and those of valid.

    One that is not of full ranking says so, as in `test_sampled/ndcg_at_10`.
    """
    told = {"fit_seconds": float(model["fit_seconds"])}
    for part, metrics in (("test", model["metrics"]), ("valid", model["valid"] or {})):
        for metric, estimate in metrics.items():
            ranked = f"_{estimate['candidates']}" if "candidates" in estimate else ""
            name = f"{part}{ranked}/{metric_name(metric)}"
            bounds = {name: estimate["mean"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
            told |= {key: float(value) for key, value in bounds.items() if value is not None}
    return told


def metric_name(metric: str) -> str:
    """`ndcg@10` as MLflow allows it: `ndcg_at_10`."""
    return metric.replace("@", "_at_")


def _curve(folder: Path, label: str) -> Iterator[Point]:
    """The figures of each epoch, as in `train/loss` and `refit/samples_per_second`."""
    path = folder / f"learning_curve.{label}.parquet"
    if path.exists():
        for row in pl.read_parquet(path).iter_rows(named=True):
            for name, value in row.items():
                if name not in (FIT, EPOCH) and value is not None:
                    yield Point(f"{row[FIT]}/{metric_name(name)}", float(value), row[EPOCH])


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
