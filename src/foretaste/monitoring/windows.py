"""Stretches of time that figures are worked out over."""

import re
import time
from dataclasses import dataclass
from typing import Self

from foretaste.errors import ConfigError

SECONDS_PER_HOUR = 3600
_UNIT_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Window:
    """Whole hours: from the start of `first_hour` to the end of `last_hour`, counted from 1970, UTC."""

    first_hour: int
    last_hour: int

    @classmethod
    def latest(cls, length: str, now: float | None = None) -> Self:
        """The hours up to and with the present one.

        Args:
            length: a number and h, d or w, as in `24h`.
            now: UTC seconds; the clock's by default.

        Raises:
            ConfigError: the length is not one.
        """
        found = re.fullmatch(r"(\d{1,6})([hdw])", length)
        hours = int(found[1]) * _UNIT_HOURS[found[2]] if found else 0
        if hours == 0:
            raise ConfigError(f"window '{length}': expected a number and h, d or w, as in 24h, 7d or 4w.")
        present = int((time.time() if now is None else now) // SECONDS_PER_HOUR)
        return cls(present - hours + 1, present)

    @property
    def start_seconds(self) -> int:
        """UTC seconds."""
        return self.first_hour * SECONDS_PER_HOUR

    @property
    def end_seconds(self) -> int:
        """UTC seconds; just after the window."""
        return (self.last_hour + 1) * SECONDS_PER_HOUR

    @property
    def num_hours(self) -> int:
        """How many hours it has."""
        return self.last_hour - self.first_hour + 1

    def before(self) -> "Window":
        """The window of the same length that ends where this one begins."""
        return Window(self.first_hour - self.num_hours, self.first_hour - 1)
