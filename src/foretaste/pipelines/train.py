"""Fit without judging, and judge what was fitted before."""

import shutil
from pathlib import Path

from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.artifacts.writable import check_writable
from foretaste.config import ExperimentConfig, ModelSpec
from foretaste.errors import ArtifactError, ConfigError
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.protocol import evaluate as evaluate_model
from foretaste.models.registry import check_trainable
from foretaste.pipelines.experiment import Divided, divide, fit, learns_by_gradient, may_stop_early, pinned, refit_spec
from foretaste.pipelines.narration import Narrator, Silence
from foretaste.pipelines.promotion import tell_registries
from foretaste.pipelines.warm_start import Beginning, beginnings
from foretaste.training.processes import is_writer, joined, num_processes

CHECKPOINTS = "checkpoints"
"""Folder, in that of the artifacts, of trainings that can be continued: one for each config and model."""


def train(
    config: ExperimentConfig,
    artifacts: Path,
    narrator: Narrator,
    *,
    label: str | None = None,
    promote: bool = False,
    resume: bool = False,
    divided: Divided | None = None,
    warm_start: str | None = None,
) -> dict[str, Bundle]:
    """Fit models on all events before test, and write a bundle of each.

    A model that stops early is first trained without valid, to find out how long. Interrupted, a model that learns by
    gradient leaves a checkpoint in `checkpoints/<name>-<label>`, which goes once its bundle is written.

    Under torchrun the processes share the training of a model that learns by gradient. All else is done by the first of
    them alone: it fits the other models, writes the bundles and tells the stages.

    Args:
        config: the experiment.
        artifacts: folder for `bundles/` and `checkpoints/`.
        narrator: told of each stage.
        label: one model of the config; None for all.
        promote: make the last bundle the live one.
        resume: continue what was interrupted.
        divided: the config's data, prepared and split; None reads it.
        warm_start: id of a bundle, or `production`, where the training of the models of its type begins; others begin
            cold.

    Returns:
        Label → bundle; empty for a process that only helps to train.

    Raises:
        ConfigError: the config has no such model, or none that can begin at the bundle of `warm_start`; or a model of
            several learns by gradient inside another, under torchrun.
        ArtifactError: there is no such bundle, or nothing can be written into `artifacts`.
    """
    if label is not None and label not in config.models:
        raise ConfigError(f"no model '{label}' in the config; it has {', '.join(config.models)}.")
    config = pinned(config.model_copy(update={"tracking": None}))  # where runs are sent is no part of a bundle
    labels = list(config.models) if label is None else [label]
    if num_processes() > 1:
        _check_shared({each: config.models[each] for each in labels})
    store = BundleStore(artifacts / "bundles")
    begun: dict[str, Beginning] = {}
    if warm_start is not None:
        begun = beginnings(store.open(warm_start), {each: config.models[each] for each in labels})
    if not is_writer():
        labels, narrator = [each for each in labels if learns_by_gradient(config.models[each])], Silence()
    for each in labels:
        check_trainable(config.models[each].type, config.models[each].hyperparameters)
    check_writable(artifacts / "bundles")
    divided = divide(config, narrator) if divided is None else divided
    dataset = divided.dataset(divided.history)
    bundles = {}
    with joined():
        for each in labels:
            beginning = begun.get(each)
            spec = config.models[each] if beginning is None else beginning.spec
            if warm_start is not None:
                told = "begins cold" if beginning is None else beginning.told(dataset.interactions)
                narrator.say("train", f"{each} {told}")
            checkpoints = artifacts / CHECKPOINTS / f"{config.name}-{each}"
            if may_stop_early(spec) and divided.split.valid is not None:
                known, valid, trial = divided.dataset(divided.split.train), divided.split.valid, checkpoints / "length"
                model, _ = fit(spec, known, valid, config.seed, each, narrator, checkpoint_dir=trial, resume=resume)
                spec = refit_spec(spec, model)
            model, seconds = fit(
                spec,
                dataset,
                None,
                config.seed,
                each,
                narrator,
                checkpoint_dir=checkpoints,
                resume=resume,
                warm_start=None if beginning is None else beginning.warm_start,
            )
            if not is_writer():
                continue
            contents = BundleContents.of(
                spec.type,
                model,
                dataset,
                seed=config.seed,
                experiment=config.resolved(),
                begun_from=None if beginning is None else beginning.bundle.manifest,
            )
            is_live = promote and each == labels[-1]
            bundles[each] = store.publish(contents, promote=is_live, reason="trained")
            shutil.rmtree(checkpoints, ignore_errors=True)
            arrow = "  → production" if is_live else ""
            narrator.say("train", f"{each}  {seconds:.1f} s  {store.root / bundles[each].id}{arrow}")
    if promote and is_writer():
        tell_registries(store, narrator)
    return bundles


def _check_shared(specs: dict[str, ModelSpec]) -> None:
    """Refuse what several processes would never end: they share the training of a model, and not of models in it."""
    for label, spec in specs.items():
        inner: dict[str, ModelSpec] = getattr(spec.hyperparameters, "retrievers", {})
        shared = [f"retrievers.{name}" for name, one in inner.items() if learns_by_gradient(one)]
        if shared:
            raise ConfigError(
                f"models.{label}: {', '.join(shared)} learns by gradient, and torchrun started {num_processes()} "
                f"processes, which cannot share a training inside another; train it in one process, as in "
                f"`foretaste train CONFIG --model {label}`, and the others with --model and torchrun."
            )


def evaluate_bundle(config: ExperimentConfig, bundle: Bundle, narrator: Narrator) -> Evaluation:
    """Judge a bundle on the test part of the config's data.

    Raises:
        ArtifactError: the bundle learnt from other events than those before test, so that its figure would mean
            nothing, or would be flattered by test events that it has seen.
    """
    divided = divide(config, narrator)
    if bundle.manifest.data_fingerprint != divided.history.fingerprint:
        raise ArtifactError(
            f"bundle {bundle.id} was trained on other events than those before test in this config "
            f"(data {bundle.manifest.source.name}, {bundle.manifest.num_interactions:,} pairs); "
            f"judge it with the config that made it, or train anew with `foretaste train CONFIG`."
        )
    genres_IG, _ = divided.prepared.dataset.genre_matrix()
    return evaluate_model(
        bundle.model(), divided.history, divided.split.test, config.evaluation, divided.prepared.negatives, genres_IG
    )
