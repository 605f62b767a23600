import dataclasses

import numpy as np
import polars as pl
import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.segments import Segment
from foretaste.artifacts.writing import write_bundle
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.segment_popularity import lift, segment_popularity


def segment(item_X, count_X, *, complete=True):
    items, counts = np.array(item_X, dtype=np.int32), np.array(count_X, dtype=np.int32)
    return Segment("job", "clerk", None, None, 20, int(counts.sum()), items, counts, complete)


def test_lifts_by_hand():
    # 200 events; the segment has 50, a quarter. Of item 0 it has its share; of item 1 more; of item 2 nothing.
    popularity_I = np.array([100, 50, 50], dtype=np.float32)
    one = segment([0, 1], [25, 25])
    assert lift(one, popularity_I) == pytest.approx([1, 110 / 60, 10 / 60])
    assert segment_popularity([one, one], popularity_I) == pytest.approx([100, 50 * (11 / 6) ** 2, 50 / 36])
    cut = segment([0, 1], [25, 25], complete=False)
    assert lift(cut, popularity_I) == pytest.approx([1, 11 / 6, 1]), "nothing is known of what was cut off"


@pytest.fixture(scope="module")
def engine(world, tmp_path_factory):
    """Even users are of the north and like even items."""
    regions = ["north" if user % 2 == 0 else "south" for user in range(60)]
    dataset = dataclasses.replace(
        world, users=pl.DataFrame({"user_id": world.interactions.users.ids, "region": regions, "age": [20] * 60})
    )
    model = registry.build("als", {"embedding_dim": 4, "iterations": 2}).fit(dataset, FitContext())
    return Engine(write_bundle(tmp_path_factory.mktemp("bundles"), BundleContents.of("als", model, dataset, seed=0)))


def test_a_stranger_of_a_region_gets_what_the_region_likes(engine):
    answers = {
        region: engine.recommend(RecommendRequest("new", k=8, attributes={"region": region, "shoe_size": 43}))
        for region in ("north", "south")
    }
    north = sum(int(item_id[1:]) % 2 == 0 for item_id in answers["north"].items.item_ids)
    south = sum(int(item_id[1:]) % 2 == 0 for item_id in answers["south"].items.item_ids)
    assert north >= 6
    assert south <= 2
    assert answers["north"].is_fallback
    assert answers["north"].fallback_reason == "unknown user 'new': popular among region north"
    assert {item.source for item in answers["north"].items} == {"popularity"}


def test_the_chain_is_history_then_seeds_then_segment_then_popularity(engine):
    known = {"attributes": {"region": "north"}}
    by_history = engine.recommend(RecommendRequest("new", history=["m1"], seeds=["m2"], **known))
    assert not by_history.is_fallback
    by_seeds = engine.recommend(RecommendRequest("new", seeds=["m2"], **known))
    assert by_seeds.fallback_reason == "unknown user 'new': by 1 seed item"
    by_segment = engine.recommend(RecommendRequest("new", seeds=["?"], **known))
    assert by_segment.fallback_reason == "unknown user 'new': popular among region north"
    nothing = engine.recommend(RecommendRequest("new", attributes={"region": "west"}))
    assert nothing.fallback_reason == "unknown user 'new': popular items"
    assert nothing.items == engine.popular(10).items
