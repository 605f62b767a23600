"""The answer first: which model, how much better than the others, how sure, and what limits that."""

from foretaste.evaluation.report.contents import POPULARITY, ReportInput
from foretaste.evaluation.report.document import Block, Bullets, Paragraph, Span, line, strong
from foretaste.evaluation.report.wording import interval, listed, titled, titled_on_valid, values_by_user
from foretaste.evaluation.significance import Comparison, compare

_MANY_TIMES = 3.0
"""Differences, in units of what they are from, that are told as times and not in percent."""


def opening(report: ReportInput) -> tuple[Block, ...]:
    """What stands before the first heading."""
    best, title = report.chosen, titled(report, report.select_by)
    estimate = best.test.estimates[report.select_by]
    chosen_on = "valid" if best.valid is not None else "test, since the split has no validation part"
    answer: list[str | Span] = [
        strong(report.best),
        f" is the best of {len(report.results)} models, chosen by {titled_on_valid(report, report.select_by)} on "
        f"{chosen_on}. "
        f"On {_test(report)} it reaches {title} {interval(estimate)} over {len(best.test.user_B):,} users.",
    ]
    if len(report.results) == 1:
        answer = [
            strong(report.best),
            f" reaches {title} {interval(estimate)} on {_test(report)}, over {len(best.test.user_B):,} users. "
            f"There is no other model to hold it against.",
        ]
    lead = Paragraph(text=line(*answer), role="lead")
    return (lead, *_how_sure(report), *(Paragraph(text=line(one), role="warning") for one in _warnings(report)))


def _test(report: ReportInput) -> str:
    """What the sections are of, where there are several test windows."""
    windows = len(report.chosen.earlier) + 1
    return "test" if windows == 1 else f"window {windows} of {windows}, the newest,"


def _how_sure(report: ReportInput) -> list[Block]:
    """The chosen model against each other one, user by user; over all windows where the split rolls."""
    if not report.others:
        return []
    values = values_by_user(report)
    found = compare([(report.best, other.label) for other in report.others], values)
    told = [_against_popularity(one, float(values[POPULARITY].mean())) for one in found if one.reference == POPULARITY]
    rest = [one for one in found if one.reference != POPULARITY]
    better = [one for one in rest if one.is_real and one.difference.mean > 0]
    worse = [one for one in rest if one.is_real and one.difference.mean < 0]
    close = [one for one in rest if not one.is_real]
    if better:
        told.append(f"{report.best} is really better than {listed(_told(one) for one in better)}.")
    if worse:
        told.append(f"On test {report.best} is really worse than {listed(_told(one) for one in worse)}.")
    if close:
        told.append(f"These users do not tell {report.best} from {listed(_told(one) for one in close)}.")
    title = titled(report, report.select_by)
    windows, users = len(report.chosen.earlier) + 1, len(values[report.best])
    over = f" over the {users:,} users of all {windows} windows, each once with the mean of theirs" * (windows > 1)
    note = f"Differences are in {title}, user by user{over}, with 95 % intervals; p by permutation, corrected by Holm."
    return [Bullets(items=tuple(line(one) for one in told)), Paragraph(text=line(note))]


def _against_popularity(one: Comparison, at: float) -> str:
    times = _times(one.difference.mean, at)
    verdict = "is real" if one.is_real else "may be chance"
    return (
        f"Popularity, which knows nobody, reaches {at:.4f}; the difference of {_interval(one)}{times} {verdict} "
        f"(p {one.corrected_p:.2g})."
    )


def _times(difference: float, at: float) -> str:
    """How large a difference is beside what it is from: in percent, or in times where it is large."""
    if at <= 0:
        return ""
    share = difference / at
    return f", {share:+.0%}," if share < _MANY_TIMES else f", {share + 1:.0f} times as much,"


def _interval(one: Comparison) -> str:
    return f"{one.difference.mean:+.4f} [{one.difference.low:+.4f} {one.difference.high:+.4f}]"


def _told(one: Comparison) -> str:
    return f"{one.reference} ({_interval(one)}, p {one.corrected_p:.2g})"


def _warnings(report: ReportInput) -> list[str]:
    told = [warning.text for warning in report.warnings]
    if report.chosen.valid is None:
        told.append("The choice was made on test: its figure is optimistic. Give the split a validation share.")
    return told
