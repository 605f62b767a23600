"""MLflow as a tracker, through its client alone: nothing of its global state is touched.

A run is a parent run with one nested run a model; a bundle is a version in the model registry whose source is the
bundle's folder. There is no flavour and no pickle: what is registered is what is served.

MLflow is imported when a tracker is made, which takes seconds.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from foretaste.errors import TrackingError
from foretaste.tracking.protocol import Point, Registration, TrackedModel, TrackedRun
from foretaste.tracking.uri import is_server, without_password, without_password_of

RUN_ID, BUNDLE_ID, COMPLETE = "foretaste.run_id", "foretaste.bundle_id", "foretaste.complete"
"""Tags."""
_METRICS_A_BATCH = 500
_PARAMS_A_BATCH = 100
_LONGEST_PARAM = 6000
_LONGEST_TAG = 8000
_LONGEST_VERSION_TAG = 5000
_LONGEST_REASON = 300
_QUIET = {
    # A server that is down is told at once; MLflow would try for minutes, and the run can be sent later.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""MLflow takes these from the environment alone; what the user has set stands."""

_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's page then opens with runs and curves, not with traces of language models."""

_Item = TypeVar("_Item")


class MLflowTracker:
    """One MLflow store or server."""

    def __init__(self, uri: str, artifacts: Path) -> None:
        """Connect.

        Args:
            uri: `sqlite:///file.db`, another database, or `http://server`.
            artifacts: folder for the files of runs, where `uri` is no server that keeps them itself.

        Raises:
            TrackingError: the store cannot be opened.
        """
        self._uri, self._artifacts = uri, artifacts
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        with self._explained():
            from mlflow import MlflowClient

            for name in ("mlflow", "alembic", "urllib3"):
                logging.getLogger(name).setLevel(logging.ERROR)
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def send(self, run: TrackedRun, experiment: str, model: str) -> Registration:
        """Keep a run, and register its bundle; what an earlier attempt left half done is done anew."""
        with self._explained():
            experiment_id = self._experiment_id(experiment)
            earlier = self._client.search_runs([experiment_id], f"tags.\"{RUN_ID}\" = '{run.run_id}'")
            for each in earlier:
                if each.data.tags.get(COMPLETE):
                    return self._registered(each.info.run_id, run, model)
            for each in earlier:
                self._client.delete_run(each.info.run_id)
            parent = self._client.create_run(
                experiment_id, run.started_at_ms, {**_fitting(run.tags), RUN_ID: run.run_id}, run.run_id
            )
            parent_id = parent.info.run_id
            for model_run in run.models:
                self._send_model(model_run, run, experiment_id, parent_id)
            self._log(parent_id, run.params, _points(run.metrics), run.finished_at_ms)
            for path in run.files:
                self._client.log_artifact(parent_id, str(path))
            registration = self._registered(parent_id, run, model)
            self._client.set_terminated(parent_id, "FINISHED", run.finished_at_ms)
            self._client.set_tag(parent_id, COMPLETE, "true")
            return registration

    def set_aliases(self, model: str, aliases: Mapping[str, str | None]) -> None:
        """Let each alias of a registered model name a version; None takes it away."""
        with self._explained():
            standing = {
                name: str(version) for name, version in self._client.get_registered_model(model).aliases.items()
            }
            for alias, version in aliases.items():
                if version is not None and standing.get(alias) != version:
                    self._client.set_registered_model_alias(model, alias, version)
                elif version is None and alias in standing:
                    self._client.delete_registered_model_alias(model, alias)

    def set_version_tags(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags on a version of a registered model."""
        with self._explained():
            for name, value in tags.items():
                self._client.set_model_version_tag(model, version, name, value[:_LONGEST_VERSION_TAG])

    def _send_model(self, model: TrackedModel, run: TrackedRun, experiment_id: str, parent_id: str) -> None:
        tags = {"mlflow.parentRunId": parent_id, RUN_ID: run.run_id}
        child_id = self._client.create_run(experiment_id, run.started_at_ms, tags, model.label).info.run_id
        self._log(child_id, model.params, [*model.curve, *_points(model.metrics)], run.finished_at_ms)
        self._client.set_terminated(child_id, "FINISHED", run.finished_at_ms)

    def _log(self, run: str, params: Mapping[str, str], points: Sequence[Point], at_ms: int) -> None:
        from mlflow.entities import Metric, Param

        metrics = [Metric(point.name, point.value, at_ms, point.epoch) for point in points]
        for metric_batch in _batches(metrics, _METRICS_A_BATCH):
            self._client.log_batch(run, metrics=metric_batch)
        for param_batch in _batches(list(params.items()), _PARAMS_A_BATCH):
            self._client.log_batch(run, params=[Param(name, value[:_LONGEST_PARAM]) for name, value in param_batch])

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            # A database keeps no files; without a place of its own MLflow would put them into the current folder.
            location = None if is_server(self._uri) else self._artifacts.absolute().as_uri()
            try:
                return str(self._client.create_experiment(name, location, _MODEL_TRAINING))
            except MlflowException:  # another process was first
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _registered(self, run: str, tracked: TrackedRun, model: str) -> Registration:
        """The version whose source is the bundle, made where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        bundle = tracked.bundle
        for version in self._client.search_model_versions(f"name = '{model}'"):
            if version.tags.get(BUNDLE_ID) == bundle.bundle_id:
                return Registration(run, model, str(version.version))
        source = bundle.folder.absolute().as_uri()
        if is_server(self._uri):
            # A server takes no folder of another machine for a source: the bundle goes along with the run.
            self._client.log_artifacts(run, str(bundle.folder), "bundle")
            source = f"runs:/{run}/bundle"
        tags = {BUNDLE_ID: bundle.bundle_id, "foretaste.digest": bundle.digest}
        made = self._client.create_model_version(
            model, source, run, tags, description=f"Published by {tracked.run_id}."
        )
        return Registration(run, model, str(made.version))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever MLflow, its database or its connection raise, as one kind of error.

        MLflow lets through what its many backends raise, which have no base in common.
        """
        try:
            yield
        except Exception as error:
            cause = _cause(error)
            told = " ".join(without_password_of(self._uri, f"{type(cause).__name__}: {cause}").split())
            raise TrackingError(f"MLflow at {without_password(self._uri)}: {told[:_LONGEST_REASON]}") from error


def _cause(error: BaseException) -> BaseException:
    """The error of the system at the bottom, as that a connection was refused, where there is one; else the error."""
    deepest = error
    while deepest.__cause__ or deepest.__context__:
        deepest = deepest.__cause__ or deepest.__context__ or deepest
    return deepest if isinstance(deepest, OSError) else error


def _points(metrics: Mapping[str, float]) -> list[Point]:
    return [Point(name, value, 0) for name, value in metrics.items()]


def _fitting(tags: Mapping[str, str]) -> dict[str, Any]:
    return {name: value[:_LONGEST_TAG] for name, value in tags.items()}


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
