"""A model from all that a shop has, trained without a holdout and without a judge."""

from foretaste.artifacts.bundle import BundleContents
from foretaste.config import ExperimentConfig
from foretaste.pipelines.experiment import fit, prepare_data
from foretaste.pipelines.narration import Silence


def unjudged(experiment: ExperimentConfig) -> BundleContents:
    """The one model of an experiment, fitted on all of its data."""
    ((label, spec),) = experiment.models.items()
    dataset = prepare_data(experiment, Silence()).dataset
    model, _ = fit(spec, dataset, None, experiment.seed, label, Silence())
    return BundleContents.of(spec.type, model, dataset, seed=experiment.seed, experiment=experiment.resolved())
