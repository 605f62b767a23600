"""The result as a document: the answer first, then week by week, then every decision with its reasons."""

from collections.abc import Mapping, Sequence

import yaml

from foretaste.evaluation.report.document import (
    Block,
    Bullets,
    Curve,
    Document,
    Figure,
    Figures,
    Folded,
    LineChart,
    Listing,
    Marks,
    Paragraph,
    Section,
    Table,
    line,
    number,
    strong,
    table,
    words,
)
from foretaste.pipelines.simulation.outcome import (
    ARMS,
    LOOP,
    NEVER,
    ORACLE,
    ArmName,
    Decision,
    Measure,
    SimulationResult,
    WorldOutcome,
)
from foretaste.pipelines.simulation.settings import DAYS_PER_WEEK
from foretaste.pipelines.simulation.weeks import WeekFigures

_SHAPES: dict[Decision, str] = {
    "promoted": "up",
    "promoted by hand": "square",
    "refused": "cross",
    "rolled back": "down",
    "kept": "dot",
    "skipped": "dot",
}
_FAULTS = {
    "shuffled": "events given to random users",
    "truncated": "most events missing",
    "unguarded": "events given to random users, promoted by hand",
}


def compose(result: SimulationResult, command: str) -> Document:
    """The whole page."""
    return Document(
        title=f"{result.config.weeks} simulated weeks",
        opening=opening(result),
        sections=(
            Section(title="Week by week", blocks=(_charts(result), _weeks_table(result))),
            Section(title="Decisions", blocks=_decisions(result)),
            Section(title="World by world", blocks=(_worlds(result),)),
            Section(title="What was simulated", blocks=_method(result)),
            Section(title="Reproduce", blocks=(_reproduce(result, command),)),
        ),
    )


def opening(result: SimulationResult) -> tuple[Block, ...]:
    """What stands before the first heading."""
    gain, closed = result.gain, result.closed
    never, loop, oracle = (sum(each) / len(each) for each in map(result.final_click_through, (NEVER, LOOP, ORACLE)))
    span = f"the last {result.final_weeks} weeks" if result.final_weeks > 1 else "the last week"
    verdict = "helps" if gain.low > 0 else "harms" if gain.high < 0 else "makes no difference that these worlds show"
    lead = line(
        strong(f"Retraining {verdict}."),
        f" In {span} {loop:.1%} of what the retrained service shows is clicked, and {never:.1%} where nothing is "
        f"retrained: {_points(gain.mean)} percentage points more, with an interval from {_points(gain.low)} to "
        f"{_points(gain.high)} over {len(result.worlds)} worlds.",
    )
    told = [
        line(
            f"An oracle that knows what everybody likes reaches {oracle:.1%}. Retraining closes {closed.mean:.0%} of "
            f"that gap (from {closed.low:.0%} to {closed.high:.0%})."
        ),
        *(line(each) for each in _planted(result)),
    ]
    return (Paragraph(text=lead, role="lead"), Bullets(items=tuple(told)))


def _planted(result: SimulationResult) -> list[str]:
    """What became of each fault, and of models that were live."""
    told = []
    for fault in ("shuffled", "truncated"):
        decisions = [event.decision for _, event in result.planted if event.planted == fault]
        if decisions:
            counts = ", ".join(f"{name} {decisions.count(name)}" for name in dict.fromkeys(decisions))
            told.append(f"Trainings with {_FAULTS[fault]}: {counts} of {len(decisions)}.")
    by_hand = sum(event.planted == "unguarded" for _, event in result.planted)
    days = result.days_until_rolled_back
    if by_hand:
        when = f", after {min(days)} to {max(days)} days" if len(set(days)) > 1 else ""
        when = f", each after {days[0]} {'day' if days[0] == 1 else 'days'}" if len(set(days)) == 1 else when
        told.append(f"Such trainings promoted by hand, past the guard: rolled back {len(days)} of {by_hand}{when}.")
    backs = sum(event.decision == "rolled back" for world in result.worlds for event in world.events) - len(days)
    promoted = sum(event.decision == "promoted" for world in result.worlds for event in world.events)
    if promoted:
        told.append(f"Models that the guard promoted: {promoted}, of which the watch rolled back {backs}.")
    return told


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _charts(result: SimulationResult) -> Figures:
    marks = _marks(result)

    def by_week(title: str, axis: str, measure: Measure) -> Figure:
        return _figure(title, axis, {arm: result.weekly(arm, measure) for arm in ARMS}, marks)

    regrets: dict[ArmName, list[float | None]] = {arm: [*result.regrets(arm)] for arm in (NEVER, LOOP)}
    figures = [
        by_week("Click-through", "clicks per slot shown", _click_through),
        _figure("Regret", "expected clicks a visit below the oracle", regrets, marks),
        by_week("Coverage", "share of the released items that were shown", lambda week: week.coverage),
        by_week("New items", "share of slots, items out since week 1", lambda week: week.new_item_share),
    ]
    if any(week.num_visits_of_new_users for world in result.worlds for week in world.arms[ORACLE]):
        title, axis = "New users", "clicks a visit, users since week 1"
        figures.append(by_week(title, axis, lambda week: week.clicks_per_visit_of_new_users))
    return Figures(figures=tuple(figures))


def _figure(title: str, axis: str, series: Mapping[ArmName, list[float | None]], marks: tuple[Marks, ...]) -> Figure:
    curves = tuple(
        Curve(label=arm, x=tuple(float(week + 1) for week in range(len(values))), y=tuple(values))
        for arm, values in series.items()
    )
    ends = "; ".join(f"{arm} from {_end(values)} to {_end(values[::-1])}" for arm, values in series.items())
    chart = LineChart(x_axis="week", y_axis=axis, curves=curves, marks=marks)
    return Figure(title=title, summary=f"{ends}.".capitalize(), chart=chart)


def _end(values: Sequence[float | None]) -> str:
    """The first value that there is."""
    return next((f"{value:.3f}" for value in values if value is not None), "none")


def _marks(result: SimulationResult) -> tuple[Marks, ...]:
    """A row for each kind of decision that was taken, counted over the worlds."""
    told = []
    for decision, shape in _SHAPES.items():
        days = [event.week for world in result.worlds for event in world.events if event.decision == decision]
        if days:
            points = tuple((week, days.count(week)) for week in sorted(set(days)))
            told.append(Marks.model_validate({"label": decision, "shape": shape, "points": points}))
    return tuple(told)


def _click_through(week: WeekFigures) -> float:
    return week.click_through


def _weeks_table(result: SimulationResult) -> Table:
    values = {arm: result.weekly(arm, _click_through) for arm in ARMS}
    regrets = {arm: result.regrets(arm) for arm in (NEVER, LOOP)}
    rows = [
        [
            str(week + 1),
            *(f"{values[arm][week]:.3f}" for arm in ARMS),
            *(f"{regrets[arm][week]:.2f}" for arm in (NEVER, LOOP)),
        ]
        for week in range(result.config.weeks)
    ]
    columns = [
        words("week"),
        *(number(f"click-through, {arm}") for arm in ARMS),
        *(number(f"regret, {arm}") for arm in (NEVER, LOOP)),
    ]
    return table("Means over the worlds; regret in expected clicks a visit.", columns, rows)


def _decisions(result: SimulationResult) -> tuple[Block, ...]:
    """How often what was decided, and every reason a click away."""
    events = [event for world in result.worlds for event in world.events]
    decisions = [name for name in _SHAPES if any(event.decision == name for event in events)]
    kinds: dict[str, list[Decision]] = {"as it should be": []}
    for event in events:
        kind = "as it should be" if event.planted is None else f"{event.planted}: {_FAULTS[event.planted]}"
        if event.decision != "rolled back":
            kinds.setdefault(kind, []).append(event.decision)
    kinds["live models under watch"] = [event.decision for event in events if event.decision == "rolled back"]
    rows = [[kind, *(str(told.count(name) or "") for name in decisions)] for kind, told in kinds.items() if told]
    caption = "What was decided on each training, over all worlds, and by the watch on live models."
    columns = [words("training"), *(number(name) for name in decisions)]
    return (table(caption, columns, rows), *(_reasons(world) for world in result.worlds if world.events))


def _reasons(world: WorldOutcome) -> Folded:
    told = []
    for event in world.events:
        planted = f" ({event.planted})" if event.planted else ""
        told.append(line(f"Day {event.day}, ", strong(event.decision), f"{planted}: {' '.join(event.reasons)}"))
    return Folded(title=f"World {world.seed}: every decision with its reasons", blocks=(Bullets(items=tuple(told)),))


def _worlds(result: SimulationResult) -> Table:
    finals = {arm: result.final_click_through(arm) for arm in ARMS}
    rows = [
        [
            str(world.seed),
            *(f"{finals[arm][place]:.3f}" for arm in ARMS),
            _points(finals[LOOP][place] - finals[NEVER][place]),
        ]
        for place, world in enumerate(result.worlds)
    ]
    columns = [words("world"), *(number(arm) for arm in ARMS), number("gain, points")]
    return table(f"Click-through in the last {result.final_weeks} weeks.", columns, rows)


def _method(result: SimulationResult) -> tuple[Block, ...]:
    config = result.config
    people, data = config.people, config.world(config.first_seed)
    told = (
        line(
            f"A world has {data.num_users:,} users and {data.num_items:,} items, some of whom come during the weeks; "
            f"tastes drift. {data.days - DAYS_PER_WEEK * config.weeks} days of events are known before the first week."
        ),
        line(
            f"Each week brings {people.visits_per_week:,} visits. Of the {people.slots} slots, slot k is looked at "
            f"with probability k to the power of -{people.examination_exponent:g}, and what is looked at is clicked "
            "with the probability that the user likes it."
        ),
        line(
            "People also find items by themselves and rate them, which the service is told. So new items get their "
            "first events; the catalogue of a model grows by training alone."
        ),
        line(strong(NEVER), " serves the first model to the end, though it knows each user's new events."),
        line(strong(LOOP), " trains after every week; the guard decides, and the watch looks every day."),
        line(strong(ORACLE), " ranks by true preference among what is out and not met."),
        line(
            "All arms meet the same people at the same times with the same coins: differences are those of the arms. "
            "Intervals are Student's, over worlds, at 95 %."
        ),
    )
    return (Bullets(items=told),)


def _reproduce(result: SimulationResult, command: str) -> Folded:
    resolved = yaml.safe_dump(result.config.resolved(), sort_keys=False, allow_unicode=True)
    listings = (Listing(text=command, language="sh"), Listing(text=resolved, language="yaml"))
    return Folded(title="Command and config", blocks=listings)
