"""Positives per second of the training loop on Gowalla: a bare matrix factorisation with the BPR loss.

    FORETASTE_DATA=... python benchmarks/training_throughput.py [--threads 1] [--epochs 3]

Each line is one way of training the same two tables (dimension 64): the size of the batch, dense Adam over whole tables
or lazy Adam over the rows of the batch, and the sampler. The first epoch is not counted; of the others the best is. A
run of all lines is written to results/.
"""

import argparse
import io
import json
import os
import platform
import time
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.training.batches import Batch, dot_scores
from foretaste.training.config import SamplerConfig, TrainingConfig
from foretaste.training.context import TrainingContext, seeded
from foretaste.training.distributed import World, join_world
from foretaste.training.loop import train
from foretaste.training.losses import bpr_loss, cosine_contrastive_loss
from foretaste.training.task import Task

RESULTS = Path(__file__).parent / "results" / "training_throughput.json"
SETTINGS = [
    {"batch_size": 2048, "sparse": False},
    {"batch_size": 2048, "sparse": True},
    {"batch_size": 8192, "sparse": False},
    {"batch_size": 8192, "sparse": True},
    {"batch_size": 32768, "sparse": False},
    {"batch_size": 2048, "sparse": True, "sampler": {"kind": "popularity"}},
    {"batch_size": 2048, "sparse": True, "sampler": {"kind": "hard", "num_candidates": 8}},
    {"batch_size": 2048, "sparse": True, "sampler": {"num_negatives": 8}},
    {"batch_size": 2048, "sparse": True, "sampler": {"num_negatives": 1024, "shared": True}},
]


class Tables(nn.Module):
    """One vector a user, one an item."""

    def __init__(self, num_users: int, num_items: int, dim: int, sparse: bool) -> None:
        super().__init__()
        self.user = nn.Embedding(num_users, dim, sparse=sparse)
        self.item = nn.Embedding(num_items, dim, sparse=sparse)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return dot_scores(self.user(batch.user_B), self.item(batch.positive_B), self.item(batch.negatives))

    def loss(self, batch: Batch) -> Tensor:
        positive_B, negative_BS = self.scores(batch)
        if batch.candidate_C is None:
            return bpr_loss(positive_B, negative_BS)
        return cosine_contrastive_loss(positive_B, negative_BS, batch.is_negative_BC, margin=0.5, negative_weight=10.0)

    def score(self, user_B: Tensor, item_BS: Tensor) -> Tensor:
        return (self.item(item_BS) @ self.user(user_B)[:, :, None])[:, :, 0]


def gowalla(folder: Path) -> Interactions:
    with zipfile.ZipFile(folder / "gowalla.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("train.txt"))
        lines = io.TextIOWrapper(archive.open(name)).read().splitlines()
    rows = [np.array(line.split(), dtype=np.int64) for line in lines]
    user_N = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    item_N = np.concatenate([row[1:] for row in rows])
    return Interactions(
        user_N.astype(np.int32),
        item_N.astype(np.int32),
        np.ones(len(user_N), dtype=np.float32),
        None,
        Vocabulary(pl.Series("id", range(int(user_N.max()) + 1)).cast(pl.String)),
        Vocabulary(pl.Series("id", range(int(item_N.max()) + 1)).cast(pl.String)),
    )


def measure(interactions: Interactions, setting: dict, epochs: int, dim: int, world: World) -> dict:
    setting = {"sampler": {}, **setting}
    config = TrainingConfig(
        epochs=epochs + 1, batch_size=setting["batch_size"], sampler=SamplerConfig(**setting["sampler"])
    )
    with seeded(0, world.device):
        tables = Tables(interactions.num_users, interactions.num_items, dim, setting["sparse"])
        task = Task(tables, tables.loss, score=tables.score)
        cpu_at: list[float] = []
        context = TrainingContext(world=world, on_epoch=lambda _epoch, _figures: cpu_at.append(time.process_time()))
        result = train(task, interactions, config, context)
    return {
        **setting,
        "positives_per_second": round(max(epoch["samples_per_second"] for epoch in result.history[1:])),
        "positives_per_cpu_second": round(len(interactions) / np.diff(cpu_at).min()) if cpu_at else None,
        "loss": [round(epoch["loss"], 4) for epoch in result.history],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FORETASTE_DATA"), help="folder with gowalla.zip")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2, help="counted epochs")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the lines, the first being 0")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    interactions = gowalla(Path(options.data))
    settings = SETTINGS if options.only is None else [SETTINGS[number] for number in options.only]
    measured = []
    with join_world(options.device) as world:
        for setting in settings:
            measured.append(measure(interactions, setting, options.epochs, options.dim, world))
            print(json.dumps(measured[-1]), flush=True)
        place = torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else platform.machine()
    if options.only is None and world.is_writer:
        told = f"--threads {options.threads} --epochs {options.epochs}"
        content = {
            "command": f"python benchmarks/training_throughput.py {told}",
            "machine": {"device": place, "cores": os.cpu_count(), "torch": torch.__version__},
            "positives": len(interactions),
            "embedding_dim": options.dim,
            "measured": measured,
        }
        RESULTS.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
