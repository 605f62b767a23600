"""The log of the service: one JSON object a line, written with one call so that lines of several workers never mix."""

import logging
import os
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

Level = Literal["info", "warning", "error"]

_STDOUT = 1


class JsonLog:
    """Writes lines to a file descriptor. A line that cannot be written is counted and lost: the service goes on."""

    def __init__(self, descriptor: int = _STDOUT) -> None:
        self._descriptor = descriptor
        self.num_lost = 0

    def write(self, level: Level, event: str, fields: Mapping[str, Any] | None = None) -> None:
        """One line."""
        line = {"timestamp": datetime.now(UTC), "level": level, "event": event, **(fields or {})}
        try:
            os.write(self._descriptor, orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
        except (OSError, orjson.JSONEncodeError):
            self.num_lost += 1

    def failure(self, event: str, error: BaseException, fields: Mapping[str, Any] | None = None) -> None:
        """One line with a traceback."""
        told = "".join(traceback.format_exception(error))
        self.write("error", event, {**(fields or {}), "message": str(error), "traceback": told})


class LogHandler(logging.Handler):
    """Takes what libraries log to the same place."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        fields = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            self._log.failure("library", record.exc_info[1], fields)
        else:
            self._log.write(level, "library", fields)
