import io
import json
import math

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from foretaste.cli.output import example, print_json, progress_bar, text_table


def test_json_is_one_line_on_stdout(capsys):
    print_json({"title": "Amélie", "score": 0.5})
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert json.loads(out) == {"title": "Amélie", "score": 0.5}
    assert err == ""


def test_json_refuses_what_it_cannot_say():
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"score": math.nan})


def test_a_narrow_terminal_wraps_cells_and_cuts_no_figure():
    table = text_table("model", "NDCG@10", "p Holm")
    table.add_row("20261121-213428-movielens/popularity", "0.3297 [0.3029 0.3566]", "0.0547")
    for width in (120, 40):
        out = Console(width=width, file=io.StringIO())
        out.print(table)
        shown = out.file.getvalue()
        assert max(map(len, shown.splitlines())) <= width
        assert "…" not in shown
        for figure in ("0.3297", "[0.3029", "0.3566]", "0.0547"):
            assert figure in shown


def test_progress_is_silent_where_nobody_watches(capsys):
    with progress_bar("fit") as report:
        report(1, 2, {"loss": 0.5})
    assert capsys.readouterr() == ("", "")


def test_examples_stand_in_the_help_page_as_typed():
    app = typer.Typer()

    @app.command(epilog=example("foretaste run configs/a.yaml --set model.k=[1,2]"))
    def run() -> None: ...

    assert "foretaste run configs/a.yaml --set model.k=[1,2]" in CliRunner().invoke(app, ["--help"]).output
