import math

import pytest
import torch
from torch import nn

from foretaste.training.batches import Batch
from foretaste.training.checkpoint import save_checkpoint
from foretaste.training.not_finite import describe_rows, not_finite_message


@pytest.fixture
def module():
    module = nn.ModuleDict({name: nn.Linear(1, 1, bias=False) for name in ("small", "large", "broken", "tiny")})
    for name, value in {"small": 3.0, "large": -40.0, "broken": math.nan, "tiny": 0.1}.items():
        nn.init.constant_(module[name].weight, value)
    return module


def test_rows_are_named_by_their_external_ids(make_interactions, device):
    interactions = make_interactions([(0, 0)], num_users=6, num_items=6)
    user_B, positive_B = torch.tensor([5, 4, 3, 2, 1], device=device), torch.tensor([0, 1, 2, 3, 4], device=device)
    loss_B = torch.tensor([1.0, math.nan, math.inf, 0.0, -math.inf], device=device)
    assert describe_rows(Batch(user_B, positive_B), loss_B, interactions) == (
        " 3 of 5 rows have no finite loss: user u4 with item i1, user u3 with item i2, user u1 with item i4."
    )


def test_a_process_without_a_broken_row_says_where_they_are(make_interactions):
    batch = Batch(torch.tensor([0]), torch.tensor([0]))
    assert "another process" in describe_rows(batch, torch.tensor([1.0]), make_interactions([(0, 0)]))


def test_the_message_names_the_step_and_the_weights_that_are_broken_or_largest(module):
    message = not_finite_message("after 2 epochs and 7 steps", 0.05, " Some rows.", module, None)
    assert "after 2 epochs and 7 steps, at learning rate 0.05. Some rows." in message
    assert "broken.weight nan, large.weight 40, small.weight 3. Lower learning_rate" in message
    assert "checkpoint" not in message


def test_the_message_tells_of_a_checkpoint_only_where_one_stands(module, tmp_path):
    assert "checkpoint" not in not_finite_message("now", 0.1, "", module, tmp_path)
    save_checkpoint(tmp_path, {}, {})
    assert str(tmp_path / "checkpoint.pt") in not_finite_message("now", 0.1, "", module, tmp_path)
