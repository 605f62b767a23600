"""Whether one variant earns more than another, as the answer stands now and may be looked at on any day.

What is compared is items clicked over items shown. A user is one draw: users are given to variants, and what one user
does hangs together. The interval is a confidence sequence: it holds the truth at all times together with 95 %
confidence, so whoever looks daily and stops when it excludes zero errs in one of twenty experiments and not in more
(Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 2024, asymptotic confidence sequences). That
freedom costs width: an interval for one look at a day fixed beforehand would be about two thirds as wide.
"""

import math
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from scipy import stats

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.windows import Window

_ALPHA = 0.05
_POWER = 0.8
_TIGHTEST_AT = 5000.0
"""Users at which the sequence is tightest; it must be fixed before anybody looks, and matters little."""
ENOUGH_USERS = 30
"""Of each variant, for the normal approximation."""
_MOST_USERS = 1e12


@dataclass(frozen=True)
class Arm:
    """A variant, or a bundle, as sums over its users."""

    num_users: int
    num_shown: float
    """Items shown."""
    num_clicked: float
    """Items clicked."""
    shown_squared: float
    """Σ over users of their shown²; likewise below."""
    clicked_squared: float
    shown_clicked: float

    @property
    def rate(self) -> float:
        """Clicked over shown."""
        return self.num_clicked / self.num_shown

    @property
    def user_variance(self) -> float:
        """Variance of what one user adds to the rate, by the delta method; over the number of users, the rate's."""
        rate = self.rate
        squares = self.clicked_squared - 2 * rate * self.shown_clicked + rate * rate * self.shown_squared
        mean_shown = self.num_shown / self.num_users
        return max(squares, 0.0) / max(self.num_users - 1, 1) / mean_shown**2

    @property
    def rate_variance(self) -> float:
        """Variance of the rate."""
        return self.user_variance / self.num_users


@dataclass(frozen=True)
class Comparison:
    """A variant against the baseline."""

    difference: Estimate
    """Of the rates, with an interval that holds whenever one looks."""
    is_decided: bool
    """The interval excludes zero."""
    num_users: int
    """Of both."""
    users_needed: float
    """Of both in all, until a true difference of the wanted size is found with 80 % probability."""


def arms(
    database: LogDatabase,
    window: Window,
    by: Literal["variant", "model_version"] = "variant",
    *,
    since: float = -math.inf,
    until: float = math.inf,
    only: sa.ColumnElement[bool] | None = None,
) -> dict[str, Arm]:
    """Every variant, or every bundle, that showed items in a window; a request without a user is a user of its own.

    The sums are made in the database.

    Args:
        database: of the log.
        window: of the requests.
        by: what tells the arms apart.
        since: UTC seconds; earlier requests are left out.
        until: UTC seconds; later requests are left out, since people have not had the time to click.
        only: which of the requests, by their columns; None for all.
    """
    row, event = REQUESTS.c, FEEDBACK.c
    start_seconds, end_seconds = max(float(window.start_seconds), since), min(float(window.end_seconds), until)
    inside = (row.timestamp >= start_seconds) & (row.timestamp < end_seconds)
    inside = inside if only is None else inside & only
    user = sa.func.coalesce(row.user_id, row.request_id)
    variant = sa.func.coalesce(row[by], "")
    shown = (
        sa.select(variant.label("variant"), user.label("user"), sa.func.sum(row.num_items).label("shown"))
        .where(inside, row.num_items > 0)
        .group_by(variant, user)
        .subquery()
    )
    item = event.request_id + "\n" + event.item_id
    clicked = (
        sa.select(variant.label("variant"), user.label("user"), sa.func.count(sa.distinct(item)).label("clicked"))
        .select_from(FEEDBACK.join(REQUESTS, event.request_id == row.request_id))
        .where(event.timestamp >= start_seconds, event.kind == "click", event.slot.is_not(None), inside)
        .group_by(variant, user)
        .subquery()
    )
    of_user = sa.and_(shown.c.variant == clicked.c.variant, shown.c.user == clicked.c.user)
    n, c = sa.cast(shown.c.shown, sa.Double), sa.cast(sa.func.coalesce(clicked.c.clicked, 0), sa.Double)
    sums = [sa.func.count(), *(sa.func.sum(each) for each in (n, c, n * n, c * c, n * c))]
    query = sa.select(shown.c.variant, *sums).select_from(shown.outerjoin(clicked, of_user)).group_by(shown.c.variant)
    with database.reading() as connection:
        return {row[0]: Arm(*row[1:]) for row in connection.execute(query.order_by(shown.c.variant))}


def compare(baseline: Arm, other: Arm, least_difference: float) -> Comparison | None:
    """How much more the other earns; None while either has fewer than 30 users.

    Args:
        baseline: what is compared with.
        other: what may be better.
        least_difference: the smallest true difference of the rates that matters, > 0.
    """
    if min(baseline.num_users, other.num_users) < ENOUGH_USERS:
        return None
    variance = baseline.rate_variance + other.rate_variance
    num_users = baseline.num_users + other.num_users
    mean, margin = other.rate - baseline.rate, always_valid_margin(variance * num_users, num_users)
    return Comparison(
        difference=Estimate(mean, mean - margin, mean + margin),
        is_decided=abs(mean) > margin,
        num_users=num_users,
        users_needed=_users_needed(variance * num_users, least_difference),
    )


def always_valid_margin(variance: float, num_users: float) -> float:
    """Half the width of the confidence sequence after so many users, each adding `variance`: theorem 2.2 of the paper,
    √(2 (tρ² + 1) / (t²ρ²) · log(√(tρ² + 1) / α)) times the deviation, with ρ the best for 5,000 users."""
    rho_squared = (-2 * math.log(_ALPHA) + math.log(-2 * math.log(_ALPHA) + 1)) / _TIGHTEST_AT
    grown = num_users * rho_squared + 1
    spread = 2 * grown / (num_users**2 * rho_squared) * math.log(math.sqrt(grown) / _ALPHA)
    return math.sqrt(variance * spread)


def _users_needed(variance: float, difference: float) -> float:
    """Users after which the margin, and what chance takes off the estimate in one of five cases, are below it."""
    z = float(stats.norm.ppf(_POWER))

    def is_enough(users: float) -> bool:
        return always_valid_margin(variance, users) + z * math.sqrt(variance / users) <= difference

    low, high = 1.0, 2.0
    while not is_enough(high) and high < _MOST_USERS:
        low, high = high, high * 2
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
