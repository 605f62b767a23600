"""A world in which time passes between two trainings, and trainings that went wrong in the second."""

from dataclasses import dataclass, replace

import numpy as np

from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig
from foretaste.data.vocabulary import Vocabulary
from foretaste.models import registry
from foretaste.models.protocol import FitContext

ALS = {"embedding_dim": 16, "iterations": 6}
WHOLE, BEFORE_HOLDOUT, LONG_AGO = 1.0, 0.9, 0.7


@dataclass(frozen=True, eq=False)
class Retraining:
    """All that a guard is given, but for the challenger."""

    dataset: Dataset
    """Every event."""
    contents_then: BundleContents
    """What the champion was published from."""
    champion: Bundle
    history: Interactions
    holdout: Interactions
    root: object

    def contents(self, events=None, seed=1):
        """A bundle's contents around a model that was fitted on some events; on those before the holdout by default."""
        dataset = self.dataset.with_interactions(self.history if events is None else events)
        return trained(dataset, seed)

    def published(self, contents) -> Bundle:
        return publish(self.root, contents)


def trained(dataset, seed=0):
    model = registry.build("als", ALS).fit(dataset, FitContext(seed))
    return BundleContents.of("als", model, dataset, seed=seed)


def publish(root, contents):
    return BundleStore(root).publish(contents, promote=False)


def known_from(dataset: Dataset, events: Interactions) -> Dataset:
    """The dataset as it was prepared when only these events had happened: users and items of later ones are unknown."""
    users, items = np.flatnonzero(events.user_counts()), np.flatnonzero(events.item_counts())
    then = replace(
        events,
        user_N=np.searchsorted(users, events.user_N).astype(np.int32),
        item_N=np.searchsorted(items, events.item_N).astype(np.int32),
        users=Vocabulary(events.users.ids.gather(users)),
        items=Vocabulary(events.items.ids.gather(items)),
    )
    people = None if dataset.users is None else dataset.users[users]
    return Dataset(then, dataset.catalogue[items], dataset.info, people)


def retraining(root, seed=0) -> Retraining:
    """Two trainings in a small world."""
    config = SyntheticConfig(seed=seed, num_users=1000, num_items=300, num_interactions=30_000)
    return between_trainings(root, prepare(read_source(config), PrepareConfig()).dataset)


def between_trainings(root, dataset) -> Retraining:
    """The champion learnt from the oldest 70 % of the events, challengers may from 90 %, the rest is the holdout."""
    events = dataset.interactions
    cut = [int(len(events) * share) for share in (LONG_AGO, BEFORE_HOLDOUT)]
    then = known_from(dataset, events.select(slice(0, cut[0])))
    contents = trained(then)
    champion = publish(root, contents)
    return Retraining(
        dataset, contents, champion, events.select(slice(0, cut[1])), events.select(slice(cut[1], None)), root
    )


def shuffled_users(of: Retraining, rng):
    """Every event went to another user."""
    learnt = replace(of.history, user_N=rng.permutation(of.history.user_N))
    return as_if_from(of, of.contents(learnt))


def shuffled_items(of: Retraining, rng):
    """The vectors of the items were written in another order."""
    contents = of.contents()
    order = rng.permutation(len(contents.items))
    return replace(contents, state={**contents.state, "item_embeddings": contents.state["item_embeddings"][order]})


def truncated(of: Retraining, rng):
    """Half of the events were lost on the way."""
    kept = np.sort(rng.permutation(len(of.history))[: len(of.history) // 2])
    return of.contents(of.history.select(kept))


def half_a_catalogue(of: Retraining, rng):
    """Half of the items were lost."""
    lost = rng.permutation(of.history.num_items)[: of.history.num_items // 2]
    return of.contents(of.history.select(~np.isin(of.history.item_N, lost)))


def not_a_number(of: Retraining, rng):
    """The training diverged."""
    contents = of.contents()
    item_ID = contents.state["item_embeddings"].copy()
    item_ID[rng.integers(len(item_ID))] = np.nan
    return replace(contents, state={**contents.state, "item_embeddings": item_ID})


def collapsed(of: Retraining, rng):
    """All items lie in one direction: everybody is shown the same."""
    contents = of.contents()
    item_ID = contents.state["item_embeddings"]
    popularity_I = of.history.item_counts().astype(np.float32)
    one_way = np.outer(popularity_I / popularity_I.max(), np.abs(item_ID).mean(axis=0)).astype(np.float32)
    user_UD = np.abs(contents.state["user_embeddings"])
    return replace(contents, state={**contents.state, "item_embeddings": one_way, "user_embeddings": user_UD})


def wrong_sign(of: Retraining, rng):
    """What should be high is low."""
    contents = of.contents()
    return replace(contents, state={**contents.state, "item_embeddings": -contents.state["item_embeddings"]})


def stale(of: Retraining, rng):
    """The newest events never arrived: the training saw less than the champion."""
    return of.contents(of.history.select(slice(0, int(len(of.history) * 0.6))))


def leaked(of: Retraining, rng):
    """It learnt from the events that it is judged by."""
    return of.contents(of.dataset.interactions)


def untrained(of: Retraining, rng):
    """It never learnt: the vectors are those that it began with."""
    contents = of.contents()
    noise = {
        name: rng.normal(size=contents.state[name].shape).astype(np.float32)
        for name in ("user_embeddings", "item_embeddings")
    }
    return replace(contents, state={**contents.state, **noise})


def as_if_from(of: Retraining, contents):
    """Contents that claim to come from the right events: what went wrong shows in the figures alone."""
    right = of.contents()
    return replace(right, state=contents.state)


BAD = (
    shuffled_users,
    shuffled_items,
    truncated,
    half_a_catalogue,
    not_a_number,
    collapsed,
    wrong_sign,
    stale,
    leaked,
    untrained,
)
"""Trainings that went wrong on data that is right."""


def all_users_shuffled(of: Retraining, rng):
    events = of.dataset.interactions
    return _parts(of, replace(events, user_N=rng.permutation(events.user_N)))


def new_users_shuffled(of: Retraining, rng):
    return _since(of, lambda user_N, item_N: (rng.permutation(user_N), item_N))


def new_items_shuffled(of: Retraining, rng):
    return _since(of, lambda user_N, item_N: (user_N, rng.permutation(item_N)))


def new_items_renamed(of: Retraining, rng):
    name_I = rng.permutation(of.history.num_items).astype(np.int32)
    return _since(of, lambda user_N, item_N: (user_N, name_I[item_N]))


def new_items_at_random(of: Retraining, rng):
    num_items = of.history.num_items
    return _since(of, lambda user_N, item_N: (user_N, rng.integers(num_items, size=len(item_N), dtype=np.int32)))


def robots(of: Retraining, rng):
    """Half of the new events are of three items."""
    return _since(of, lambda user_N, item_N: (user_N, np.where(rng.random(len(item_N)) < 0.5, item_N % 3, item_N)))


def lost_users(of: Retraining, rng):
    kept_U = rng.random(of.history.num_users) < 0.5
    return of.history.select(kept_U[of.history.user_N]), of.holdout.select(kept_U[of.holdout.user_N])


def lost_events(of: Retraining, rng):
    return of.history.select(rng.random(len(of.history)) < 0.4), of.holdout


def lost_items(of: Retraining, rng):
    kept_I = rng.random(of.history.num_items) < 0.5
    return of.history.select(kept_I[of.history.item_N]), of.holdout.select(kept_I[of.holdout.item_N])


def old_events(of: Retraining, rng):
    """What is new never arrived, and the holdout is of long ago."""
    num_old = int(len(of.history) * 0.65)
    return of.history.select(slice(0, num_old)), of.history.select(slice(num_old, num_old + 2000))


BAD_DATA = (
    all_users_shuffled,
    new_users_shuffled,
    new_items_shuffled,
    new_items_renamed,
    new_items_at_random,
    robots,
    lost_users,
    lost_events,
    lost_items,
    old_events,
)
"""Data that went wrong before the training: history and holdout alike."""


def _since(of: Retraining, change):
    """Only the events that the champion did not learn are changed."""
    events = of.dataset.interactions
    first = int(len(events) * LONG_AGO)
    user_N, item_N = events.user_N.copy(), events.item_N.copy()
    user_N[first:], item_N[first:] = change(user_N[first:], item_N[first:])
    return _parts(of, replace(events, user_N=user_N, item_N=item_N))


def _parts(of: Retraining, events):
    """History and holdout of changed events; of a repeated pair the last event counts, as in preparation."""
    pair_N = events.user_N.astype(np.int64) * events.num_items + events.item_N
    _, from_end_N = np.unique(pair_N[::-1], return_index=True)
    is_last_N = np.zeros(len(pair_N), dtype=bool)
    is_last_N[len(pair_N) - 1 - from_end_N] = True
    before = np.arange(len(pair_N)) < len(of.history)
    return events.select(is_last_N & before), events.select(is_last_N & ~before)
