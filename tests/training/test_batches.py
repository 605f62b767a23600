from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import ModelError
from foretaste.training import batches
from foretaste.training.batches import Batch, Histories, InteractionTensors, dot_scores

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=60)


def histories_of(met, num_users=7, num_items=9, device="cpu"):
    user_N, item_N = torch.tensor(met, device=device).T
    return Histories(user_N.int(), item_N.int(), num_users, num_items)


@given(pairs)
def test_met_answers_as_a_set_of_pairs_does(met):
    user_X, item_X = torch.cartesian_prod(torch.arange(7), torch.arange(9)).T
    expected = [x for x in range(63) if (int(user_X[x]), int(item_X[x])) in set(met)]
    assert histories_of(met).met(user_X, item_X).tolist() == expected


@given(pairs, st.lists(st.integers(0, 6), min_size=1, max_size=5), st.lists(st.integers(0, 8), min_size=1, max_size=9))
def test_met_mask_answers_as_a_set_of_pairs_does_and_forgets_the_batch_before(met, users, items):
    expected = [[(user, item) in set(met) for item in items] for user in users]
    for max_table_cells in (0, batches._MAX_TABLE_CELLS):
        with mock.patch.object(batches, "_MAX_TABLE_CELLS", max_table_cells):
            histories = histories_of(met)
            histories.met_mask(torch.tensor([0, 1]), torch.arange(9))
            assert histories.met_mask(torch.tensor(users), torch.tensor(items)).tolist() == expected


def test_pairs_are_the_histories_row_after_row(device):
    histories = histories_of([(2, 5), (0, 3), (2, 1), (2, 5)], device=device)
    row_X, item_X = histories.pairs(torch.tensor([2, 1, 0, 2], device=device))
    assert row_X.tolist() == [0, 0, 2, 3, 3]
    assert item_X.tolist() == [1, 5, 3, 1, 5]
    assert histories.lengths().tolist() == [1, 0, 2, 0, 0, 0, 0]


def test_keys_of_large_vocabularies_do_not_overflow(device):
    # 3,000,000 × 2,000,000 pairs pass 2^32 by far.
    met = [(2_999_999, 1_999_999), (0, 0), (2_999_999, 0)]
    histories = histories_of(met, 3_000_000, 2_000_000, device)
    user_X = torch.tensor([2_999_999, 2_999_999, 0, 0], device=device)
    item_X = torch.tensor([1_999_999, 1, 0, 1_999_999], device=device)
    assert histories.met(user_X, item_X).tolist() == [0, 2]


def test_weights_are_left_out_where_all_count_one(make_interactions, device):
    assert InteractionTensors.of(make_interactions([(0, 0), (1, 1)]), device).weight_N is None
    weighted = InteractionTensors.of(make_interactions([(0, 0), (1, 1)], weights=[1.0, 0.5]), device)
    assert weighted.weight_N is not None
    assert weighted.weight_N.tolist() == [1.0, 0.5]


def test_dot_scores_of_own_and_of_shared_negatives_by_hand():
    user_BD, positive_BD = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0], [5.0, 7.0]])
    own_BSD = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 2.0], [3.0, 0.0]]])
    positive_B, negative_BS = dot_scores(user_BD, positive_BD, own_BSD)
    assert positive_B.tolist() == [5.0, 7.0]
    assert negative_BS.tolist() == [[1.0, 2.0], [2.0, 0.0]]
    shared_CD = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert dot_scores(user_BD, positive_BD, shared_CD)[1].tolist() == [[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]


def test_users_with_several_rows_are_scored_once():
    user_VD, positive_BD = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0], [5.0, 7.0], [1.0, 0.0]])
    positive_B, negative_VC = dot_scores(user_VD, positive_BD, torch.tensor([[1.0, 1.0]]), torch.tensor([0, 1, 0]))
    assert positive_B.tolist() == [5.0, 7.0, 1.0]
    assert negative_VC.tolist() == [[3.0], [1.0]]


@pytest.mark.parametrize("num_negatives", [1, 16, 17, 40])
def test_few_and_many_negatives_are_scored_alike(num_negatives, device):
    generator = torch.Generator(device).manual_seed(0)
    user_BD, positive_BD, *negatives = torch.randn(2 + num_negatives, 5, 8, generator=generator, device=device)
    _, negative_BS = dot_scores(user_BD, positive_BD, torch.stack(negatives, dim=1))
    for s, negative_BD in enumerate(negatives):
        torch.testing.assert_close(negative_BS[:, s], (user_BD * negative_BD).sum(1))


def test_log_q_has_the_shapes_of_the_items_and_is_refused_where_unknown():
    log_q_I = torch.tensor(np.log([0.5, 0.25, 0.25]))
    batch = Batch(torch.tensor([0]), torch.tensor([2]), negative_BS=torch.tensor([[0, 1]]), log_q_I=log_q_I)
    positive_B, negative_BS = batch.log_q()
    assert torch.equal(positive_B, log_q_I[[2]])
    assert torch.equal(negative_BS, log_q_I[torch.tensor([[0, 1]])])
    hard = Batch(torch.tensor([0]), torch.tensor([2]), negative_BS=torch.tensor([[0, 1]]))
    with pytest.raises(ModelError, match="hard negatives"):
        hard.log_q()


@pytest.mark.parametrize("shared", [False, True])
def test_expected_draws_are_the_negatives_times_their_probability(shared):
    # Three draws of items with 1/2, 1/4 and 1/4: 1.5 and .75 of them are to be expected.
    log_q_I, item_S = torch.tensor([0.5, 0.25, 0.25]).log(), torch.tensor([0, 2, 2])
    items = {"candidate_C": item_S} if shared else {"negative_BS": item_S[None]}
    found = Batch(torch.tensor([0]), torch.tensor([1]), log_q_I=log_q_I, **items).log_expected_draws()
    assert found.shape == ((3,) if shared else (1, 3))
    assert found.exp().ravel().tolist() == pytest.approx([1.5, 0.75, 0.75])
