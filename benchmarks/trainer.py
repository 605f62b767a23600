"""Rows a processor second of our training beside RecBole's trainer, at the same batch size, in one process.

    FORETASTE_DATA=... python benchmarks/trainer.py [--rounds 3] [--threads 1] [--models bpr neumf]

Both train on all of Gowalla's train events with one uniform negative a positive and 64 dimensions, an epoch at a time,
in turn. A row is a positive for BPR and an example, positive or negative, for NeuMF. Building the model and its data is
not counted; drawing negatives is. RecBole (`pip install recbole`, 1.2.1) wants NumPy below 2 and pandas below 2.3;
where it is not installed ours is measured alone.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "trainer.json"
BATCH_SIZE, DIM = 2048, 64
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "bpr": ("bpr_mf", {"embedding_dim": DIM, "item_bias": False, "regularization": {"user": 0, "item": 0}}),
    "neumf": (
        "ncf",
        {"kind": "neumf", "embedding_dim": DIM, "mlp_embedding_dim": DIM, "hidden_dims": [128, 64, 32], "loss": "bce"},
    ),
}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "bpr": ("BPR", {"embedding_size": DIM}),
    "neumf": ("NeuMF", {"mf_embedding_size": DIM, "mlp_embedding_size": DIM, "mlp_hidden_size": [128, 64, 32]}),
}
ROWS_PER_POSITIVE = {"bpr": 1, "neumf": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=OURS, default=list(OURS))
    options = parser.parse_args()
    for variable in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    from foretaste.config import ExperimentConfig, load_config
    from foretaste.pipelines.experiment import divide
    from foretaste.pipelines.narration import Silence

    config = load_config(Path("configs/gowalla.yaml"), ExperimentConfig, ["split.valid=0"])
    divided = divide(config, Silence())
    dataset = divided.dataset(divided.history)
    told: dict[str, Any] = {}
    for model in options.models:
        contestants = {"foretaste": ours(model, dataset)}
        try:
            contestants["recbole"] = theirs(model, dataset.interactions)
        except ImportError:
            print("RecBole is not installed; ours alone is measured")
        rows = len(dataset.interactions) * ROWS_PER_POSITIVE[model]
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, epoch in contestants.items():
                rates[name].append(rows / epoch())
        told[model] = {
            name: {"min": min(each), "median": statistics.median(each), "max": max(each)}
            for name, each in rates.items()
        }
        for name, figures in told[model].items():
            print(f"{model:<8}{name:<12}" + "  ".join(f"{key} {value:>10,.0f}" for key, value in figures.items()))
    record = {
        "command": f"python benchmarks/trainer.py --rounds {options.rounds} --threads {options.threads}",
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "batch_size": BATCH_SIZE,
        "rows_per_cpu_second": told,
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")


def ours(model: str, dataset: Any) -> Callable[[], float]:
    """Processor seconds of one epoch: those of two epochs less those of one."""
    from foretaste.models.protocol import FitContext
    from foretaste.models.registry import build

    name, hyperparameters = OURS[model]

    def seconds(epochs: int) -> float:
        training = {"epochs": epochs, "batch_size": BATCH_SIZE, "device": "cpu", "sampler": {"num_negatives": 1}}
        recommender = build(name, {**hyperparameters, "training": training})
        started = time.process_time()
        recommender.fit(dataset, FitContext())
        return time.process_time() - started

    seconds(1)
    return lambda: seconds(3) / 2 - seconds(1) / 2


def theirs(model: str, interactions: Any) -> Callable[[], float]:
    """Processor seconds of one epoch of RecBole's trainer."""
    import numpy as np
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    name, hyperparameters = THEIRS[model]
    folder = Path(tempfile.mkdtemp())
    (folder / "gowalla").mkdir()
    pairs = np.column_stack([interactions.user_N, interactions.item_N])
    path = folder / "gowalla" / "gowalla.inter"
    np.savetxt(path, pairs, fmt="%d", delimiter="\t", header="user_id:token\titem_id:token", comments="")
    config = Config(
        model=name,
        dataset="gowalla",
        config_dict={
            "data_path": str(folder),
            "load_col": {"inter": ["user_id", "item_id"]},
            "use_gpu": False,
            "train_batch_size": BATCH_SIZE,
            "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
            "eval_args": {"split": {"RS": [1, 0, 0]}, "order": "RO", "group_by": "user", "mode": "full"},
            "show_progress": False,
            "checkpoint_dir": str(folder),
            **hyperparameters,
        },
    )
    init_seed(0, reproducibility=True)
    train_data, _, _ = data_preparation(config, create_dataset(config))
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, get_model(name)(config, train_data.dataset))

    def epoch() -> float:
        started = time.process_time()
        trainer._train_epoch(train_data, 0, show_progress=False)
        return time.process_time() - started

    return epoch


if __name__ == "__main__":
    main()
