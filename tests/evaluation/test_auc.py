"""On catalogues that are compared in several parts; `test_agreement.py` has small ones with many ties."""

import numpy as np
import pytest
from scipy import sparse

from foretaste.evaluation.auc import auc


@pytest.mark.parametrize("candidate_share", [None, 0.9])
def test_auc_of_a_large_catalogue_counts_pairs_and_halves_ties(candidate_share):
    rng = np.random.default_rng(0)
    shape = (4, 9_001)
    scores_BI = rng.integers(2_000, size=shape).astype(np.float32)
    scores_BI[1, :500] = -np.inf
    relevant_BI, exclude_BI = (rng.random(shape) < share for share in (0.003, 0.3))
    is_candidate_BI = np.ones(shape, dtype=bool) if candidate_share is None else rng.random(shape) < candidate_share
    expected = []
    for scores_I, relevant_I, exclude_I, candidate_I in zip(
        scores_BI, relevant_BI, exclude_BI, is_candidate_BI, strict=True
    ):
        rivals = scores_I[candidate_I & ~relevant_I & ~exclude_I]
        ranked = scores_I[relevant_I & ~exclude_I][:, None]
        expected.append(((ranked > rivals) + 0.5 * (ranked == rivals)).sum() / (relevant_I.sum() * len(rivals)))
    relevant, exclude, candidate = (sparse.csr_array(matrix) for matrix in (relevant_BI, exclude_BI, is_candidate_BI))
    found = auc(scores_BI, relevant, exclude, None if candidate_share is None else candidate)
    assert found.tolist() == expected
