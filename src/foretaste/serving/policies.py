"""How the slots of an answer are given to items: always to the best, or by chance, so that others are tried, too.

A policy works on the candidates of a request: the eligible items of the highest scores. An item beyond them has
propensity 0. Each slot is filled given the slots above it, and the probability with which it got its item is logged.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from foretaste.settings import Settings

_Candidates = Annotated[int, Field(ge=1, le=10_000)]


class GreedyPolicy(Settings):
    """Each slot goes to the best item that is left."""

    kind: Literal["greedy"] = "greedy"

    @property
    def label(self) -> str:
        """As the request log tells it."""
        return self.kind


class EpsilonGreedyPolicy(Settings):
    """Each slot goes to the best candidate that is left, but with probability ε to any of those that are left."""

    kind: Literal["epsilon_greedy"] = "epsilon_greedy"
    epsilon: float = Field(default=0.1, ge=0, le=1)
    """ε."""
    candidates: _Candidates = 100
    """Among how many items is drawn; at least k are."""

    @property
    def label(self) -> str:
        """As the request log tells it."""
        return f"epsilon_greedy(epsilon={self.epsilon:g}, candidates={self.candidates})"


class PlackettLucePolicy(Settings):
    """Each slot goes to a candidate with probability in proportion to exp(merit / temperature), of those left.

    Merits are the scores, scaled so that the best candidate has 1 and the worst 0. (Plackett, 1975; Luce, 1959.)
    """

    kind: Literal["plackett_luce"] = "plackett_luce"
    temperature: float = Field(default=0.1, gt=0)
    """The higher, the more even the chances; towards 0 the policy is greedy."""
    candidates: _Candidates = 100
    """Among how many items is drawn; at least k are."""

    @property
    def label(self) -> str:
        """As the request log tells it."""
        return f"plackett_luce(temperature={self.temperature:g}, candidates={self.candidates})"


Policy: TypeAlias = Annotated[GreedyPolicy | EpsilonGreedyPolicy | PlackettLucePolicy, Field(discriminator="kind")]
