"""Small trainings in processes of their own, started by test_processes.py."""

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import nn

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.training.batches import dot_scores
from foretaste.training.config import EarlyStoppingConfig, OptimizerConfig, SamplerConfig, TrainingConfig
from foretaste.training.context import TrainingContext, seeded
from foretaste.training.distributed import World, join_world
from foretaste.training.loop import train
from foretaste.training.losses import sampled_softmax_loss
from foretaste.training.task import Task

NUM_USERS, NUM_ITEMS = 31, 23
VARIANTS = {
    "dense": {"sparse": False},
    "sparse": {"sparse": True, "sampler": {"kind": "popularity", "num_negatives": 2}},
    "sgd": {"sparse": False, "optimizer": {"dense": "sgd", "momentum": 0.9}, "sampler": {"kind": "in_batch"}},
    "together": {
        "sparse": True,
        "sampler": {"num_negatives": 40, "shared": True},
        "users_together": True,
    },
    "hard": {"sparse": True, "sampler": {"kind": "hard", "num_candidates": 4}},
}


def interactions() -> Interactions:
    """209 events: batches of 16 leave a last one of 1, of which one process of two gets nothing."""
    random = np.random.default_rng(1)
    return Interactions(
        random.integers(0, NUM_USERS, 209).astype(np.int32),
        (NUM_ITEMS * random.random(209) ** 2).astype(np.int32),
        random.choice([0.5, 1.0, 2.0], 209).astype(np.float32),
        None,
        Vocabulary(pl.Series("id", [f"u{user}" for user in range(NUM_USERS)])),
        Vocabulary(pl.Series("id", [f"i{item}" for item in range(NUM_ITEMS)])),
    )


class Factors(nn.Module):
    def __init__(self, sparse, dropout, pause):
        super().__init__()
        self.user = nn.Embedding(NUM_USERS, 8, sparse=sparse)
        self.item = nn.Embedding(NUM_ITEMS, 8, sparse=sparse)
        self.bias = nn.Parameter(torch.zeros(NUM_ITEMS))
        self.dropout = nn.Dropout(dropout)
        self.pause = pause

    def loss(self, batch):
        time.sleep(self.pause)
        user_VD = self.dropout(self.user(batch.users))
        items = (self.item(batch.positive_B), self.item(batch.negatives))
        positive_B, negative_VS = dot_scores(user_VD, *items, batch.place_B)
        positive_B, negative_VS = positive_B + self.bias[batch.positive_B], negative_VS + self.bias[batch.negatives]
        return sampled_softmax_loss(positive_B, negative_VS, batch.is_negative_VC, batch.place_B)

    def score(self, user_B, item_BS):
        return (self.item(item_BS) @ self.user(user_B)[:, :, None])[:, :, 0]


def validation_by_all(factors: Factors, world: World):
    """The mean of each user's best score, every process scoring its own users."""

    def validate():
        user_U = torch.arange(NUM_USERS)[world.share(NUM_USERS)]
        best_U = (factors.user(user_U) @ factors.item.weight.T).amax(1)
        gathered_U = world.gather_rows(best_U)
        assert len(gathered_U) == NUM_USERS
        return {"best": float(gathered_U.mean())}

    return validate


def trained(
    world,
    *,
    sparse,
    sampler=None,
    users_together=False,
    optimizer=None,
    dropout=0.0,
    pause=0.0,
    folder=None,
    resume=False,
    tell=int,
):
    """(weights, history) of 4 epochs."""
    config = TrainingConfig(
        epochs=4,
        batch_size=16,
        learning_rate=0.02,
        sampler=SamplerConfig(**(sampler or {})),
        users_together=users_together,
        optimizer=OptimizerConfig(**(optimizer or {})),
        early_stopping=EarlyStoppingConfig(metric="best", patience=9),
        gradient_clip_norm=0.5,
        checkpoint_dir=folder,
        checkpoint_every_epochs=3,
    )
    with seeded(0, world.device):
        factors = Factors(sparse, dropout, pause)
        context = TrainingContext(
            world=world,
            validate=validation_by_all(factors, world),
            progress=lambda done, *_: tell(done),
            resume=resume,
        )
        result = train(Task(factors, factors.loss, score=factors.score), interactions(), config, context)
    told = [{name: epoch[name] for name in ("loss", "best", "learning_rate")} for epoch in result.history]
    return factors.state_dict(), told


def in_processes(folder: Path) -> None:
    """Train every variant and save what each rank has in the end, and what it gathered."""
    with join_world("cpu") as world:
        rows_X = torch.arange(21).view(7, 3).double() / 7
        given = {"gathered": world.gather_rows(rows_X[world.share(7)]), "expected": rows_X}
        given["nothing"] = world.gather_rows(rows_X[:0])
        for name, variant in VARIANTS.items():
            given[name] = trained(world, **variant)
        torch.save(given, folder / f"{world.size}-{world.rank}.pt")


def to_be_interrupted(folder: Path) -> None:
    """Train slowly, and tell each step."""
    trained(World(), sparse=True, dropout=0.3, pause=0.03, folder=folder, tell=lambda done: print(done, flush=True))


def resumed(folder: Path) -> None:
    """Continue, and train once more without a disturbance; save both."""
    first_steps: list[int] = []
    continued = trained(World(), sparse=True, dropout=0.3, folder=folder, resume=True, tell=first_steps.append)
    undisturbed = trained(World(), sparse=True, dropout=0.3)
    content = {"continued": continued, "undisturbed": undisturbed, "first_step": first_steps[0]}
    torch.save(content, folder / "results.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["in_processes", "to_be_interrupted", "resumed"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    globals()[options.what](options.folder)
