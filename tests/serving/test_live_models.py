import gc
import weakref

import pytest

from foretaste.artifacts import atomic
from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import PRODUCTION, BundleStore
from foretaste.errors import ArtifactError, ConfigError
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.serving.experiments import Arms, position
from foretaste.serving.live_models import LiveModels
from foretaste.serving.settings import ExperimentSettings, ServingConfig


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(store, clock):
    def made(**config):
        return LiveModels(store, ServingConfig(store=store.root, **config), clock=clock)

    return made


def ids(store):
    """The popularity bundle and the ALS one, which is live."""
    return [each.bundle_id for each in sorted(store.list(), key=lambda each: each.is_production)]


def flipped(store, name, file):
    """Change one bit of one file of a bundle and point production to it; gives back what mends the file."""
    path = store.root / name / file
    good = path.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    path.write_bytes(bad)
    atomic.replace_link(store.root / PRODUCTION, name)
    return lambda: path.write_bytes(good)


def test_a_promotion_is_noticed_and_answers(store, live):
    models = live()
    popularity, als = ids(store)
    assert models.current.default.engine.model_version == als
    assert not models.is_behind()
    assert models.refresh() == "unchanged"
    before = models.current
    store.promote(popularity)
    assert models.is_behind()
    assert models.refresh() == "swapped"
    assert models.current.default.engine.model_version == popularity
    assert before.default.engine.model_version == als, "a request that took the old one keeps it"
    store.rollback()
    assert models.refresh() == "swapped"
    assert models.current.default.engine.model_version == als


def test_a_model_that_was_replaced_goes_though_no_garbage_is_collected(store, live):
    models = live()
    popularity, _ = ids(store)
    before = weakref.ref(models.current.default.engine)
    gc.collect()
    gc.disable()
    try:
        store.promote(popularity)
        models.refresh()
        assert before() is None, "a server freezes what it has loaded, so that nothing in it is collected"
    finally:
        gc.enable()


def test_every_flipped_bit_is_refused_and_told(store, live, clock):
    models = live()
    popularity, als = ids(store)
    files = sorted(path.name for path in (store.root / popularity).iterdir())
    assert len(files) > 4
    for file in files:
        mend = flipped(store, popularity, file)
        clock.now += 1000
        assert models.is_behind()
        with pytest.raises(ArtifactError, match=f"'{als}' goes on answering"):
            models.refresh()
        assert models.current.default.engine.model_version == als
        told = models.current.problems["default"]
        assert popularity in told
        assert file in told or "model_metadata.json" in told
        assert not models.is_behind(), "what was refused is not read again with each look"
        mend()
    clock.now += 1000
    store.promote(popularity)
    assert models.refresh() == "swapped"
    assert models.current.problems == {}


def test_a_bundle_that_was_refused_is_tried_again_later_or_when_asked(store, live, clock):
    models = live(hot_swap={"retry_seconds": 60})
    popularity, als = ids(store)
    mend = flipped(store, popularity, "item_mapping.parquet")
    with pytest.raises(ArtifactError):
        models.refresh()
    mend()
    with pytest.raises(ArtifactError):
        models.refresh()
    clock.now = 61
    assert models.is_behind()
    assert models.refresh() == "swapped"
    assert models.current.default.engine.model_version == popularity
    mend = flipped(store, als, "item_mapping.parquet")
    with pytest.raises(ArtifactError):
        models.refresh()
    mend()
    assert models.refresh(retry=True) == "swapped"


def test_a_problem_is_over_once_the_store_names_what_answers(store, live):
    models = live()
    popularity, als = ids(store)
    flipped(store, popularity, "item_mapping.parquet")
    with pytest.raises(ArtifactError):
        models.refresh()
    atomic.replace_link(store.root / PRODUCTION, als)
    assert models.is_behind()
    assert models.refresh() == "unchanged"
    assert models.current.problems == {}
    assert not models.is_behind()


def test_a_bundle_that_fails_when_it_is_asked_does_not_answer(store, live, monkeypatch):
    models = live()
    popularity, als = ids(store)
    store.promote(popularity)
    monkeypatch.setattr("foretaste.models.popularity.Popularity.score", lambda self, query: 1 / 0)
    monkeypatch.setattr("foretaste.serving.engine.Engine.warm_up", lambda self: 1 / 0)
    with pytest.raises(ArtifactError, match="fails when it is asked"):
        models.refresh()
    assert models.current.default.engine.model_version == als


def test_a_bundle_of_another_noun_is_refused(store, live, make_dataset, world):
    models = live()
    books = make_dataset([0, 1], [0, 1], 2, world.catalogue.head(2), noun="book")
    model = registry.build("popularity", {}).fit(books, FitContext())
    store.publish(BundleContents.of("popularity", model, books, seed=0))
    with pytest.raises(ArtifactError, match=r"'book'.*'movie'"):
        models.refresh()


def test_who_swaps_is_told_what_was_and_what_is(store, live):
    models, told = live(), []
    models.on_swap = lambda before, after: told.append((before.versions, after.versions))
    popularity, als = ids(store)
    store.promote(popularity)
    models.refresh()
    models.refresh()
    assert told == [({als}, {popularity})]


def test_a_service_does_not_start_on_a_bad_bundle(store, live):
    flipped(store, ids(store)[0], "item_mapping.parquet")
    with pytest.raises(ArtifactError, match="item_mapping"):
        live()


def test_shares_are_kept_and_users_stay():
    arms = Arms("colours", [0.2, 0.3])
    users = [f"user {n}" for n in range(20_000)]
    found = [arms.arm(user) for user in users]
    shares = [found.count(arm) / len(users) for arm in range(3)]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.015)  # four standard errors
    assert found == [Arms("colours", [0.2, 0.3]).arm(user) for user in users]


def test_experiments_of_two_names_divide_users_independently():
    users = [f"user {n}" for n in range(20_000)]
    both = sum(position("a", user) < 0.5 and position("b", user) < 0.5 for user in users)
    assert both / len(users) == pytest.approx(0.25, abs=0.015)


def test_a_users_variant_answers_and_strangers_get_the_default(store, live):
    popularity, als = ids(store)
    experiment = {"name": "e", "variants": [{"name": "pop", "bundle": popularity, "share": 0.5}]}
    models = live(experiment=experiment)
    assert models.current.choose(None).variant == "default"
    for user in (f"u{n}" for n in range(50)):
        served = models.current.choose(user)
        expected = ("pop", popularity) if position("e", user) < 0.5 else ("default", als)
        assert (served.variant, served.engine.model_version) == expected
    assert {each.variant: each.share for each in models.current.served} == {"default": 0.5, "pop": 0.5}


def test_a_variant_whose_bundle_is_bad_falls_to_the_default_and_is_said(store, live):
    popularity, als = ids(store)
    flipped(store, popularity, "item_mapping.parquet")
    atomic.replace_link(store.root / PRODUCTION, als)
    experiment = {
        "name": "e",
        "variants": [
            {"name": "pop", "bundle": popularity, "share": 0.5},
            {"name": "none", "bundle": "gone", "share": 0.5},
        ],
    }
    models = live(experiment=experiment)
    assert {models.current.choose(f"u{n}").engine.model_version for n in range(50)} == {als}
    assert {models.current.choose(f"u{n}").variant for n in range(50)} == {"default"}
    assert set(models.current.problems) == {"pop", "none"}
    assert "The default answers in its place" in models.current.problems["none"]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ([("a", 0.7), ("b", 0.7)], "add up to 1.4"),
        ([("a", 0.1), ("a", 0.1)], "names of their own"),
        ([("default", 0.1)], "none of them 'default'"),
    ],
)
def test_an_experiment_that_does_not_fit_together_is_refused(variants, message):
    from foretaste.config import check

    values = {"name": "e", "variants": [{"name": name, "bundle": "x", "share": share} for name, share in variants]}
    with pytest.raises(ConfigError, match=message):
        check(values, ExperimentSettings, where="test")


def test_two_variants_of_one_bundle_share_its_memory(store, live):
    als = ids(store)[1]
    models = live(experiment={"name": "e", "variants": [{"name": "same", "bundle": als, "share": 0.5}]})
    assert models.current.variants[0].engine is models.current.default.engine
    assert isinstance(models.store, BundleStore)
