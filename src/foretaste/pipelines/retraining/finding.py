"""What one check of the guard came to."""

import math
from dataclasses import dataclass
from typing import Any, Literal

Check = Literal["sound", "data", "holdout", "accuracy", "slices", "lists", "budgets", "replay", "history", "yardstick"]

LeadsTo = Literal["refuse", "keep"]
"""What a failure leads to. `refuse`: the challenger is sick or worse. `keep`: nothing is wrong with it, and yet nothing
speaks for it."""


@dataclass(frozen=True)
class Finding:
    """One figure beside its limit. A finding that fails stands in the way of a promotion."""

    check: Check
    """The family that it belongs to."""
    name: str
    """What was looked at, as in `ndcg@10` or `items`."""
    passed: bool
    sentence: str
    """What came out, for a person."""
    figure: float | None = None
    limit: float | None = None
    leads_to: LeadsTo = "refuse"
    """What its failure leads to."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; a figure that is no number is null."""
        numbers = {"figure": _number(self.figure), "limit": _number(self.limit)}
        failed = {} if self.passed else {"leads_to": self.leads_to}
        told = {"check": self.check, "name": self.name, "passed": self.passed, **numbers, "sentence": self.sentence}
        return told | failed


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
