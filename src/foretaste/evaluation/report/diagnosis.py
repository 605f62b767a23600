"""What the models are like inside: vectors, neighbourhoods, what lists and scores go with."""

from collections.abc import Sequence

from foretaste.evaluation.diagnostics import Diagnosis
from foretaste.evaluation.diagnostics.vectors import Norms
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import (
    Beside,
    Block,
    Bullets,
    Cell,
    Figure,
    Figures,
    Folded,
    Histogram,
    Section,
    line,
    number,
    table,
    words,
)
from foretaste.evaluation.report.wording import interval_cell
from foretaste.evaluation.significance import Estimate

_DECIMALS = 3
_SIGNIFICANT = 0.05


def diagnoses(report: ReportInput) -> Section:
    """Tables of all models, and charts of the vectors of the chosen one; empty where no diagnoses were made."""
    title = "Diagnostics"
    if report.examination is None:
        return Section(title=title)
    told = report.diagnoses
    chosen = next(one for one in told if one.label == report.best)
    blocks = [
        *_beside(_matches(told), _correlations(chosen, report.examination.config.top_features)),
        *_beside(_cohesion(told), _alignment(told)),
        *_norms(told, chosen),
        *_correlations_of_others(report, report.examination.config.top_features),
        *_remarks(told),
    ]
    return Section(title=title, blocks=tuple(blocks))


def _beside(*groups: list[Block]) -> list[Block]:
    filled = tuple(tuple(group) for group in groups if group)
    return [Beside(groups=filled)] if filled else []


def _matches(told: Sequence[Diagnosis]) -> list[Block]:
    rows: list[list[str | Cell]] = [
        [one.label, found.column, _cell(found.share), f"{found.expected:.{_DECIMALS}f}", f"{found.num_users:,}"]
        for one in told
        for found in one.matches
    ]
    caption = (
        "Share of a list whose genres or author the user likes, and what a list drawn at random would reach. A user "
        "likes what has a larger share of the user's events than of everybody's."
    )
    columns = [words("model"), words("of"), number("share of the list"), number("at random"), number("users")]
    return [table(caption, columns, rows)] if rows else []


def _cohesion(told: Sequence[Diagnosis]) -> list[Block]:
    rows: list[list[str | Cell]] = [
        [
            one.label,
            found.column,
            _cell(found.share),
            f"{found.expected:.{_DECIMALS}f}",
            f"{found.neighbor_k}",
            f"{found.num_items:,}",
        ]
        for one in told
        for found in one.cohesion
    ]
    caption = "Share of an item's nearest neighbours, by cosine, that have a genre or the author in common with it."
    columns = [
        words("model"),
        words("of"),
        number("share of neighbours"),
        number("at random"),
        number("neighbours"),
        number("items"),
    ]
    return [table(caption, columns, rows)] if rows else []


def _alignment(told: Sequence[Diagnosis]) -> list[Block]:
    rows: list[list[str | Cell]] = [
        [
            one.label,
            found.column,
            _cell(found.liked),
            _cell(found.others),
            _cell(found.difference),
            f"{found.num_users:,}",
        ]
        for one in told
        for found in one.alignment
    ]
    caption = (
        "Mean cosine of a user's vector with the centres of what the user likes, and with the centres of the rest. A "
        "difference above 0 says that users stand near what they like."
    )
    columns = [
        words("model"),
        words("of"),
        number("liked"),
        number("the rest"),
        number("difference"),
        number("users"),
    ]
    return [table(caption, columns, rows)] if rows else []


def _correlations(chosen: Diagnosis, top: int) -> list[Block]:
    if not chosen.correlations:
        return []
    asked, real = len(chosen.correlations), sum(one.corrected_p < _SIGNIFICANT for one in chosen.correlations)
    shown = chosen.correlations[:top]
    rows: list[list[str | Cell]] = [
        [
            Cell(text=one.feature, is_strong=one.corrected_p < _SIGNIFICANT),
            f"{one.r:+.{_DECIMALS}f}",
            _p(one.p),
            _p(one.corrected_p),
        ]
        for one in shown
    ]
    caption = (
        f"What the scores of {chosen.label} go with: Pearson's r of an item's mean score with its features, over "
        f"{chosen.num_items:,} items; the {len(shown)} strongest of {asked}, of which {real} have a p below "
        f"{_SIGNIFICANT:g} after Holm's correction for all {asked} (in strong type)."
    )
    columns = [words("feature"), number("r"), number("p"), number("p corrected")]
    return [table(caption, columns, rows)]


def _norms(told: Sequence[Diagnosis], chosen: Diagnosis) -> list[Block]:
    rows: list[list[str | Cell]] = [
        [
            one.label,
            whose,
            f"{found.num_vectors:,}",
            f"{found.mean:.3g}",
            f"{found.stdev:.2g}",
            f"{found.quantiles['5%']:.3g}",
            f"{found.quantiles['50%']:.3g}",
            f"{found.quantiles['95%']:.3g}",
            "all equal" if found.r_events is None else f"{found.r_events:+.{_DECIMALS}f}",
        ]
        for one in told
        for whose, found in (("users", one.user_norms), ("items", one.item_norms))
        if found is not None
    ]
    if not rows:
        return []
    columns = [
        words("model"),
        words("vectors of"),
        number("count"),
        number("mean"),
        number("stdev"),
        number("5%"),
        number("median"),
        number("95%"),
        number("r with log events"),
    ]
    figures = [
        _histogram(chosen.label, whose, found)
        for whose, found in (("users", chosen.user_norms), ("items", chosen.item_norms))
        if found is not None and len(found.counts) > 1
    ]
    charts: list[Block] = [Figures(figures=tuple(figures))] if figures else []
    return [table("Lengths of the vectors of users and items with events.", columns, rows), *charts]


def _histogram(label: str, whose: str, found: Norms) -> Figure:
    summary = (
        f"Half of the {found.num_vectors:,} lengths lie between {found.quantiles['25%']:.3g} and "
        f"{found.quantiles['75%']:.3g}; the shortest is {found.quantiles['min']:.3g}, the longest "
        f"{found.quantiles['max']:.3g}."
    )
    chart = Histogram(axis=f"length of a vector; {found.num_vectors:,} {whose}", edges=found.edges, counts=found.counts)
    return Figure(title=f"Vectors of {whose}, {label}", summary=summary, chart=chart)


def _remarks(told: Sequence[Diagnosis]) -> list[Block]:
    remarks = dict.fromkeys(remark for one in told for remark in one.remarks)
    return [Bullets(items=tuple(line(one) for one in remarks))] if remarks else []


def _correlations_of_others(report: ReportInput, top: int) -> list[Block]:
    """Of the models that were not chosen, out of the way."""
    others = [(one.label, _correlations(one, top)) for one in report.diagnoses if one.label != report.best]
    return [Folded(title=f"What the scores of {label} go with", blocks=tuple(told)) for label, told in others if told]


def _p(p: float) -> str:
    return "< 1e-9" if p < 1e-9 else f"{p:.2g}"


def _cell(estimate: Estimate) -> Cell:
    return interval_cell(estimate, _DECIMALS)
