import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretaste.errors import ModelError
from foretaste.training.batches import InteractionTensors
from foretaste.training.config import SamplerConfig
from foretaste.training.sampling import Proposal, build_sampler

KINDS = [
    {"kind": "uniform", "num_negatives": 3},
    {"kind": "popularity", "num_negatives": 3},
    {"kind": "uniform", "num_negatives": 20, "shared": True},
    {"kind": "popularity", "num_negatives": 20, "shared": True},
    {"kind": "in_batch"},
    {"kind": "hard", "num_negatives": 3, "num_candidates": 4},
]


def prefer_large_indices(user_B, item_BS):
    return item_BS.float()


def sampler_of(config, interactions, device, seed=0, score=prefer_large_indices):
    positives = InteractionTensors.of(interactions, device)
    generator = torch.Generator(device).manual_seed(seed)
    return build_sampler(SamplerConfig(**config), interactions, positives, generator, score)


def events(interactions, device):
    positives = InteractionTensors.of(interactions, device)
    return positives.user_N.long(), positives.item_N.long()


def negatives_by_row(batch):
    """The set of negatives that each row may use."""
    if batch.negative_BS is not None:
        return [set(row) for row in batch.negative_BS.tolist()]
    candidates = batch.candidate_C.tolist()
    is_negative_BC = batch.of_rows(batch.is_negative_VC).cpu().numpy()
    return [{candidates[c] for c in np.flatnonzero(row)} for row in is_negative_BC]


@pytest.mark.parametrize("config", KINDS, ids=lambda config: "-".join(map(str, config.values())))
def test_no_negative_was_ever_met(config, random_interactions, device):
    met = set(zip(random_interactions.user_N.tolist(), random_interactions.item_N.tolist(), strict=True))
    sampler, (user_G, positive_G) = sampler_of(config, random_interactions, device), events(random_interactions, device)
    for _ in range(20):
        batch = sampler.draw(user_G, positive_G, slice(0, len(user_G)))
        for user, negatives in zip(user_G.tolist(), negatives_by_row(batch), strict=True):
            assert not {(user, item) for item in negatives} & met


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=25),
    st.sampled_from(KINDS),
    st.integers(0, 2**32),
)
def test_no_negative_was_ever_met_whatever_the_data(make_pairs, met, config, seed):
    interactions = make_pairs(met)
    user_G, positive_G = events(interactions, "cpu")
    try:
        sampler = sampler_of(config, interactions, torch.device("cpu"), seed)
    except ModelError:
        counts = np.bincount(interactions.item_N, minlength=7)
        drawable = (counts > 0).sum() if config["kind"] == "popularity" else 7
        assert max(len({i for u, i in met if u == user}) for user in range(5)) >= drawable
        return
    batch = sampler.draw(user_G, positive_G, slice(0, len(user_G)))
    for user, negatives in zip(user_G.tolist(), negatives_by_row(batch), strict=True):
        assert not {(user, item) for item in negatives} & set(met)


@pytest.fixture(scope="module")
def make_pairs():
    import polars as pl

    from foretaste.data.interactions import Interactions
    from foretaste.data.vocabulary import Vocabulary

    def make(met):
        user_N, item_N = (np.array(column, dtype=np.int32) for column in zip(*met, strict=True))
        vocabularies = [Vocabulary(pl.Series("id", [f"{k}" for k in range(size)])) for size in (5, 7)]
        return Interactions(user_N, item_N, np.ones(len(met), dtype=np.float32), None, *vocabularies)

    return make


def p_value(drawn, weights):
    """Of a chi-square test that items were drawn in proportion to `weights`."""
    weights = np.asarray(weights, dtype=float)
    observed = np.bincount(drawn.flatten().cpu().numpy(), minlength=len(weights))
    assert observed[weights == 0].sum() == 0
    expected = weights[weights > 0] / weights.sum() * observed.sum()
    return stats.chisquare(observed[weights > 0], expected).pvalue


# Item 0 has 4 events, item 1 has 2, items 2 and 3 have 1 each, item 4 none; user 0 has met items 1 and 2.
FEW = [(0, 1), (0, 2), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (1, 3)]


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        ({"kind": "uniform"}, [1, 0, 0, 1, 1]),
        ({"kind": "popularity", "popularity_exponent": 1.0}, [4, 0, 0, 1, 0]),
        ({"kind": "popularity", "popularity_exponent": 0.5}, [2, 0, 0, 1, 0]),
        ({"kind": "popularity", "popularity_exponent": 0.0}, [1, 0, 0, 1, 1]),
    ],
)
def test_negatives_follow_the_distribution_over_what_the_user_has_not_met(config, weights, make_interactions, device):
    interactions = make_interactions(FEW, num_items=5)
    sampler = sampler_of({"num_negatives": 5000, **config}, interactions, device)
    user_G, positive_G = events(interactions, device)
    drawn = sampler.draw(user_G[:2], positive_G[:2], slice(0, 2)).negative_BS
    assert p_value(drawn, weights) > 0.001


@pytest.mark.parametrize("weights", [[1, 1, 1, 1, 1], [4, 2, 1, 1, 0]])
def test_the_exact_draw_from_the_rest_follows_the_same_distribution(weights, make_interactions, device):
    interactions = make_interactions(FEW, num_items=5)
    sampler = sampler_of({"kind": "uniform"}, interactions, device)
    proposal = Proposal(torch.tensor(weights, device=device))
    user_Y = torch.zeros(5000, dtype=torch.int64, device=device)
    drawn = proposal._draw_from_the_rest(user_Y, sampler.histories, sampler.generator)
    assert p_value(drawn, np.array(weights) * [1, 0, 0, 1, 1]) > 0.001


def test_a_user_who_has_met_all_but_one_item_gets_that_one(make_interactions, device):
    interactions = make_interactions([(0, item) for item in range(2000) if item != 777], num_items=2000)
    sampler = sampler_of({"kind": "uniform", "num_negatives": 2}, interactions, device)
    user_G, positive_G = events(interactions, device)
    batch = sampler.draw(user_G, positive_G, slice(0, len(user_G)))
    assert set(batch.negative_BS.flatten().tolist()) == {777}


@pytest.mark.parametrize("kind", ["uniform", "popularity", "hard"])
def test_a_user_who_has_met_every_item_is_refused_by_name(kind, make_interactions, device):
    interactions = make_interactions([(0, 0), (1, 0), (1, 1), (1, 2)], num_items=3)
    with pytest.raises(ModelError, match=r"1 of 2 users have met all 3 items that can be drawn, such as user u1"):
        sampler_of({"kind": kind}, interactions, device)


def test_hard_negatives_need_a_score(random_interactions, device):
    with pytest.raises(ModelError, match="gives no scores"):
        sampler_of({"kind": "hard"}, random_interactions, device, score=None)


def test_hard_negatives_are_the_best_of_their_draws(make_interactions, device):
    # User 0 may get items 0, 3 and 4; the best of two uniform draws is 0 with 1/9, 3 with 3/9 and 4 with 5/9.
    interactions = make_interactions(FEW, num_items=5)
    sampler = sampler_of({"kind": "hard", "num_negatives": 3000, "num_candidates": 2}, interactions, device)
    user_G, positive_G = events(interactions, device)
    batch = sampler.draw(user_G[:2], positive_G[:2], slice(0, 2))
    assert batch.negative_BS.shape == (2, 3000)
    assert p_value(batch.negative_BS, [1, 0, 0, 3, 5]) > 0.001


def test_in_batch_candidates_are_the_positives_and_log_q_their_share_of_events(make_interactions, device):
    interactions = make_interactions(FEW, num_items=5)
    user_G, positive_G = events(interactions, device)
    batch = sampler_of({"kind": "in_batch"}, interactions, device).draw(user_G, positive_G, slice(0, 8))
    assert torch.equal(batch.candidate_C, positive_G)
    # Each user once: events 0 and 1 are of user 0, who has met items 1 and 2: columns 0, 1 and 6.
    assert batch.user_V.tolist() == [0, 1, 2, 3, 4]
    assert batch.place_B.tolist() == [0, 0, 1, 2, 3, 4, 1, 1]
    assert batch.is_negative_VC[0].tolist() == [False, False, True, True, True, True, False, True]
    assert batch.log_q_I.exp().tolist() == pytest.approx([4 / 8, 2 / 8, 1 / 8, 1 / 8, 0])


def test_shared_candidates_follow_the_proposal(make_interactions, device):
    config = {"kind": "popularity", "popularity_exponent": 1.0, "num_negatives": 5000, "shared": True}
    interactions = make_interactions(FEW, num_items=5)
    batch = sampler_of(config, interactions, device).draw(*events(interactions, device), slice(0, 8))
    assert p_value(batch.candidate_C, [4, 2, 1, 1, 0]) > 0.001


@pytest.mark.parametrize("config", KINDS, ids=lambda config: "-".join(map(str, config.values())))
def test_processes_draw_together_what_one_draws_alone(config, random_interactions, device):
    user_G, positive_G = events(random_interactions, device)
    whole = sampler_of(config, random_interactions, device).draw(user_G, positive_G, slice(0, 300))
    parts = [
        sampler_of(config, random_interactions, device).draw(user_G, positive_G, rows)
        for rows in (slice(0, 120), slice(120, 300))
    ]
    assert negatives_by_row(whole) == [row for part in parts for row in negatives_by_row(part)]
    assert whole.user_B.tolist() == [user for part in parts for user in part.user_B.tolist()]


@pytest.mark.parametrize("kind", ["in_batch", "hard"])
def test_only_fixed_distributions_can_be_shared(kind):
    with pytest.raises(ValueError, match="shared"):
        SamplerConfig(kind=kind, shared=True)


@pytest.mark.parametrize("config", KINDS, ids=lambda config: "-".join(map(str, config.values())))
def test_a_process_may_have_no_row_of_a_batch(config, random_interactions, device):
    sampler, (user_G, positive_G) = sampler_of(config, random_interactions, device), events(random_interactions, device)
    batch = sampler.draw(user_G[:1], positive_G[:1], slice(0, 0))
    assert len(batch) == 0
    assert negatives_by_row(batch) == []


@pytest.mark.parametrize(
    "config", [config for config in KINDS if config.get("shared")], ids=lambda config: config["kind"]
)
def test_draws_over_expected_draws_count_every_unmet_item_once(config, random_interactions, device):
    # 400 batches of 20 candidates: an item is drawn 8,000 times its probability, which is .01 at least.
    sampler, (user_G, positive_G) = sampler_of(config, random_interactions, device), events(random_interactions, device)
    user_G, positive_G = user_G[:1], positive_G[:1]
    met = set(random_interactions.item_N[random_interactions.user_N == user_G.item()].tolist())
    count_I = torch.zeros(random_interactions.num_items, device=device)
    for _ in range(400):
        batch = sampler.draw(user_G, positive_G, slice(0, 1))
        weight_C = torch.where(batch.is_negative_VC[0], (-batch.log_expected_draws()).exp(), 0.0)
        count_I.index_add_(0, batch.candidate_C, weight_C)
    drawable_I = torch.bincount(torch.as_tensor(random_interactions.item_N), minlength=len(count_I)) > 0
    for item, count in enumerate((count_I / 400).tolist()):
        if item in met:
            assert count == 0
        elif drawable_I[item] or config["kind"] == "uniform":
            assert count == pytest.approx(1, abs=0.4)
