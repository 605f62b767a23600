"""The stages that every pipeline shares: from a config to prepared data, to a split, to fitted and judged models."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from foretaste.config import ExperimentConfig, ModelSpec
from foretaste.data.interactions import Dataset, Interactions, Split
from foretaste.data.prepare import Audit, Prepared, check_engine, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.tables import TablesConfig
from foretaste.data.sources.tables import read as read_table
from foretaste.data.splits import PartSummary, num_windows, split, summarise
from foretaste.evaluation.learning_curve import REFIT, TRAIN, LearningCurve
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig, check_events, evaluate
from foretaste.evaluation.truth import truth_protocol, truth_test
from foretaste.models.protocol import EpochReport, FitContext, Recommender, StopsEarly, WarmStart, no_epoch
from foretaste.models.registry import build
from foretaste.pipelines.narration import Narrator


@dataclass(frozen=True, eq=False)
class Divided:
    """Prepared data and its split."""

    prepared: Prepared
    split: Split
    earlier: tuple[Split, ...] = ()
    """The test windows before this one, oldest first, where the split rolls."""

    @property
    def history(self) -> Interactions:
        """Everything before test: what a model that is tested or served may know."""
        return self.split.train if self.split.valid is None else self.split.train.joined(self.split.valid)

    def dataset(self, interactions: Interactions) -> Dataset:
        """The catalogue and users around some of the events."""
        return self.prepared.dataset.with_interactions(interactions)


@dataclass(frozen=True, eq=False)
class Judged:
    """A model that was fitted and tested."""

    label: str
    spec: ModelSpec
    model: Recommender
    fit_seconds: float
    """Wall time of the fit that was tested."""
    valid: Evaluation | None
    """None where the split has no validation part."""
    test: Evaluation
    learning_curve: pl.DataFrame
    """A row an epoch of both fits, as `LearningCurve.frame` has it."""
    truth: Evaluation | None = None
    """On what was drawn for the users at random; None where the source brings no such ratings."""
    earlier: tuple["Judged", ...] = ()
    """The same for the test windows before, oldest first, where the split rolls."""

    @property
    def windows(self) -> tuple["Judged", ...]:
        """Every test window, oldest first; the last is this one."""
        return (*self.earlier, self)


def pinned(config: ExperimentConfig) -> ExperimentConfig:
    """The same config, which tells to which row of a service's log it reads; as it is where it reads none.

    Raises:
        ConfigError: the log's database is none that can be used.
        DataError: there are no logs, or their database does not answer.
    """
    if config.feedback is None:
        return config
    from foretaste.data.feedback_events import pinned as pinned_feedback

    return config.model_copy(update={"feedback": pinned_feedback(config.feedback)})


def prepare_data(config: ExperimentConfig, narrator: Narrator) -> Prepared:
    """Read the source and prepare its events."""
    check_engine(config.prepare)
    raw = read_source(config.data, config.bad_rows)
    if config.evaluation.candidate_file is not None:
        given = read_table(TablesConfig(path=config.evaluation.candidate_file), config.bad_rows)
        raw = replace(raw, negatives=given.interactions, resources=(*raw.resources, *given.resources))
    if config.erasures is not None:
        from foretaste.data.erased_users import without_erased  # brings SQLAlchemy, which few trainings need

        raw = without_erased(raw, config.erasures)
    if config.feedback is not None:
        from foretaste.data.feedback_events import with_feedback

        raw = with_feedback(raw, config.feedback)
    prepared = prepare(raw, config.prepare)
    narrator.say("prepare", _prepared_line(prepared.audit))
    for remark in prepared.audit.remarks:
        narrator.say("", f"{remark.reason}: {remark.count:,}")
    return prepared


def divide(config: ExperimentConfig, narrator: Narrator) -> Divided:
    """Read, prepare and split."""
    prepared = prepare_data(config, narrator)
    newest, *before = (split(prepared, config.split, window) for window in range(num_windows(config.split)))
    divided = Divided(prepared, newest, tuple(reversed(before)))
    narrator.say("split", _split_line(newest.method, summarise(newest)))
    for window in divided.earlier:
        narrator.say("", f"an earlier window: {_parts_line(summarise(window))}")
    return divided


def check_judgeable(config: EvaluationConfig, divided: Divided) -> None:
    """Refuse, before anything is fitted, what could not be judged in the end.

    Raises:
        DataError: there is nothing to judge, or candidates were asked for that the data does not bring.
    """
    for window in (*divided.earlier, divided.split):
        check_events(config, window.test, divided.prepared.negatives)


def fit(
    spec: ModelSpec,
    dataset: Dataset,
    valid: Interactions | None,
    seed: int,
    label: str,
    narrator: Narrator,
    *,
    checkpoint_dir: Path | None = None,
    resume: bool = False,
    on_epoch: EpochReport = no_epoch,
    warm_start: WarmStart | None = None,
) -> tuple[Recommender, float]:
    """A fitted model, and the wall seconds that fitting took."""
    with narrator.progress(f"fit {label}") as progress:
        started = time.perf_counter()
        context = FitContext(seed, valid, progress, checkpoint_dir, resume, on_epoch, warm_start)
        model = build(spec.type, spec.hyperparameters).fit(dataset, context)
        return model, time.perf_counter() - started


def refit_spec(spec: ModelSpec, model: Recommender) -> ModelSpec:
    """What to train when nothing is held out any more: `spec`, as long as it served `model` best on valid."""
    if not isinstance(model, StopsEarly):
        return spec
    return spec.model_copy(update={"hyperparameters": model.refit_config()})


def learns_by_gradient(spec: ModelSpec) -> bool:
    """True for a model that is trained by the loop of `training/`, which several processes can share."""
    return hasattr(spec.hyperparameters, "training")


def may_stop_early(spec: ModelSpec) -> bool:
    """True where the length of the training is to be found on valid."""
    training = getattr(spec.hyperparameters, "training", None)
    return training is not None and training.early_stopping is not None


def judge(label: str, config: ExperimentConfig, divided: Divided, narrator: Narrator) -> Judged:
    """Fit one model on train and judge it on valid; fit it again on all before test, and test it.

    Where the split rolls, the same for each earlier window.
    """
    earlier = [
        _judge(label, config, replace(divided, split=window, earlier=()), narrator) for window in divided.earlier
    ]
    return replace(_judge(label, config, divided, narrator), earlier=tuple(earlier))


def _judge(label: str, config: ExperimentConfig, divided: Divided, narrator: Narrator) -> Judged:
    spec, parts, curve = config.models[label], divided.split, LearningCurve()
    genres_IG, _ = divided.prepared.dataset.genre_matrix()
    model, seconds = fit(
        spec,
        divided.dataset(parts.train),
        parts.valid,
        config.seed,
        label,
        narrator,
        on_epoch=curve.listener(TRAIN),
    )
    on_valid = None
    if parts.valid is not None:
        on_valid = evaluate(model, parts.train, parts.valid, validation_protocol(config), genres_IG=genres_IG)
        if config.refit:
            again = refit_spec(spec, model)
            dataset = divided.dataset(divided.history)
            model, seconds = fit(again, dataset, None, config.seed, label, narrator, on_epoch=curve.listener(REFIT))
    negatives = divided.prepared.negatives
    on_test = evaluate(model, divided.history, parts.test, config.evaluation, negatives, genres_IG)
    on_truth = None
    if divided.prepared.truth is not None:
        liked, drawn = truth_test(divided.prepared.truth, divided.history, config.evaluation.truth_min_rating)
        on_truth = evaluate(model, divided.history, liked, truth_protocol(config.evaluation), drawn)
    narrator.say("fit", f"{label}  {seconds:.1f} s")
    return Judged(label, spec, model, seconds, on_valid, on_test, curve.frame(), on_truth)


def validation_protocol(config: ExperimentConfig) -> EvaluationConfig:
    """Valid is ranked against all items: given negatives belong to the test items, and drawn ones mislead."""
    return config.evaluation.model_copy(update={"candidates": "all", "candidate_file": None})


def _prepared_line(audit: Audit) -> str:
    drops = " · ".join(f"{note.reason} {note.count:,} ({note.count / audit.rows_read:.1%})" for note in audit.dropped)
    sizes = f"{audit.num_users:,} users × {audit.num_items:,} items"
    kept = f"{audit.rows_read:,} rows → {audit.rows_kept:,} kept"
    return f"{kept}  {sizes}" + (f"  dropped: {drops}" if drops else "")


def _split_line(method: str, parts: dict[str, PartSummary]) -> str:
    return f"{method.replace('_', ' ')}: {_parts_line(parts)}"


def _parts_line(parts: dict[str, PartSummary]) -> str:
    told = []
    for name, part in parts.items():
        unknown = f" ({part.unknown_events:,} unknown to train)" if part.unknown_events else ""
        told.append(f"{name} {part.events:,}{unknown}")
    return " · ".join(told)
