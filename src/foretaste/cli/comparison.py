"""`compare`: which differences between models are real."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from foretaste.cli.experiments import DEFAULT_ARTIFACTS, ArtifactsOption
from foretaste.cli.output import JsonOption, console, example, print_json, text_table
from foretaste.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.evaluation.significance import Comparison, Estimate
    from foretaste.evaluation.truth import Agreement
    from foretaste.pipelines.compare import ComparisonTable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "foretaste compare latest",
            "foretaste compare latest --baseline popularity --metric recall@10",
            "foretaste compare latest --window newest",
            "foretaste compare latest --truth",
        )
    )(compare)


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Ids of runs, unique beginnings, folders, or latest.", show_default=False),
    ],
    metric: Annotated[str | None, typer.Option(help="As in ndcg@10; the one the run chose by if left out.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Model to compare with; the best if left out.")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Compare each model with each, too.")] = False,
    window: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|newest", help="One test window of a rolling split; all are pooled if left out."),
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth", help="Hold the test against the one on randomly drawn items, where there is one.")
    ] = False,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Tell which differences between the models of one or several runs are real, user by user."""
    from foretaste.pipelines.compare import compare_runs, truth_of_runs
    from foretaste.pipelines.run_record import find_runs

    if truth and window is not None:
        raise ConfigError("--truth is of the newest test window; leave --window out.")
    found = find_runs(runs, artifacts / "runs")
    if truth:
        agreement = truth_of_runs(found, metric)
        if as_json:
            print_json({"runs": [run.run_id for run in found], **agreement.to_json()})
        else:
            _print_truth(console(as_json), agreement)
        return
    table = compare_runs(found, metric, baseline, all_pairs=pairs, window=_window(window))
    if as_json:
        print_json({"runs": [run.run_id for run in found], **table.to_json()})
        return
    _print(console(as_json), table)


def _window(typed: str | None) -> 'int | Literal["newest"] | None':
    """The window that was asked for.

    Raises:
        ConfigError: it is neither a number nor `newest`.
    """
    if typed is None:
        return None
    if typed == "newest":
        return "newest"
    try:
        return int(typed)
    except ValueError:
        raise ConfigError(
            f"--window {typed}: expected the number of a test window, the oldest being 1, or newest."
        ) from None


def _print(out: "Console", compared: "ComparisonTable") -> None:
    from foretaste.evaluation.metrics import metric_title

    title = metric_title(compared.metric, compared.candidates)
    table = text_table("model", title, f"minus {compared.reference}", "p", "p Wilcoxon", "p Holm", "difference")
    for row in compared.models:
        cells = ["reference"] if row.comparison is None else _cells(row.comparison)
        table.add_row(row.candidate.name, _interval(row.estimate), *cells)
    out.print()
    out.print(table)
    out.print(
        f"[dim]means over {_users(compared)}, 95 % intervals in brackets; p of the paired permutation "
        f"test; real where Holm's corrected p is below .05[/dim]\n"
    )
    if compared.pairs:
        _print_pairs(out, compared)
    for sentence in compared.summary():
        out.print(sentence, soft_wrap=True)


def _users(compared: "ComparisonTable") -> str:
    """Whom the means are over."""
    if compared.num_windows == 1:
        return f"{compared.num_users:,} test users"
    if len(compared.windows) == 1:
        return f"{compared.num_users:,} users of test window {compared.windows[0]} of {compared.num_windows}"
    return f"{compared.num_users:,} users of {compared.num_windows} test windows, each once with the mean of theirs"


def _print_truth(out: "Console", found: "Agreement") -> None:
    from foretaste.evaluation.metrics import metric_title

    titles = f"{metric_title(found.metric, found.candidates)} on test", f"{metric_title(found.metric)} on random items"
    table = text_table("model", *titles)
    for name in sorted(found.biased, key=lambda name: -found.unbiased[name].mean):
        table.add_row(name, _interval(found.biased[name]), _interval(found.unbiased[name]))
    out.print()
    out.print(table)
    out.print(
        f"[dim]means over {found.num_biased_users:,} and {found.num_unbiased_users:,} users, 95 % intervals in "
        f"brackets; the levels do not compare, the order does[/dim]\n"
    )
    for sentence in found.summary():
        out.print(sentence, soft_wrap=True, markup=False)


def _print_pairs(out: "Console", compared: "ComparisonTable") -> None:
    table = text_table("each pair", "", "better by", "p", "p Wilcoxon", "p Holm", "difference")
    for pair in compared.pairs:
        table.add_row(pair.model, f"over {pair.reference}", *_cells(pair))
    out.print(table)
    out.print()


def _cells(comparison: "Comparison") -> list[str]:
    from foretaste.pipelines.compare import verdict

    told = verdict(comparison)
    values = (comparison.permutation_p, comparison.wilcoxon_p, comparison.corrected_p)
    return [
        _interval(comparison.difference, signed=True),
        *(_p(value) for value in values),
        f"[green]{told}[/green]" if comparison.is_real else told,
    ]


def _p(value: float) -> str:
    """Four digits, cut and not rounded: what stands as .05 is not below it."""
    return "<.0001" if value < 0.0001 else f"{int(value * 10_000) / 10_000:.4f}"


def _interval(estimate: "Estimate", signed: bool = False) -> str:
    form = "+.4f" if signed else ".4f"
    return f"{estimate.mean:{form}} [dim]\\[{estimate.low:{form}} {estimate.high:{form}}][/dim]"
