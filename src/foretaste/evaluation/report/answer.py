"""The answer first: which model, how much better than the others, how sure, and what limits that."""

from foretaste.evaluation.report.contents import POPULARITY, ReportInput
from foretaste.evaluation.report.document import Block, Bullets, Paragraph, Span, line, strong
from foretaste.evaluation.report.wording import interval, listed, titled, titled_on_valid
from foretaste.evaluation.significance import Comparison, compare


def opening(report: ReportInput) -> tuple[Block, ...]:
    """What stands before the first heading."""
    best, title = report.chosen, titled(report, report.select_by)
    estimate = best.test.estimates[report.select_by]
    chosen_on = "valid" if best.valid is not None else "test, since the split has no validation part"
    answer: list[str | Span] = [
        strong(report.best),
        f" is the best of {len(report.results)} models, chosen by {titled_on_valid(report, report.select_by)} on "
        f"{chosen_on}. "
        f"On test it reaches {title} {interval(estimate)} over {len(best.test.user_B):,} users.",
    ]
    if len(report.results) == 1:
        answer = [
            strong(report.best),
            f" reaches {title} {interval(estimate)} on test, over {len(best.test.user_B):,} users. "
            f"There is no other model to hold it against.",
        ]
    lead = Paragraph(text=line(*answer), role="lead")
    return (lead, *_how_sure(report), *(Paragraph(text=line(one), role="warning") for one in _warnings(report)))


def _how_sure(report: ReportInput) -> list[Block]:
    """The chosen model against each other one, user by user."""
    if not report.others:
        return []
    values = {result.label: result.test.values[report.select_by] for result in report.results}
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
    note = f"Differences are in {title}, user by user, with 95 % intervals; p by permutation, corrected by Holm."
    return [Bullets(items=tuple(line(one) for one in told)), Paragraph(text=line(note))]


def _against_popularity(one: Comparison, at: float) -> str:
    times = f", {one.difference.mean / at:+.0%}," if at > 0 else ""
    verdict = "is real" if one.is_real else "may be chance"
    return (
        f"Popularity, which knows nobody, reaches {at:.4f}; the difference of {_interval(one)}{times} {verdict} "
        f"(p {one.corrected_p:.2g})."
    )


def _interval(one: Comparison) -> str:
    return f"{one.difference.mean:+.4f} [{one.difference.low:+.4f} {one.difference.high:+.4f}]"


def _told(one: Comparison) -> str:
    return f"{one.reference} ({_interval(one)}, p {one.corrected_p:.2g})"


def _warnings(report: ReportInput) -> list[str]:
    told = [warning.text for warning in report.warnings]
    if report.chosen.valid is None:
        told.append("The choice was made on test: its figure is optimistic. Give the split a validation share.")
    return told
