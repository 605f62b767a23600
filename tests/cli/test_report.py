import json

import pytest
import yaml

SMALL = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}, "item_knn": {}},
}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    from foretaste.config import ExperimentConfig, check
    from foretaste.pipelines.run import run

    folder = tmp_path_factory.mktemp("art")
    run(check({"name": "small", **SMALL}, ExperimentConfig, where="small"), folder, ["foretaste", "run", "small.yaml"])
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return folder


def run_folder(artifacts):
    (folder,) = (path for path in (artifacts / "runs").iterdir() if not path.name.startswith("."))
    return folder


def test_it_says_the_answer_and_where_the_page_is(foretaste, artifacts):
    shown = foretaste("report", "latest", "--artifacts", artifacts)
    assert shown.exit_code == 0, shown.output
    assert "is the best of 2 models" in shown.stdout
    assert shown.stdout.rstrip().endswith(str(run_folder(artifacts) / "report.html"))
    told = json.loads(foretaste("report", "--artifacts", artifacts, "--json").stdout)
    assert told["report"].endswith("report.md")
    assert told["summary"][0] in shown.stdout


def test_a_rendering_goes_where_it_is_told_and_is_that_of_the_run(foretaste, artifacts, tmp_path):
    for name in ("a.html", "a.md"):
        assert foretaste("report", "latest", "--artifacts", artifacts, "--to", tmp_path / name).exit_code == 0
        kept = run_folder(artifacts) / f"report{(tmp_path / name).suffix}"
        assert (tmp_path / name).read_text() == kept.read_text()


def test_a_page_that_was_deleted_comes_back(foretaste, artifacts):
    page = run_folder(artifacts) / "report.html"
    before = page.read_text()
    page.unlink()
    assert foretaste("report", "latest", "--artifacts", artifacts).exit_code == 0
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["nowhere"], "no run 'nowhere'", 2),
        (["latest", "--to", "report.pdf"], "expected a name that ends in .html or .md", 2),
        (["latest", "--to", "no/such/folder/report.md"], "cannot be written", 1),
    ],
)
def test_what_cannot_be_is_said(shell, artifacts, arguments, said, code):
    result = shell("report", *arguments, "--artifacts", artifacts)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert said in result.stderr


def test_a_report_that_is_damaged_is_said_to_be(shell, artifacts, tmp_path):
    folder = run_folder(artifacts)
    whole = (folder / "report.json").read_text()
    try:
        (folder / "report.json").write_text(whole[:100])
        result = shell("report", "latest", "--artifacts", artifacts)
        assert "report.json cannot be read" in result.stderr
        (folder / "report.json").unlink()
        assert "run its config again" in shell("report", "latest", "--artifacts", artifacts).stderr
    finally:
        (folder / "report.json").write_text(whole)
