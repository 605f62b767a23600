"""From a config to a report and a published bundle: one run."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foretaste.arrays import DoubleArray
from foretaste.artifacts import atomic
from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.artifacts.writable import check_writable
from foretaste.config import ExperimentConfig
from foretaste.data.interactions import Dataset
from foretaste.data.splits import summarise
from foretaste.errors import ConfigError
from foretaste.evaluation.diagnostics import Diagnosis, Examination
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig
from foretaste.evaluation.report import Document, ModelResult, ReportInput, compose
from foretaste.evaluation.truth import Agreement, agreement
from foretaste.evaluation.warnings import EvaluationWarning, of_figures, of_split
from foretaste.evaluation.windows import mean
from foretaste.models.registry import check_trainable
from foretaste.pipelines.experiment import Divided, Judged, check_judgeable, divide, judge, pinned
from foretaste.pipelines.narration import Narrator, Silence
from foretaste.pipelines.promotion import tell_registries
from foretaste.pipelines.provenance import provenance, versions, write_provenance
from foretaste.pipelines.report_files import REPORT_FILE, REPORT_HTML_FILE, write_report
from foretaste.pipelines.run_json import audit_json, metrics_json, model_json
from foretaste.pipelines.run_record import (
    CONFIG_FILE,
    RESULT_FILE,
    TRUTH,
    claimed_run_id,
    comparable_protocol,
    write_earlier_windows,
    write_outcome,
    write_per_user,
)
from foretaste.pipelines.tracking import Destination, send_or_tell
from foretaste.training.processes import num_processes

DIAGNOSTICS_FILE = "diagnostics.json"


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run came to."""

    run_id: str
    folder: Path
    bundle_id: str
    divided: Divided
    judged: Sequence[Judged]
    best: str
    """Label of the published model."""
    evaluation: EvaluationConfig
    """How the models were judged."""
    warnings: Sequence[EvaluationWarning] = ()
    """What makes the figures less than they seem."""
    truth: Agreement | None = None
    """How far the test is from one on randomly drawn items; None where the data has none, or one model was judged."""

    @property
    def report(self) -> Path:
        """The Markdown report."""
        return self.folder / REPORT_FILE

    @property
    def report_html(self) -> Path:
        """The same report as a page for browsers."""
        return self.folder / REPORT_HTML_FILE

    def to_json(self) -> dict[str, Any]:
        """The line that `foretaste run --json` prints."""
        parts = summarise(self.divided.split)
        return {
            "run_id": self.run_id,
            "bundle_id": self.bundle_id,
            "report": str(self.report),
            "report_html": str(self.report_html),
            "best": self.best,
            "select_by": self.evaluation.select_by,
            "protocol": comparable_protocol(self.evaluation),
            "test_fingerprint": self.divided.split.test.fingerprint,
            "window_fingerprints": [window.test.fingerprint for window in (*self.divided.earlier, self.divided.split)],
            "data": audit_json(self.divided.prepared.audit),
            "split": {"method": self.divided.split.method, **{name: asdict(part) for name, part in parts.items()}},
            "models": [model_json(one) for one in self.judged],
            "warnings": [warning.to_json() for warning in self.warnings],
            "truth": None if self.truth is None else self.truth.to_json(),
        }


def run(
    config: ExperimentConfig,
    artifacts: Path,
    command: Sequence[str],
    narrator: Narrator | None = None,
    *,
    promote: bool = True,
    track_to: Destination | None = None,
) -> RunResult:
    """Prepare, split, fit and judge every model, publish the best and write the report.

    The best model is the one with the highest `evaluation.select_by` on valid, or on test where there is no valid.
    Nothing is left behind by a run that is interrupted: the bundle and the run's folder each appear whole.

    Args:
        config: what to do.
        artifacts: folder for `bundles/` and `runs/`.
        command: what to type for the same result; the report tells it.
        narrator: told of each stage.
        promote: make the bundle the live one.
        track_to: where the run is sent once it is whole; a failure there is told, and loses nothing.

    Raises:
        ArtifactError: nothing can be written into `artifacts`.
        ConfigError: it was started by torchrun; only `train` is shared between processes.
    """
    narrator = narrator or Silence()
    if num_processes() > 1:
        raise ConfigError(
            f"`foretaste run` judges and publishes in one process and was started in {num_processes()}; "
            "train with `torchrun --nproc-per-node N -m foretaste train CONFIG`, then judge with "
            "`foretaste evaluate CONFIG --bundle ID`."
        )
    for spec in config.models.values():
        check_trainable(spec.type, spec.hyperparameters)
    for name in ("bundles", "runs"):
        check_writable(artifacts / name)
    config, started_at = pinned(config.model_copy(update={"tracking": None})), datetime.now(UTC)
    divided = divide(config, narrator)
    check_judgeable(config.evaluation, divided)
    judged = [judge(label, config, divided, narrator) for label in config.models]
    best = choose(judged, config.evaluation.select_by)

    warnings = _warnings(divided, judged, best, config.evaluation.select_by)

    dataset = divided.dataset(divided.history)
    examination, diagnoses = _diagnose(dataset, judged, config, narrator)
    with claimed_run_id(artifacts / "runs", started_at, config.name) as run_id:
        contents = BundleContents.of(
            best.spec.type,
            best.model,
            dataset,
            seed=config.seed,
            metrics=metrics_json(best.test),
            run_id=run_id,
            experiment=config.resolved(),
        )
        report = ReportInput(
            run_id=run_id,
            command=shlex.join(command),
            dataset=dataset,
            test=divided.split.test,
            audit=divided.prepared.audit,
            split_method=divided.split.method,
            parts=summarise(divided.split),
            results=[_model_result(one) for one in judged],
            best=best.label,
            select_by=config.evaluation.select_by,
            config=config.resolved(),
            versions=versions(),
            warnings=warnings,
            examination=examination,
            diagnoses=diagnoses,
            truth=_truth(judged, config.evaluation.select_by, dataset.interactions.num_users),
        )
        store = BundleStore(artifacts / "bundles")
        bundle = store.publish(contents, promote=promote, reason=f"best of run {run_id}")
        result = RunResult(
            run_id,
            artifacts / "runs" / run_id,
            bundle.id,
            divided,
            judged,
            best.label,
            config.evaluation,
            warnings,
            report.truth,
        )
        _write(result, config, compose(report), diagnoses, provenance(bundle, started_at))
    narrator.say("bundle", f"{store.root / bundle.id}{'  → production' if promote else ''}")
    narrator.say("report", str(result.report_html))
    if track_to is not None:
        send_or_tell(result.folder, track_to, artifacts, narrator)
    tell_registries(store, narrator)
    return result


def choose(judged: Sequence[Judged], select_by: str) -> Judged:
    """The model with the highest mean on valid, or on test where there is no valid; the first of equals.

    Where the split rolls, it is the mean over all windows.
    """
    return max(judged, key=lambda one: mean([window.valid or window.test for window in one.windows], select_by))


def _diagnose(
    dataset: Dataset, judged: Sequence[Judged], config: ExperimentConfig, narrator: Narrator
) -> tuple[Examination | None, list[Diagnosis]]:
    """What the models are like inside; nothing where the config does not ask."""
    if not config.diagnostics.enabled:
        return None, []
    with narrator.progress("diagnose") as progress:
        examination, diagnoses = Examination(dataset, config.diagnostics), []
        for done, one in enumerate(judged, 1):
            diagnoses.append(examination.diagnose(one.label, one.model, one.test))
            progress(done, len(judged), {})
    return examination, diagnoses


def _warnings(divided: Divided, judged: Sequence[Judged], best: Judged, metric: str) -> list[EvaluationWarning]:
    values = {one.label: one.test.values[metric] for one in judged}
    types = {one.label: one.spec.type for one in judged}
    return [
        *of_split(divided.history, divided.split.test),
        *of_figures(values, types, best.label, metric, best.test.candidates),
    ]


def _truth(judged: Sequence[Judged], metric: str, num_users: int) -> Agreement | None:
    if len(judged) < 2 or any(one.truth is None for one in judged):
        return None
    biased, unbiased = (
        np.column_stack([_by_user(one, metric, num_users) for one in evaluations])
        for evaluations in ([one.test for one in judged], [one.truth for one in judged if one.truth])
    )
    labels, candidates = [one.label for one in judged], judged[0].test.candidates
    return agreement(metric, labels, biased, unbiased, candidates=candidates)


def _by_user(evaluation: Evaluation, metric: str, num_users: int) -> DoubleArray:
    """value_U: NaN for a user who was not judged."""
    value_U = np.full(num_users, np.nan)
    value_U[evaluation.user_B] = evaluation.values[metric]
    return value_U


def _model_result(judged: Judged) -> ModelResult:
    earlier = tuple(window.test for window in judged.earlier)
    return ModelResult(judged.label, judged.fit_seconds, judged.valid, judged.test, judged.learning_curve, earlier)


def _write(
    result: RunResult,
    config: ExperimentConfig,
    report: Document,
    diagnoses: Sequence[Diagnosis],
    origin: dict[str, Any],
) -> None:
    """The folder of the run: report, resolved config, figures, and each model's outcome per user and per epoch."""
    root = result.folder.parent
    root.mkdir(parents=True, exist_ok=True)
    with atomic.unfinished_folder(root) as folder:
        write_report(folder, report)
        write_provenance(folder, origin)
        resolved = yaml.safe_dump(config.resolved(), sort_keys=False, allow_unicode=True)
        (folder / CONFIG_FILE).write_text(resolved, encoding="utf-8")
        line = json.dumps(result.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / RESULT_FILE).write_text(line + "\n", encoding="utf-8")
        if diagnoses:
            told = json.dumps([asdict(one) for one in diagnoses], indent=2, ensure_ascii=False, allow_nan=False)
            (folder / DIAGNOSTICS_FILE).write_text(told + "\n", encoding="utf-8")
        test = result.divided.split.test
        for judged in result.judged:
            write_outcome(folder, judged.label, judged.test, test.users, test.items)
            write_earlier_windows(folder, judged.label, [window.test for window in judged.earlier], test.users)
            if judged.truth is not None:
                write_per_user(folder, TRUTH, judged.label, judged.truth, test.users)
            if len(judged.learning_curve):
                judged.learning_curve.write_parquet(folder / f"learning_curve.{judged.label}.parquet")
        atomic.finish(folder, result.run_id)
