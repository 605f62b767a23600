import subprocess
import sys

import pytest
from pydantic import ValidationError

from foretaste.training.config import OptimizerConfig, SamplerConfig, TrainingConfig


@pytest.mark.parametrize("kind", ["in_batch", "hard"])
def test_shared_negatives_need_a_fixed_distribution(kind):
    with pytest.raises(ValidationError, match=f"not with `{kind}`"):
        SamplerConfig(kind=kind, shared=True)
    assert SamplerConfig(kind="popularity", shared=True).shared


@pytest.mark.parametrize("sampler", [{}, {"kind": "in_batch"}, {"kind": "hard"}])
def test_users_go_together_where_they_share_negatives(sampler):
    with pytest.raises(ValidationError, match="users_together"):
        TrainingConfig(users_together=True, sampler=sampler)
    assert TrainingConfig(users_together=True, sampler={"shared": True}).users_together


def test_figures_that_cannot_train_are_refused():
    for field in ("epochs", "batch_size", "learning_rate", "gradient_clip_norm", "checkpoint_every_epochs"):
        with pytest.raises(ValidationError, match=field):
            TrainingConfig(**{field: 0})
    with pytest.raises(ValidationError, match="beta2"):
        OptimizerConfig(beta2=1.0)


@pytest.mark.parametrize(
    ("cold", "set_to", "epochs", "share"), [(20, None, 5, 1.0), (7, None, 1, 1.0), (3, None, 1, 0.75), (3, 2, 2, 1.0)]
)
def test_a_warm_start_learns_for_a_quarter_of_the_epochs_unless_it_is_told(cold, set_to, epochs, share):
    warm = TrainingConfig(epochs=cold, warm_start={"epochs": set_to}).continued()
    assert (warm.epochs, warm.epoch_share) == (epochs, share)


def test_a_config_is_read_without_torch():
    code = "import sys, foretaste.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
