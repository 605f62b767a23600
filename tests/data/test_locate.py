from pathlib import Path

import pytest

from foretaste.data.locate import download_folder, locate
from foretaste.errors import DataError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that FORETASTE_DATA names; the working directory is another one."""
    folder, elsewhere = tmp_path / "data", tmp_path / "work"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("FORETASTE_DATA", str(folder))
    monkeypatch.chdir(elsewhere)
    return folder


def test_the_working_directory_comes_before_the_data_folder(data):
    (data / "log.csv").touch()
    assert locate(Path("log.csv")) == data / "log.csv"
    Path("log.csv").touch()
    assert locate(Path("log.csv")) == Path("log.csv")


def test_data_raw_is_searched_last(data):
    Path("data/raw/shop").mkdir(parents=True)
    assert locate(Path("shop")) == Path("data/raw/shop")


def test_a_folder_and_its_archive_stand_for_each_other(data):
    (data / "ml-100k.zip").touch()
    (data / "gowalla").mkdir()
    assert locate(Path("ml-100k")) == data / "ml-100k.zip"
    assert locate(Path("gowalla.zip")) == data / "gowalla"


def test_what_is_named_exactly_comes_before_its_twin(data):
    (data / "ml-100k.zip").touch()
    (data / "ml-100k").mkdir()
    assert locate(Path("ml-100k")) == data / "ml-100k"
    assert locate(Path("ml-100k.zip")) == data / "ml-100k.zip"


def test_dots_are_paths_too(data):
    assert locate(Path()) == Path()
    assert locate(Path("..")) == Path("..")


def test_an_absolute_path_is_looked_for_in_its_own_place_only(data):
    with pytest.raises(DataError, match=rf"looked for {data / 'none.csv'}$"):
        locate(data / "none.csv")


def test_the_error_names_the_places_and_the_command(data):
    with pytest.raises(DataError) as error:
        locate(Path("ml-1m.zip"))
    assert str(error.value) == (
        f"ml-1m.zip does not exist; looked for ml-1m.zip, {data / 'ml-1m.zip'}, data/raw/ml-1m.zip; "
        "fetch it with `foretaste data download ml-1m`"
    )


def test_the_error_names_the_variable_where_it_is_not_set(data, monkeypatch):
    monkeypatch.delenv("FORETASTE_DATA")
    with pytest.raises(DataError, match=r"data/raw/log.csv; FORETASTE_DATA may name the folder of your data$"):
        locate(Path("log.csv"))


def test_the_data_set_may_be_told(data):
    with pytest.raises(DataError, match="foretaste data download gowalla"):
        locate(Path("checkins"), dataset="gowalla")


def test_downloads_go_to_the_data_folder_if_it_is_there(data, monkeypatch):
    assert download_folder() == data
    monkeypatch.setenv("FORETASTE_DATA", str(data / "missing"))
    assert download_folder() == Path("data/raw")
    monkeypatch.delenv("FORETASTE_DATA")
    assert download_folder() == Path("data/raw")
