"""What a report is given: the outcome of a run, as the pipeline has it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.prepare import Audit
from foretaste.data.splits import PartSummary
from foretaste.evaluation.diagnostics import Diagnosis, Examination
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.truth import Agreement
from foretaste.evaluation.warnings import EvaluationWarning

POPULARITY = "popularity"
"""Label of the model that knows nobody, against which the others are held."""


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One row of the comparison."""

    label: str
    fit_seconds: float
    valid: Evaluation | None
    test: Evaluation
    learning_curve: pl.DataFrame = field(default_factory=pl.DataFrame)
    """A row an epoch, as `LearningCurve.frame` has it; no rows for a model without epochs."""
    earlier: tuple[Evaluation, ...] = ()
    """The test windows before this one, oldest first, where the split rolls."""


@dataclass(frozen=True, eq=False)
class ReportInput:
    """Everything that the report tells."""

    run_id: str
    command: str
    """What to type to get the same result."""
    dataset: Dataset
    """Its events are the history that was known when test began."""
    test: Interactions
    audit: Audit
    split_method: str
    parts: dict[str, PartSummary]
    results: Sequence[ModelResult]
    best: str
    """Label of the chosen model."""
    select_by: str
    config: dict[str, Any]
    """The resolved config."""
    versions: dict[str, str]
    warnings: Sequence[EvaluationWarning] = ()
    """What the figures hide; told at the top."""
    truth: Agreement | None = None
    """How far the test is from one on randomly drawn items; None where the data has none."""

    examination: Examination | None = None
    """What was drawn for the diagnoses; None where none were made."""
    diagnoses: Sequence[Diagnosis] = ()
    """One for each result."""

    @property
    def chosen(self) -> ModelResult:
        """The model that was published."""
        return next(result for result in self.results if result.label == self.best)

    @property
    def others(self) -> list[ModelResult]:
        """All models but the chosen one, in the order of the config."""
        return [result for result in self.results if result.label != self.best]
