"""What the JSON of a run tells of its data and of each model."""

from dataclasses import asdict
from typing import Any

from foretaste.artifacts.manifest import MetricJson
from foretaste.data.prepare import Audit
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.windows import average
from foretaste.pipelines.experiment import Judged


def metrics_json(evaluation: Evaluation) -> dict[str, MetricJson]:
    """Metric → mean and interval, as every JSON output tells it; None for bounds that a figure of all lists has not.

    A figure that is not one of full ranking says so itself, as in `"candidates": "sampled"`.
    """
    label = {} if evaluation.candidates == "all" else {"candidates": evaluation.candidates}
    told: dict[str, MetricJson] = {name: asdict(one) | label for name, one in evaluation.estimates.items()}
    return told | {name: {"mean": one, "low": None, "high": None} | label for name, one in evaluation.catalogue.items()}


def slices_json(evaluation: Evaluation) -> dict[str, Any]:
    """Group → who belongs to it, how many, and the mean of each metric."""
    return {
        name: {
            "of": one.of,
            "definition": one.definition,
            "users": len(one.user_B),
            "relevant": one.num_relevant,
            "means": {metric: one.mean(metric) for metric in one.values},
        }
        for name, one in evaluation.slices.items()
    }


def audit_json(audit: Audit) -> dict[str, Any]:
    """Where every row went."""
    return {
        "rows_read": audit.rows_read,
        "rows_kept": audit.rows_kept,
        "users": audit.num_users,
        "items": audit.num_items,
        "dropped": [{"reason": note.reason, "count": note.count} for note in audit.dropped],
        "remarks": [{"reason": note.reason, "count": note.count} for note in audit.remarks],
    }


def model_json(judged: Judged) -> dict[str, Any]:
    """A model: its figures on test and valid, by group and by window."""
    return {
        "model": judged.label,
        "type": judged.spec.type,
        "fit_seconds": round(judged.fit_seconds, 3),
        "users": len(judged.test.user_B),
        "cold_users": int(judged.test.is_cold_B.sum()),
        "candidates": judged.test.candidates,
        "metrics": metrics_json(judged.test),
        "omitted": judged.test.omitted,
        "slices": slices_json(judged.test),
        "valid": None if judged.valid is None else metrics_json(judged.valid),
        "truth": None if judged.truth is None else metrics_json(judged.truth),
        "rolling": _rolling_json(judged) if judged.earlier else None,
    }


def _rolling_json(judged: Judged) -> dict[str, Any]:
    """Each window, oldest first, the last being the one that `metrics` is of; and their average."""
    told = [
        {"users": len(one.test.user_B), "cold_users": int(one.test.is_cold_B.sum()), "metrics": metrics_json(one.test)}
        for one in judged.windows
    ]
    averages = average([one.test for one in judged.windows])
    return {"windows": told, "average": {name: asdict(estimate) for name, estimate in averages.items()}}
