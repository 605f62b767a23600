import gzip
import hashlib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from foretaste.data import download as module
from foretaste.data.download import download, known_dataset, verify
from foretaste.data.known_datasets import DATASETS, KnownDataset, RemoteFile
from foretaste.errors import DataError

RATINGS = b"1\t10\t5\t1000\n"
REVIEWS = b'{"asin": "A"}\n'


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served on this machine, from which the data sets `tiny` (an archive) and `pair` (two files) come."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"

    with zipfile.ZipFile(folder / "tiny.zip", "w") as archive:
        archive.writestr("tiny/ratings.tsv", RATINGS)
    (folder / "reviews.json.gz").write_bytes(gzip.compress(REVIEWS))
    (folder / "meta.json.gz").write_bytes(gzip.compress(b"{}\n"))
    tiny = KnownDataset(
        name="tiny",
        title="Tiny",
        files=(RemoteFile(f"{address}/tiny.zip", has_md5_beside=True),),
        licence="none",
        citation="none",
        unpacked=("ratings.tsv",),
        content_md5={"ratings.tsv": hashlib.md5(RATINGS).hexdigest()},
    )
    pair = KnownDataset(
        name="pair",
        title="Pair",
        files=(RemoteFile(f"{address}/reviews.json.gz"), RemoteFile(f"{address}/meta.json.gz")),
        licence="none",
        citation="none",
        unpacked=("reviews.json", "meta.json"),
    )
    monkeypatch.setattr(module, "DATASETS", {"tiny": tiny, "pair": pair})
    yield folder
    server.shutdown()
    server.server_close()


def test_an_archive_lands_under_its_name(site, tmp_path):
    told: list[int] = []
    landed = download("tiny", tmp_path / "raw", progress=lambda done, total: told.append(done))
    assert landed == tmp_path / "raw" / "tiny.zip"
    assert landed.read_bytes() == (site / "tiny.zip").read_bytes()
    assert told[-1] == landed.stat().st_size


def test_files_land_in_a_folder_of_their_own(site, tmp_path):
    landed = download("pair", tmp_path / "raw")
    assert landed == tmp_path / "raw" / "pair"
    assert sorted(path.name for path in landed.iterdir()) == ["meta.json.gz", "reviews.json.gz"]


def test_what_is_there_is_not_fetched_again(site, tmp_path):
    first = download("pair", tmp_path)
    (site / "reviews.json.gz").unlink()
    assert download("pair", tmp_path) == first


def test_only_what_is_missing_of_a_folder_is_fetched(site, tmp_path):
    (download("pair", tmp_path) / "meta.json.gz").unlink()
    (site / "reviews.json.gz").unlink()
    download("pair", tmp_path)
    assert (tmp_path / "pair" / "meta.json.gz").exists()


def test_a_wrong_source_is_told_though_a_copy_is_there(site, tmp_path):
    download("tiny", tmp_path)
    with pytest.raises(DataError, match="none does not exist"):
        download("tiny", tmp_path, source=tmp_path / "none")


def test_what_is_there_and_damaged_is_refused(site, tmp_path):
    (tmp_path / "tiny.zip").write_bytes((site / "tiny.zip").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"tiny.zip is damaged: .*; remove it and download tiny again"):
        download("tiny", tmp_path)


def test_a_truncated_gzip_is_refused(site, tmp_path):
    packed = site / "reviews.json.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"pair is damaged: .*ended before"):
        download("pair", tmp_path)


def test_the_published_md5_is_checked(site, tmp_path):
    (site / "tiny.zip.md5").write_text(f"{'0' * 32}  tiny.zip\n")
    with pytest.raises(DataError, match=rf"expected a file with MD5 {'0' * 32}, got .*--from FILE_OR_FOLDER"):
        download("tiny", tmp_path)
    assert not (tmp_path / "tiny.zip").exists()


def test_a_missing_page_names_the_way_out(site, tmp_path):
    (site / "tiny.zip").unlink()
    with pytest.raises(DataError, match=r"404 .*; if you have a copy: `foretaste data download tiny --from"):
        download("tiny", tmp_path)


def test_no_network_names_the_way_out(tmp_path, monkeypatch):
    dark = KnownDataset("dark", "Dark", (RemoteFile("http://127.0.0.1:1/dark.zip"),), "none", "none", ("a",))
    monkeypatch.setattr(module, "DATASETS", {"dark": dark})
    with pytest.raises(DataError, match=r"cannot be reached: .*; if you have a copy: .*--from FILE_OR_FOLDER"):
        download("dark", tmp_path)


@pytest.mark.parametrize("where", ["", "tiny.zip"])
def test_a_copy_of_the_archive_is_taken(site, tmp_path, where):
    landed = download("tiny", tmp_path / "raw", source=site / where)
    assert landed == tmp_path / "raw" / "tiny.zip"
    assert landed.read_bytes() == (site / "tiny.zip").read_bytes()


@pytest.mark.parametrize("inside", ["", "tiny"])
def test_an_unpacked_copy_is_taken(site, tmp_path, inside):
    (tmp_path / "mine" / inside).mkdir(parents=True, exist_ok=True)
    (tmp_path / "mine" / inside / "ratings.tsv").write_bytes(RATINGS)
    (tmp_path / "mine" / inside / "private.txt").touch()
    landed = download("tiny", tmp_path / "raw", source=tmp_path / "mine")
    assert landed == tmp_path / "raw" / "tiny"
    assert [path.name for path in landed.iterdir()] == ["ratings.tsv"]


def test_a_wrong_copy_never_lands(site, tmp_path):
    (tmp_path / "ratings.tsv").write_bytes(b"other")
    with pytest.raises(DataError, match=r"ratings.tsv has MD5 795f3202b17cb6bc3d4b771d8c6c9eaf, expected"):
        download("tiny", tmp_path / "raw", source=tmp_path)
    assert list((tmp_path / "raw").iterdir()) == []


def test_an_archive_of_something_else_is_refused(site, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "")
    with pytest.raises(DataError, match=r"other.zip is no copy of tiny: it lacks ratings.tsv"):
        download("tiny", tmp_path / "raw", source=tmp_path / "other.zip")


def test_copies_that_cannot_be_used_are_named(site, tmp_path):
    with pytest.raises(DataError, match=r"none does not exist; --from takes a file or a folder that holds tiny"):
        download("tiny", tmp_path / "raw", source=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty does not hold tiny: expected tiny.zip, or the files ratings.tsv"):
        download("tiny", tmp_path / "raw", source=tmp_path / "empty")
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(DataError, match=r"text.zip is no zip archive; give the archive of tiny, or the folder with"):
        download("tiny", tmp_path / "raw", source=tmp_path / "text.zip")


def test_a_destination_that_is_a_file_is_refused(site, tmp_path):
    (tmp_path / "raw").touch()
    with pytest.raises(DataError, match=r"tiny cannot be stored in .*raw: .*FORETASTE_DATA name another folder"):
        download("tiny", tmp_path / "raw")


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(
        DataError, match=r"unknown data set 'ml-100' – did you mean 'ml-100k'\? Known are ml-100k, ml-1m"
    ):
        known_dataset("ml-100")


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_every_known_data_set_says_where_from_and_on_which_terms(dataset):
    assert dataset.licence
    assert dataset.citation
    assert dataset.unpacked
    assert all(file.url.startswith("https://") for file in dataset.files)
    assert dataset.is_archive == dataset.files[0].name.endswith(".zip")


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["ml-100k", "ml-latest-small", "goodbooks-10k", "gowalla", "ncf-ml-1m", "amazon-gift-cards-2018"]
)
def test_the_public_archives_are_what_they_should_be(real_data, name):
    verify(DATASETS[name], real_data / f"{name}.zip")


@pytest.mark.real_data
def test_a_local_archive_is_taken_over(real_data, tmp_path):
    assert download("ml-100k", tmp_path, source=real_data) == tmp_path / "ml-100k.zip"
