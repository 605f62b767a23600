"""How a pipeline tells what it does, without knowing who listens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from foretaste.models.protocol import Progress, no_progress


class Narrator(Protocol):
    """Someone who is told of each stage."""

    def say(self, stage: str, text: str) -> None:
        """A stage is done: what came out of it."""
        ...

    def progress(self, description: str) -> AbstractContextManager[Progress]:
        """A stage that takes a while begins; the function that it yields takes each step."""
        ...


class Silence:
    """Nobody listens."""

    def say(self, stage: str, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def progress(self, description: str) -> Iterator[Progress]:  # noqa: ARG002 - there is nobody to describe it to
        """Report nothing."""
        yield no_progress
