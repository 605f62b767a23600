"""Beginning a training where a bundle ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from foretaste.artifacts.bundle import Bundle
from foretaste.config import ModelSpec
from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ConfigError
from foretaste.models.protocol import WarmStart
from foretaste.models.warm_start import obstacle
from foretaste.pipelines.experiment import may_stop_early


@dataclass(frozen=True, eq=False)
class Beginning:
    """A model that is to be trained, and the bundle where its training begins."""

    spec: ModelSpec
    bundle: Bundle

    @property
    def warm_start(self) -> WarmStart:
        """What the model is given."""
        bundle, manifest = self.bundle, self.bundle.manifest
        return WarmStart(bundle.id, manifest.model, manifest.config, bundle.state, bundle.users, bundle.items)

    def told(self, events: Interactions) -> str:
        """How much of the vocabulary is known already."""
        users = _known(events.users, self.bundle.users, "users")
        return f"begins at {self.bundle.id}, which knows {users} and {_known(events.items, self.bundle.items, 'items')}"


def begin_at(bundle: Bundle, spec: ModelSpec) -> Beginning | str:
    """Where the training of `spec` begins; or why it cannot begin at the bundle, with the remedy.

    A model that stops early takes the number of epochs from the bundle: events that are held out to find it anew may be
    among those that the bundle has learnt.
    """
    reason = obstacle(spec.type, spec.hyperparameters, Beginning(spec, bundle).warm_start)
    if reason is not None:
        return reason
    if may_stop_early(spec):
        told = spec.hyperparameters.resolved()
        told["training"] |= {"epochs": bundle.manifest.config["training"]["epochs"], "early_stopping": None}
        hyperparameters = type(spec.hyperparameters).model_validate(told)
        spec = spec.model_copy(update={"hyperparameters": hyperparameters})
    return Beginning(spec, bundle)


def beginnings(bundle: Bundle, models: Mapping[str, ModelSpec]) -> dict[str, Beginning]:
    """Label → where its training begins, for every model of the bundle's type.

    Raises:
        ConfigError: there is no such model, or one that cannot begin at the bundle.
    """
    of_its_type = {label: spec for label, spec in models.items() if spec.type == bundle.manifest.model}
    if not of_its_type:
        types = ", ".join(sorted({spec.type for spec in models.values()}))
        raise ConfigError(
            f"--warm-start: bundle '{bundle.id}' is of type '{bundle.manifest.model}', and what is to be trained is of "
            f"type {types}; name a bundle of that type, or train without --warm-start."
        )
    begun = {}
    for label, spec in of_its_type.items():
        found = begin_at(bundle, spec)
        if isinstance(found, str):
            raise ConfigError(f"--warm-start: models.{label}: {found}")
        begun[label] = found
    return begun


def _known(now: Vocabulary, before: Vocabulary, noun: str) -> str:
    return f"{int((before.indices(now.ids) >= 0).sum()):,} of {len(now):,} {noun}"
