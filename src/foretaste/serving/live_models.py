"""The bundles that answer now, and how others take their place without a request being dropped.

What answers is one reference to an immutable value. A request takes it once and keeps it to its end; a swap replaces
it. A bundle is loaded beside the one that answers, verified against its hashes, restored and asked for recommendations
before it takes over. One that fails changes nothing, and `problems` says why.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import PRODUCTION, BundleStore
from foretaste.errors import ArtifactError, ForetasteError, RequestError
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.experiments import DEFAULT_VARIANT, Arms
from foretaste.serving.settings import ServingConfig

MakeEngine = Callable[[Bundle], Engine]
_SMOKE_K = 10


@dataclass(frozen=True, eq=False)
class Served:
    """A bundle that answers, and for which variant."""

    variant: str
    engine: Engine
    share: float

    @cached_property
    def trained_until(self) -> float | None:
        """The last moment that the model knows of, UTC seconds; None where its data had no times."""
        window = self.engine.bundle.manifest.training_window
        return datetime.fromisoformat(window.last).timestamp() if window else None

    @cached_property
    def min_rating(self) -> float | None:
        """The rating from which the model's training took an item for liked; None where it took all."""
        prepared = self.engine.bundle.manifest.experiment.get("prepare") or {}
        rating = prepared.get("min_rating")
        return None if rating is None else float(rating)


@dataclass(frozen=True, eq=False)
class Loaded:
    """All that answers at one moment."""

    default: Served
    variants: tuple[Served, ...] = ()
    arms: Arms | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    """Variant → why its bundle does not answer."""

    def choose(self, user_id: str | None) -> Served:
        """What answers a user; the default for whoever has no id."""
        if self.arms is None or user_id is None:
            return self.default
        return (*self.variants, self.default)[self.arms.arm(user_id)]

    def named(self, variant: str) -> Served:
        """What answers for a variant.

        Raises:
            RequestError: none is called so.
        """
        for each in self.served:
            if each.variant == variant:
                return each
        known = ", ".join(each.variant for each in self.served)
        raise RequestError(f"unknown variant '{variant}'; expected one of {known}.")

    @property
    def served(self) -> tuple[Served, ...]:
        """The default and the variants."""
        return (self.default, *self.variants)

    @property
    def versions(self) -> set[str]:
        """The bundle ids."""
        return {each.engine.model_version for each in self.served}


class LiveModels:
    """Keeps what is loaded in step with the store.

    Args:
        store: where the bundles are.
        config: which bundles, the experiment, and when a refused bundle is tried again.
        make_engine: from an opened bundle to what answers.
        on_swap: called with what answered before and what answers now, in the thread that loaded it.

    Raises:
        ArtifactError: the bundle of the config cannot be served.
    """

    def __init__(
        self,
        store: BundleStore,
        config: ServingConfig,
        *,
        make_engine: MakeEngine = Engine,
        on_swap: Callable[[Loaded, Loaded], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._config, self._make_engine, self._clock = config, make_engine, clock
        self.on_swap = on_swap
        self._lock = threading.Lock()
        self._refused: dict[str, tuple[float, str]] = {}
        self.item_noun: str | None = None
        engine = self._load(store.folder(config.bundle).name)
        self.item_noun = engine.item_noun
        self._current = self._completed(self._default(engine), {engine.model_version: engine}, {})

    @property
    def current(self) -> Loaded:
        """What answers now. To be read once a request."""
        return self._current

    def is_behind(self) -> bool:
        """Whether what answers is not what the store names, or a problem is told that is over; reads one link."""
        loaded = self._current
        wanted = {DEFAULT_VARIANT: (self._config.bundle, loaded.default)}
        if self._config.experiment:
            for variant, served in zip(self._config.experiment.variants, loaded.variants, strict=True):
                wanted[variant.name] = (variant.bundle, served)
        production = self.store.production_id()
        behind = {
            name: bundle_id
            for name, (bundle, served) in wanted.items()
            if (bundle_id := production if bundle == PRODUCTION else bundle) != served.engine.model_version
        }
        return any(bundle_id and not self._was_refused(bundle_id) for bundle_id in behind.values()) or bool(
            loaded.problems.keys() - behind.keys()
        )

    def refresh(self, *, retry: bool = False) -> Literal["swapped", "unchanged"]:
        """Load what the store names and let it answer.

        Args:
            retry: try bundles again that were refused before.

        Raises:
            ArtifactError: the default's bundle cannot be served; the one before goes on answering.
        """
        with self._lock:
            if retry:
                self._refused.clear()
            before = self._current
            engines = {each.engine.model_version: each.engine for each in before.served}
            default, problems = before.default, dict[str, str]()
            try:
                default = self._default(self._engine(self.store.folder(self._config.bundle).name, engines))
            except ForetasteError as error:
                problems[DEFAULT_VARIANT] = f"{error} '{default.engine.model_version}' goes on answering."
            self._current = self._completed(default, engines, problems)
            changed = [each.engine for each in self._current.served] != [each.engine for each in before.served]
            if changed and self.on_swap:
                self.on_swap(before, self._current)
        if DEFAULT_VARIANT in problems:
            raise ArtifactError(problems[DEFAULT_VARIANT])
        return "swapped" if changed else "unchanged"

    def _completed(self, default: Served, engines: dict[str, Engine], problems: dict[str, str]) -> Loaded:
        """The default together with the variants of the experiment; those that cannot be served are the default's."""
        experiment = self._config.experiment
        if experiment is None:
            return Loaded(default, problems=problems)
        variants = []
        for variant in experiment.variants:
            try:
                engine = self._engine(self.store.folder(variant.bundle).name, engines)
                variants.append(Served(variant.name, engine, variant.share))
            except ForetasteError as error:
                problems[variant.name] = f"{error} The default answers in its place."
                variants.append(Served(DEFAULT_VARIANT, default.engine, variant.share))
        arms = Arms(experiment.name, [variant.share for variant in experiment.variants])
        return Loaded(default, tuple(variants), arms, problems)

    def _engine(self, bundle_id: str, engines: dict[str, Engine]) -> Engine:
        """The engine of a bundle, among those that are loaded or else loaded now."""
        if bundle_id not in engines:
            if self._was_refused(bundle_id):
                raise ArtifactError(self._refused[bundle_id][1])
            try:
                engines[bundle_id] = self._load(bundle_id)
            except ForetasteError as error:
                self._refused = {other: told for other, told in self._refused.items() if self._was_refused(other)}
                self._refused[bundle_id] = (self._clock(), str(error))
                raise
        return engines[bundle_id]

    def _load(self, bundle_id: str) -> Engine:
        """Open, verify, restore and try a bundle."""
        try:
            engine = self._make_engine(self.store.open(bundle_id))
            engine.warm_up()
            answer = engine.recommend(RecommendRequest(k=_SMOKE_K))
            scores = [item.score for item in answer.items]
        except ForetasteError:
            raise
        except Exception as error:
            raise ArtifactError(f"{bundle_id}: fails when it is asked for recommendations ({error!r:.200}).") from error
        if not scores or not np.isfinite(scores).all():
            raise ArtifactError(f"{bundle_id}: gives no recommendations, or scores that are no numbers.")
        if self.item_noun not in (None, engine.item_noun):
            raise ArtifactError(
                f"{bundle_id}: its items are called '{engine.item_noun}', those that are served '{self.item_noun}', "
                f"and answers would change their field names; start a service of its own for it."
            )
        return engine

    def _was_refused(self, bundle_id: str) -> bool:
        refused = self._refused.get(bundle_id)
        return refused is not None and self._clock() - refused[0] < self._config.hot_swap.retry_seconds

    def _default(self, engine: Engine) -> Served:
        experiment = self._config.experiment
        share = 1.0 - sum(variant.share for variant in experiment.variants) if experiment else 1.0
        return Served(DEFAULT_VARIANT, engine, share)
