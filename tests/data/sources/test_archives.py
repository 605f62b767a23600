import gzip
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from foretaste.data.sources.archives import Folder
from foretaste.errors import DataError

FILES = {"README": b"read me", "deep/ratings.csv": b"a,b\n1,2\n", "deep/more/ratings.csv": b"no", "items.csv": b"i\n"}


@pytest.fixture
def unpacked(tmp_path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


@pytest.fixture(params=["folder", "zip", "tar.gz", "gzipped files"])
def packed(request, unpacked, tmp_path) -> Path:
    files = [path for path in unpacked.rglob("*") if path.is_file()]
    if request.param == "zip":
        with ZipFile(tmp_path / "data.zip", "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(tmp_path))
        return tmp_path / "data.zip"
    if request.param == "tar.gz":
        with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
            archive.add(unpacked, "data")
        return tmp_path / "data.tar.gz"
    if request.param == "gzipped files":
        for path in files:
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    return unpacked


def test_a_file_is_found_at_any_depth_however_it_is_packed(packed):
    folder = Folder.open(packed)
    assert folder.require("absent.csv", "ratings.csv").read_bytes() == FILES["deep/ratings.csv"]
    assert folder.find("ratings.csv").name == "ratings.csv"
    assert folder.find("nothing.csv") is None
    assert folder.name == "data"


def test_the_checksum_is_of_the_files_that_were_read(packed, tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("ratings.csv", "items.csv"):
        (tmp_path / "other" / name).write_bytes({"ratings.csv": b"a,b\n1,2\n", "items.csv": b"i\n"}[name])
    one, other = Folder.open(packed), Folder.open(tmp_path / "other")
    one.require("ratings.csv")
    other.require("ratings.csv")
    assert one.checksum() == other.checksum()
    one.require("items.csv")
    assert one.checksum() != other.checksum()
    other.require("items.csv")
    assert one.checksum() == other.checksum()


def test_what_was_unpacked_goes_with_the_folder(unpacked, tmp_path):
    with ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(unpacked / "items.csv", "../../items.csv")
    folder = Folder.open(tmp_path / "data.zip")
    path = folder.require("items.csv")
    assert path.parent == Path(folder.scratch.name)
    folder.scratch.cleanup()
    assert not path.exists()


def test_an_absent_file_is_an_error_that_names_what_is_there(packed):
    with pytest.raises(DataError, match=r"data.* has no u.data or u.item; it has .*items.csv"):
        Folder.open(packed).require("u.data", "u.item")


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_a_truncated_archive(unpacked, tmp_path, suffix):
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "zip":
        with ZipFile(whole, "w") as archive:
            archive.write(unpacked / "deep/ratings.csv")
    else:
        with tarfile.open(whole, "w:gz") as archive:
            archive.add(unpacked)
    half = tmp_path / f"half.{suffix}"
    half.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(DataError, match=rf"half.{suffix} cannot be unpacked: .*; fetch the file again"):
        Folder.open(half).require("ratings.csv")


def test_a_flipped_byte_in_a_zip(tmp_path):
    with ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("ratings.csv", "user_id,item_id\n" * 99)
    content = bytearray((tmp_path / "data.zip").read_bytes())
    content[500] ^= 1
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"data.zip cannot be unpacked: ratings.csv .* damaged .*Bad CRC-32"):
        Folder.open(tmp_path / "data.zip").require("ratings.csv")
