"""Whether a share lies above a limit, asked as often as one likes."""

import math

from scipy import special

_ALPHA = 0.05
_LEAST = 1e-9
"""Limits below count as this one: no log is long enough to tell."""


def is_above(count: int, total: int, limit: float) -> bool:
    """Whether it is shown that more than `limit` of all requests are of a kind, of which there were `count` in `total`.

    Who asks after each request and stops at the first yes errs in at most one of twenty cases where no more than the
    limit are: the likelihood of the shares above the limit, averaged over the upper part of a Beta(1, 1 / (2 · limit)),
    is over twenty times that of the limit itself (a mixture test: Robbins, Annals of Mathematical Statistics 1970;
    Ville's inequality).

    Args:
        count: requests of the kind.
        total: all requests.
        limit: a share, from 0 to 1; at 0 one request of the kind is enough, at 1 none ever is.
    """
    if not total or count <= limit * total:
        return False
    if limit <= 0:
        return True
    limit = max(limit, _LEAST)
    a, b = 1.0, 1 / (2 * limit)
    misses = total - count
    averaged = special.betaln(a + count, b + misses) - special.betaln(a, b)
    upper = math.log(special.betaincc(a + count, b + misses, limit)) - math.log(special.betaincc(a, b, limit))
    at_limit = count * math.log(limit) + misses * math.log1p(-limit)
    return bool(averaged + upper - at_limit > -math.log(_ALPHA))
