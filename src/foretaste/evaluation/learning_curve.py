"""How a training went: the figures of each epoch, of the fit that was validated and of the refit after it."""

from typing import Any

import polars as pl

from foretaste.models.protocol import EpochReport

FIT = "fit"
EPOCH = "epoch"
TRAIN, REFIT = "train", "refit"
"""The two fits of a model: on train, judged on valid; and on all events before test."""


class LearningCurve:
    """Takes down what the trainings of one model tell."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def listener(self, fit: str) -> EpochReport:
        """What to call after each epoch of a fit, `train` or `refit`."""

        def note(epoch: int, figures: dict[str, float]) -> None:
            self._rows.append({FIT: fit, EPOCH: epoch, **figures})

        return note

    def frame(self) -> pl.DataFrame:
        """A row an epoch: `fit`, `epoch` (the first is 1), and its figures; no rows for a model without epochs.

        The figures are those of `FitContext.on_epoch`: `loss`, `samples_per_second`, `learning_rate`, `seconds`, and
        the validation, null where none was due.
        """
        empty = pl.DataFrame(schema={FIT: pl.String, EPOCH: pl.Int64})
        return pl.DataFrame(self._rows, infer_schema_length=None) if self._rows else empty
