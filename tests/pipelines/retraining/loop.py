"""A small service that has run for a while: a live model, a log with what people did since, and a config to retrain."""

import itertools
import runpy
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from foretaste.artifacts.store import BundleStore
from foretaste.config import ExperimentConfig, check, load_config
from foretaste.data.sources.synthetic import make_world
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.retraining.settings import RetrainConfig
from foretaste.pipelines.train import train
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.logs.rows import FeedbackRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

EXPERIMENT = {
    "name": "small",
    "data": {"source": "synthetic", "num_users": 250, "num_items": 80, "num_interactions": 4000},
    "models": {"als": {"embedding_dim": 8, "iterations": 4}, "popularity": {}},
}
_numbers = itertools.count()
as_logged = runpy.run_path(str(Path(__file__).parents[2] / "logged.py"))["as_logged"]


class Loop(NamedTuple):
    """Its folder, with everything under it."""

    folder: Path

    @property
    def artifacts(self):
        return self.folder / "artifacts"

    @property
    def store(self):
        return BundleStore(self.artifacts / "bundles")

    @property
    def config_path(self):
        return self.folder / "retrain.yaml"

    @property
    def log_url(self):
        return f"sqlite:///{self.folder}/log.db"

    def config(self, *overrides):
        return load_config(self.config_path, RetrainConfig, overrides)

    def begin(self):
        """The live model knows the first fifth of the events."""
        (self.folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
        values = {
            "experiment": str(self.folder / "experiment.yaml"),
            "feedback": {"log": self.log_url},
            "min_new_events": 50,
            "guard": {"min_users": 30, "min_slice_users": 30, "budgets": {"requests": 20}},
        }
        self.config_path.write_text(yaml.safe_dump(values))
        early = check({**EXPERIMENT, "split": {"method": "global_time", "test": 0.8}}, ExperimentConfig, where="small")
        train(early, self.artifacts, Silence(), label="als", promote=True)
        return self

    def copied(self, folder):
        """The same elsewhere; configs and URLs name the new folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        for path in folder.glob("*.yaml"):
            path.write_text(path.read_text().replace(str(self.folder), str(folder)))
        return Loop(folder)

    def write(self, events):
        logs = ServiceLogs(LogConfig(url=self.log_url, journal_dir=self.folder / "journal", move_every_seconds=60))
        logs.start()
        for user, kind, item, timestamp in events:
            number = next(_numbers)
            logs.feedback.take(
                FeedbackRow(
                    event_id=f"e{number}",
                    timestamp=timestamp,
                    received_at=timestamp,
                    kind=kind,
                    item_id=item,
                    user_id=user,
                )
            )
        logs.stop()
        return self

    def visit(self, users, at):
        """Each of the users is answered by the live model at that time, and clicks an item that others like."""
        engine, rng = Engine(self.store.open()), np.random.default_rng(0)
        met = np.asarray(engine.bundle.history.weights_UI.indices)
        logs = ServiceLogs(LogConfig(url=self.log_url, journal_dir=self.folder / "journal", move_every_seconds=60))
        logs.start()
        for user in users:
            number = next(_numbers)
            request = RecommendRequest(user, k=10, seed=number)
            answer = engine.recommend(request)
            logs.requests.append(as_logged(engine, request, answer, request_id=f"r{number}", timestamp=at))
            clicked = {"kind": "click", "item_id": engine.bundle.items.id(int(rng.choice(met)))}
            row = FeedbackRow(event_id=f"e{number}", timestamp=at, received_at=at, user_id=user, **clicked)
            logs.feedback.take(row)
        logs.stop()
        return self

    def people_click(self, num_events=300, num_new_users=20, days=(1, 3), seed=0):
        """What they like best, after the end of the data; some of them are new."""
        world = make_world(check(EXPERIMENT, ExperimentConfig, where="small").data)
        rng = np.random.default_rng(seed)
        end = world.config.end_seconds
        liking_UI = world.preference(np.arange(world.config.num_users), end)
        events = []
        for _ in range(num_events):
            like = int(rng.integers(world.config.num_users))
            item = int(rng.choice(np.argsort(-liking_UI[like])[:15]))
            user = f"n{like}" if like < num_new_users else f"u{like + 1}"
            events.append((user, "click", f"m{item + 1}", end + rng.uniform(*days) * 86_400))
        return self.write(events)


def running(folder):
    """A loop in a folder, with a log."""
    folder.mkdir(parents=True, exist_ok=True)
    return Loop(folder).begin().people_click()
