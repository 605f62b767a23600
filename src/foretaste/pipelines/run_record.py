"""What a run leaves for other tools: each model's outcome per user, and the lists that were judged."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from foretaste.arrays import EMPTY_SLOT
from foretaste.data.schemas import ITEM_ID, USER_ID
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ArtifactError, ConfigError
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig

CONFIG_FILE = "config.yaml"
RESULT_FILE = "result.json"
LATEST = "latest"
PER_USER, TRUTH, _EARLIER = "per_user", "truth", "window_{}"
"""What the files of an outcome begin with: on the test, on what was drawn for the users at random, and on the test
window of that number where the split rolls and the test is the newest window of several."""
_HOW_TO_GET_ONE = "make one with `foretaste run CONFIG`"


@contextmanager
def claimed_run_id(root: Path, started_at: datetime, name: str) -> Iterator[str]:
    """An id that no other run has and none will take: when it was started, and its name.

    Of runs of one name that were started in the same second, the later ones get the next seconds that are free.

    Args:
        root: folder of the runs, made if it is missing.
        started_at: in UTC.
        name: of the config.
    """
    root.mkdir(parents=True, exist_ok=True)
    while True:
        run_id = f"{started_at:%Y%m%d-%H%M%S}-{name}"
        claim = root / f".claimed-{run_id}"
        started_at += timedelta(seconds=1)
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            # Looked at only now: whoever had the claim before has left the folder by then, or nothing.
            if not (root / run_id).exists():
                yield run_id
                return
        finally:
            claim.unlink(missing_ok=True)


def write_outcome(folder: Path, label: str, test: Evaluation, users: Vocabulary, items: Vocabulary) -> None:
    """`per_user.<label>.parquet` with every metric of every judged user, and `top.<label>.parquet` with the lists.

    The lists have `user_id`, `item_id`, `rank` from 1 and `score`; an empty slot has no row.
    """
    write_per_user(folder, PER_USER, label, test, users)
    ids = pl.Series(USER_ID, users.ids_at(test.user_B))
    row_N, slot_N = np.nonzero(test.top.item_BK != EMPTY_SLOT)
    lists = pl.DataFrame(
        {
            USER_ID: ids.gather(row_N),
            ITEM_ID: items.ids.gather(test.top.item_BK[row_N, slot_N].astype(np.int64)),
            "rank": (slot_N + 1).astype(np.int32),
            "score": test.top.score_BK[row_N, slot_N],
        }
    )
    lists.write_parquet(folder / f"top.{label}.parquet")


def write_earlier_windows(folder: Path, label: str, tests: Sequence[Evaluation], users: Vocabulary) -> None:
    """`window_1.<label>.parquet` and so on: what `per_user` has, for the windows before, oldest first."""
    for number, test in enumerate(tests, 1):
        write_per_user(folder, _EARLIER.format(number), label, test, users)


def write_per_user(folder: Path, part: str, label: str, evaluation: Evaluation, users: Vocabulary) -> None:
    """`<part>.<label>.parquet`: `user_id`, and a column for each metric."""
    ids = pl.Series(USER_ID, users.ids_at(evaluation.user_B))
    values = (pl.Series(name, values) for name, values in evaluation.values.items())
    pl.DataFrame([ids, *values]).write_parquet(folder / f"{part}.{label}.parquet")


def comparable_protocol(config: EvaluationConfig) -> dict[str, Any]:
    """The settings that decide what a figure means; those that only decide which figures there are left out."""
    return {key: value for key, value in config.resolved().items() if key not in ("cutoffs", "metrics", "select_by")}


@dataclass(frozen=True)
class RunRecord:
    """A run's folder, read back."""

    folder: Path
    result: dict[str, Any]
    """What `foretaste run --json` printed."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The run in a folder.

        Raises:
            ArtifactError: the folder is no run.
        """
        try:
            result = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ArtifactError(f"{folder} is no run: it has no {RESULT_FILE}; {_HOW_TO_GET_ONE}.") from None
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{folder / RESULT_FILE} cannot be read ({error}); {_HOW_TO_GET_ONE}.") from error
        return cls(folder, result)

    def refuse_incomparable(self) -> None:
        """Raise unless the run tells by what it was judged.

        Raises:
            ArtifactError: it is of a version that did not record all that comparing needs.
        """
        needed = ("test_fingerprint", "window_fingerprints", "protocol", "select_by")
        missing = [key for key in needed if key not in self.result]
        if missing:
            raise ArtifactError(
                f"run {self.folder.name} did not record {', '.join(missing)}, without which nobody can tell whether it "
                f"compares; run its config again: foretaste run {self.folder / 'config.yaml'}"
            )

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return str(self.result["run_id"])

    @property
    def labels(self) -> list[str]:
        """Its models, in the order of the config."""
        return [str(model["model"]) for model in self.result["models"]]

    @property
    def window_fingerprints(self) -> list[str]:
        """Of the held-out events of each test window, oldest first; one where the split does not roll."""
        return list(self.result["window_fingerprints"])

    def window_part(self, before: int) -> str:
        """What the files begin with of the test window that is so many before the newest."""
        return _EARLIER.format(len(self.window_fingerprints) - before) if before else PER_USER

    def window_metrics(self, label: str, before: int) -> dict[str, Any]:
        """The metric objects of a model in the test window that is so many before the newest."""
        told = self.model(label)
        found: dict[str, Any] = told["rolling"]["windows"][-1 - before]["metrics"] if before else told["metrics"]
        return found

    def model(self, label: str) -> dict[str, Any]:
        """What the result says of one model."""
        found: dict[str, Any] = next(model for model in self.result["models"] if model["model"] == label)
        return found

    def per_user(self, label: str, part: str = PER_USER) -> pl.DataFrame:
        """`user_id` and a column for each metric.

        Raises:
            ArtifactError: the file is missing or damaged.
        """
        path = self.folder / f"{part}.{label}.parquet"
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{path} cannot be read ({error}); run the config of {self.run_id} again.") from error


def find_runs(names: Sequence[str], root: Path) -> list[RunRecord]:
    """The runs of that names, each once.

    Args:
        names: ids, unique beginnings of ids, paths of folders, or `latest`.
        root: folder of the runs.

    Raises:
        ConfigError: a name fits no run, or several.
    """
    folders = dict.fromkeys(_find(name, root).resolve() for name in names)
    return [RunRecord.read(folder) for folder in folders]


def _find(name: str, root: Path) -> Path:
    there = sorted(path.name for path in root.glob("[!.]*") if path.is_dir()) if root.is_dir() else []
    if name == LATEST and there:
        return root / there[-1]
    if name in there:
        return root / name
    if Path(name).is_dir():
        return Path(name)
    begin = [run_id for run_id in there if name and run_id.startswith(name)]
    if len(begin) == 1:
        return root / begin[0]
    if begin:
        raise ConfigError(f"'{name}' fits {len(begin)} runs: {_some(begin)}; give more of the id.")
    if not there:
        raise ConfigError(f"no run '{name}': {root} holds no runs; {_HOW_TO_GET_ONE}, or say where with --artifacts.")
    raise ConfigError(f"no run '{name}' in {root}; the newest are {_some(there)}. '{LATEST}' is the newest of all.")


def _some(run_ids: Sequence[str]) -> str:
    return ", ".join(run_ids[:-6:-1])
