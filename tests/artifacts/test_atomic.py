import subprocess
import sys
import threading

from foretaste.artifacts import atomic


def test_what_a_living_writer_fills_is_left_alone(tmp_path):
    with atomic.unfinished_folder(tmp_path) as first:
        (first / "file").write_text("half")
        with atomic.unfinished_folder(tmp_path) as second:
            assert first.exists()
            assert second.exists()
        assert not second.exists()
        assert (first / "file").read_text() == "half"
    assert list(tmp_path.iterdir()) == []


def test_abandoned_folders_and_links_are_cleared(tmp_path):
    (tmp_path / ".unfinished-0001").mkdir()
    (tmp_path / ".unfinished-0001" / "file").write_text("half")
    (tmp_path / ".unfinished-0002").symlink_to("nowhere")
    (tmp_path / ".other").mkdir()
    atomic.clear_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".other"]


def test_a_link_never_misses(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    link = tmp_path / "live"
    atomic.replace_link(link, "a")
    misses, done = [], threading.Event()

    def read():
        while not done.is_set():
            if not link.is_dir():
                misses.append(link)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        atomic.replace_link(link, "ab"[turn % 2])
    done.set()
    reader.join()
    assert not misses
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "live"]


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "log.jsonl"
    atomic.append_line(path, "one")
    with path.open("a") as file:
        file.write("tw")
    atomic.append_line(path, "three")
    atomic.append_line(path, "four")
    assert path.read_text() == "one\ntw\nthree\nfour\n"


def test_a_presence_ends_with_its_block_or_its_process(tmp_path):
    with atomic.presence(tmp_path) as mine, atomic.presence(tmp_path) as other:
        assert mine != other
        assert atomic.is_locked(tmp_path / mine)
    assert not atomic.is_locked(tmp_path / mine)
    assert list(tmp_path.iterdir()) == []
    code = "import os, sys; from pathlib import Path; from foretaste.artifacts import atomic\n"
    code += "with atomic.presence(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert not atomic.is_locked(left)


def test_a_text_is_replaced_whole(tmp_path):
    for text in ("one", "zwölf"):
        atomic.write_text(tmp_path / "file", text)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "zwölf"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
