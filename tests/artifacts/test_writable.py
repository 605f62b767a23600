import os

import pytest

from foretaste.artifacts.writable import check_writable
from foretaste.errors import ArtifactError


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path):
    check_writable(tmp_path)
    check_writable(tmp_path / "one/two")
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_looked_for_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "art").touch()
    with pytest.raises(ArtifactError, match="art is a file"):
        check_writable(type(tmp_path)("art/bundles"))


@pytest.mark.parametrize("below", ["", "bundles", "bundles/deeper"])
def test_a_file_in_the_way_is_refused(tmp_path, below):
    (tmp_path / "art").touch()
    with pytest.raises(ArtifactError, match="art is a file, expected a folder"):
        check_writable(tmp_path / "art" / below)


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    # Whoever runs the tests as root may write anywhere, so the system's word is put in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ArtifactError, match="nothing may be written there"):
        check_writable(tmp_path / "art")
