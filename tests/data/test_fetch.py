import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from foretaste.data.fetch import fetch, fetch_md5
from foretaste.errors import DataError

CONTENT = bytes(range(256)) * 4_096  # 1 MiB
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Publisher:
    """A server of one file, whose manners a test can change."""

    url: str = ""
    content: bytes = CONTENT
    tag: str = '"v1"'
    md5_text: str = ""
    cut_after: int | None = None
    """Bytes after which the server closes each connection."""
    honours_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request for the file."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    state = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/file.bin.md5" and state.md5_text:
                self.answer(200, state.md5_text.encode())
            elif self.path == "/file.bin":
                self.send_file()
            else:
                self.send_error(404)

        def send_file(self) -> None:
            wanted = self.headers["Range"]
            state.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if start and state.honours_ranges and self.headers["If-Range"] == state.tag:
                if start >= len(state.content):
                    self.send_error(416)
                    return
                rest = state.content[start:]
                span = f"bytes {start}-{len(state.content) - 1}/{len(state.content)}"
                self.answer(206, rest, {"Content-Range": span})
            else:
                self.answer(200, state.content)

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if state.tag:
                self.send_header("ETag", state.tag)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: state.cut_after])

        def log_message(self, *arguments: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    yield state
    server.shutdown()
    server.server_close()


def half_fetched(target: Path, tag: str = '"v1"') -> Path:
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(CONTENT[:1_000])
    part.with_name(f"{part.name}.validator").write_text(tag)
    return part


def test_the_file_arrives_and_nothing_else_stays(publisher, tmp_path):
    told: list[tuple[int, int | None]] = []
    fetch(publisher.url, tmp_path / "file.bin", md5=MD5, progress=lambda *step: told.append(step))
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_is_taken_up_where_it_broke(publisher, tmp_path):
    publisher.cut_after = 400_000
    fetch(publisher.url, tmp_path / "file.bin", md5=MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=400000-", "bytes=800000-"]


def test_an_interrupted_download_goes_on_in_the_next_call(publisher, tmp_path):
    half_fetched(tmp_path / "file.bin")
    fetch(publisher.url, tmp_path / "file.bin", md5=MD5)
    assert publisher.ranges == ["bytes=1000-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_it_all(publisher, tmp_path):
    publisher.honours_ranges = False
    half_fetched(tmp_path / "file.bin")
    fetch(publisher.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_file_that_changed_at_the_server_is_fetched_from_the_start(publisher, tmp_path):
    half_fetched(tmp_path / "file.bin", tag='"v0"')
    fetch(publisher.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_part_of_unknown_version_is_not_continued(publisher, tmp_path):
    half_fetched(tmp_path / "file.bin").with_name("file.bin.part.validator").unlink()
    fetch(publisher.url, tmp_path / "file.bin")
    assert publisher.ranges == [None]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_fetched_from_the_start(publisher, tmp_path):
    half_fetched(tmp_path / "file.bin").write_bytes(CONTENT + b"more")
    fetch(publisher.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_connection_that_brings_nothing_new_is_given_up(publisher, tmp_path):
    publisher.cut_after = 0
    with pytest.raises(DataError, match=r"broke off after 0 bytes; run the same command again to resume"):
        fetch(publisher.url, tmp_path / "file.bin")
    assert not (tmp_path / "file.bin").exists()


def test_a_wrong_checksum_leaves_the_old_file_and_no_part(publisher, tmp_path):
    (tmp_path / "file.bin").write_text("old")
    with pytest.raises(DataError, match=f"expected a file with MD5 {'0' * 32}, got {MD5}"):
        fetch(publisher.url, tmp_path / "file.bin", md5="0" * 32)
    assert (tmp_path / "file.bin").read_text() == "old"
    assert not (tmp_path / "file.bin.part").exists()


def test_a_missing_file_is_named_with_the_answer(publisher, tmp_path):
    with pytest.raises(DataError, match=r"/none.bin: the server answered 404 Not Found; the file has moved"):
        fetch(publisher.url.replace("file.bin", "none.bin"), tmp_path / "none.bin")
    assert list(tmp_path.iterdir()) == []


def test_no_connection_is_said_to_be_so(tmp_path):
    with pytest.raises(DataError, match=r"http://127.0.0.1:1/file.bin cannot be reached: "):
        fetch("http://127.0.0.1:1/file.bin", tmp_path / "file.bin")


@pytest.mark.parametrize("text", [f"{MD5}  file.bin\n", f"MD5 (file.bin) = {MD5.upper()}\n"])
def test_a_published_md5_is_read_in_both_common_forms(publisher, text):
    publisher.md5_text = text
    assert fetch_md5(publisher.url) == MD5


def test_no_published_md5_is_no_error(publisher):
    assert fetch_md5(publisher.url) == ""
