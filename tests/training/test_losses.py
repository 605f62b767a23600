import numpy as np
import pytest
import torch

from foretaste.training.losses import (
    bce_loss,
    bpr_loss,
    category_alignment_loss,
    cosine_contrastive_loss,
    mimic_loss,
    sampled_softmax_loss,
)

POSITIVE_B = torch.tensor([2.0, 0.0])
NEGATIVE_BS = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
ONLY_FIRST = torch.tensor([[True, False], [True, False]])
NONE_LEFT = torch.tensor([[False, False], [True, True]])


def log1p_exp(x):
    return np.log1p(np.exp(x))


def test_bpr_by_hand():
    # Differences 1, 0 and 0, 1; -log sigmoid(x) = log(1 + exp(-x)).
    expected = [(log1p_exp(-1) + log1p_exp(0)) / 2, (log1p_exp(0) + log1p_exp(-1)) / 2]
    assert bpr_loss(POSITIVE_B, NEGATIVE_BS).tolist() == pytest.approx(expected)
    expected = [log1p_exp(-1), log1p_exp(0)]
    assert bpr_loss(POSITIVE_B, NEGATIVE_BS, ONLY_FIRST).tolist() == pytest.approx(expected)


def test_bce_by_hand():
    expected = [
        (log1p_exp(-2) + log1p_exp(1) + log1p_exp(2)) / 3,
        (log1p_exp(0) + log1p_exp(0) + log1p_exp(-1)) / 3,
    ]
    assert bce_loss(POSITIVE_B, NEGATIVE_BS).tolist() == pytest.approx(expected)
    expected = [(log1p_exp(-2) + log1p_exp(1)) / 2, log1p_exp(0)]
    assert bce_loss(POSITIVE_B, NEGATIVE_BS, ONLY_FIRST).tolist() == pytest.approx(expected)


def test_sampled_softmax_by_hand():
    expected = [
        -np.log(np.exp(2) / (np.exp(2) + np.exp(1) + np.exp(2))),
        -np.log(1 / (1 + 1 + np.exp(-1))),
    ]
    assert sampled_softmax_loss(POSITIVE_B, NEGATIVE_BS).tolist() == pytest.approx(expected)
    expected = [-np.log(np.exp(4) / (np.exp(4) + np.exp(2))), -np.log(1 / 2)]
    found = sampled_softmax_loss(POSITIVE_B, NEGATIVE_BS, ONLY_FIRST, temperature=0.5)
    assert found.tolist() == pytest.approx(expected)


def test_sampled_softmax_with_log_q_by_hand():
    # Items drawn with 1/2, 1/4 and 1/4: weights exp(score)/q of 2·e², 4·e¹ and 4·e².
    log_q = (torch.tensor([0.5]).log(), torch.tensor([[0.25, 0.25]]).log())
    found = sampled_softmax_loss(POSITIVE_B[:1], NEGATIVE_BS[:1], log_q=log_q)
    expected = -np.log(2 * np.exp(2) / (2 * np.exp(2) + 4 * np.exp(1) + 4 * np.exp(2)))
    assert found.tolist() == pytest.approx([expected])
    shared = (torch.tensor([0.5]).log(), torch.tensor([0.25, 0.25]).log())
    assert torch.equal(found, sampled_softmax_loss(POSITIVE_B[:1], NEGATIVE_BS[:1], log_q=shared))


def test_cosine_contrastive_by_hand():
    positive_B, negative_BS = torch.tensor([0.9, 0.2]), torch.tensor([[0.5, 0.8], [-0.3, 0.1]])
    found = cosine_contrastive_loss(positive_B, negative_BS, margin=0.4, negative_weight=3.0)
    # 0.1 + 3·(0.1 + 0.4)/2, and 0.8 with both negatives inside the margin.
    assert found.tolist() == pytest.approx([0.85, 0.8])
    found = cosine_contrastive_loss(positive_B, negative_BS, ONLY_FIRST, margin=0.4, negative_weight=3.0)
    assert found.tolist() == pytest.approx([0.1 + 3 * 0.1, 0.8])


@pytest.mark.parametrize(
    ("loss", "left"),
    [
        (bpr_loss, 0.0),
        (bce_loss, log1p_exp(-2)),
        (sampled_softmax_loss, 0.0),
        (lambda *scores: cosine_contrastive_loss(*scores, margin=-2.0, negative_weight=1.0), -1.0),
    ],
)
def test_a_row_without_negatives_loses_nothing_by_them(loss, left):
    negative_BS = NEGATIVE_BS.clone().requires_grad_()
    loss_B = loss(POSITIVE_B, negative_BS, NONE_LEFT)
    assert loss_B[0].item() == pytest.approx(left, abs=1e-7)
    loss_B.sum().backward()
    assert negative_BS.grad[0].tolist() == [0.0, 0.0]
    assert (negative_BS.grad[1] > 0).any()


@pytest.mark.parametrize(
    "loss",
    [
        bpr_loss,
        bce_loss,
        sampled_softmax_loss,
        lambda *scores: cosine_contrastive_loss(*scores, margin=-0.5, negative_weight=3.0),
    ],
)
@pytest.mark.parametrize("mask_VS", [None, torch.tensor([[True, False], [True, True]])])
def test_rows_of_one_user_share_its_negatives(loss, mask_VS):
    positive_B, place_B = torch.tensor([0.3, -0.2, 0.9]), torch.tensor([1, 0, 1])
    negative_VS = torch.tensor([[0.1, 0.7], [-0.4, 0.2]], requires_grad=True)
    mask_BS = None if mask_VS is None else mask_VS[place_B]
    by_row_B, by_user_B = (
        loss(positive_B, negative_VS[place_B], mask_BS),
        loss(positive_B, negative_VS, mask_VS, place_B),
    )
    assert by_user_B.tolist() == pytest.approx(by_row_B.tolist())
    gradients = (torch.autograd.grad(loss_B.square().sum(), negative_VS)[0] for loss_B in (by_row_B, by_user_B))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("loss", [bpr_loss, bce_loss, sampled_softmax_loss])
def test_large_scores_stay_finite(loss):
    positive_B = torch.tensor([-1e4, 1e4], requires_grad=True)
    negative_BS = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    loss_B = loss(positive_B, negative_BS)
    loss_B.sum().backward()
    assert torch.isfinite(loss_B).all()
    assert loss_B[0] >= 1e4
    assert loss_B[1] == 0
    assert torch.isfinite(positive_B.grad).all()
    assert torch.isfinite(negative_BS.grad).all()


def test_mimic_by_hand_and_its_target_gets_no_gradient():
    augmented = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    target = torch.tensor([[0.0, 4.0], [3.0, 4.0]], requires_grad=True)
    loss_B = mimic_loss(augmented, target)
    assert loss_B.tolist() == [5.0, 25.0]
    loss_B.sum().backward()
    assert augmented.grad.tolist() == [[2.0, -4.0], [-6.0, -8.0]]
    assert target.grad is None


def test_category_alignment_by_hand():
    # Category 1 is the largest: points 0, 3, 0 have variance 3. Category 0: -1 and 1 have variance 2, so (2 - 3)² = 1.
    vector_BD = torch.tensor([[0.0], [-1.0], [3.0], [1.0], [0.0]])
    assert category_alignment_loss(vector_BD, torch.tensor([1, 0, 1, 0, 1])).item() == pytest.approx(1.0)


def test_category_alignment_counts_covariances_and_passes_over_lonely_rows():
    # Category 0 has covariance [[2, 2], [2, 2]], category 2 has [[2, -2], [-2, 2]]: two cells differ by 4.
    # Category 1 is a single row.
    vector_BD = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [9.0, 9.0], [-1.0, 1.0], [1.0, -1.0]])
    assert category_alignment_loss(vector_BD, torch.tensor([0, 0, 1, 2, 2])).item() == pytest.approx(32.0)
    assert category_alignment_loss(vector_BD, torch.tensor([0, 0, 1, -1, -1])).item() == 0.0
    assert category_alignment_loss(vector_BD, torch.full((5,), -1)).item() == 0.0


@pytest.mark.parametrize("with_log_q", [False, True])
@pytest.mark.parametrize("size", [1, 5, 700])
def test_the_gradient_of_sampled_softmax_is_that_of_its_formula(size, with_log_q):
    # 700 × 700 scores are worked on in two pieces; one row has no negative left.
    generator = torch.Generator().manual_seed(3)
    positive_B, negative_BS = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in (size, (size, size))
    )
    mask_BS = torch.rand(size, size, generator=generator) < 0.7
    mask_BS[0] = False
    log_q = (torch.rand(size, generator=generator).log(), torch.rand(size, generator=generator).log())
    weight_B = torch.rand(size, generator=generator, dtype=torch.float64)

    def gradients(loss_B):
        return torch.autograd.grad((loss_B * weight_B).sum(), (positive_B, negative_BS))

    logit_B, logit_BS = positive_B / 0.3, negative_BS / 0.3
    if with_log_q:
        logit_B, logit_BS = logit_B - log_q[0], logit_BS - log_q[1]
    all_BS = torch.cat([logit_B[:, None], logit_BS.masked_fill(~mask_BS, -torch.inf)], dim=1)
    by_formula_B = -torch.log_softmax(all_BS, dim=1)[:, 0]
    found_B = sampled_softmax_loss(
        positive_B, negative_BS, mask_BS, temperature=0.3, log_q=log_q if with_log_q else None
    )
    assert torch.allclose(found_B, by_formula_B)
    for found, expected in zip(gradients(found_B), gradients(by_formula_B), strict=True):
        assert torch.allclose(found, expected)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_rows_without_any_negative_learn_nothing(temperature):
    positive_B, negative_BS = torch.randn(3, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    none_BS = torch.zeros(3, 4, dtype=torch.bool)
    sampled_softmax_loss(positive_B, negative_BS, none_BS, temperature=temperature).sum().backward()
    assert torch.equal(negative_BS.grad, torch.zeros(3, 4))
    assert torch.equal(positive_B.grad, torch.zeros(3))
