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


def test_figures_that_cannot_train_are_refused():
    for field in ("epochs", "batch_size", "learning_rate", "gradient_clip_norm", "checkpoint_every_epochs"):
        with pytest.raises(ValidationError, match=field):
            TrainingConfig(**{field: 0})
    with pytest.raises(ValidationError, match="beta2"):
        OptimizerConfig(beta2=1.0)


def test_a_config_is_read_without_torch():
    code = "import sys, foretaste.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
