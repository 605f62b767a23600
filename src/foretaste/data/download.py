"""Bring a known data set to this machine: from its official address, or from a copy that is already at hand."""

import difflib
import gzip
import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from foretaste.data.fetch import Progress, fetch, fetch_md5, no_progress
from foretaste.data.known_datasets import DATASETS, KnownDataset
from foretaste.data.locate import download_folder
from foretaste.errors import DataError

_BLOCK_BYTES = 1 << 20


def download(
    name: str, destination: Path | None = None, source: Path | None = None, progress: Progress = no_progress
) -> Path:
    """Have the data set `name` in `destination`, and say where.

    What is already there is checked and left alone. An archive lands as `<name>.zip`, files as the folder `<name>`,
    each whole or not at all.

    Args:
        name: one of `DATASETS`.
        destination: folder; `download_folder()` by default.
        source: a copy to take instead of fetching: an archive, a folder that holds one, or an unpacked folder.
        progress: told of the bytes fetched.

    Returns:
        The archive or folder, which `locate(Path(name))` finds too if it went to the default place.

    Raises:
        DataError: unknown name, no connection, a copy that is not the data set, damage, or a folder that cannot be
            written to.
    """
    dataset = known_dataset(name)
    if source is not None and not source.exists():
        raise DataError(f"{source} does not exist; --from takes a file or a folder that holds {name}")
    destination = download_folder() if destination is None else destination
    try:
        destination.mkdir(parents=True, exist_ok=True)
        found = _find(dataset, destination)
        if found is None and source is not None:
            return _take(dataset, source, destination)
        found = found or _fetch(dataset, destination, progress)
    except OSError as error:
        raise DataError(
            f"{name} cannot be stored in {destination}: {error}; free space there, "
            "or let FORETASTE_DATA name another folder"
        ) from error
    verify(dataset, found)
    return found


def known_dataset(name: str) -> KnownDataset:
    """The data set of that name.

    Raises:
        DataError: there is none; names the nearest.
    """
    if name in DATASETS:
        return DATASETS[name]
    nearest = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f" – did you mean '{nearest[0]}'?" if nearest else "."
    raise DataError(f"unknown data set '{name}'{hint} Known are {', '.join(DATASETS)}.")


def verify(dataset: KnownDataset, path: Path) -> None:
    """Read the copy at `path` to the end, and check what is known of its contents.

    Raises:
        DataError: it is damaged, lacks a file, or a file has a wrong checksum.
    """
    missing = set(dataset.unpacked)
    try:
        for name, file in _files(path):
            plain = name.removesuffix(".gz")
            if plain not in dataset.unpacked:
                continue
            missing.discard(plain)
            found = _content_md5(gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file)
            expected = dataset.content_md5.get(plain, found)
            if found != expected:
                raise DataError(
                    f"{path}: {plain} has MD5 {found}, expected {expected}; "
                    f"remove {path} and download {dataset.name} again"
                )
    except (EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is damaged: {error or 'it breaks off'}; remove it and download {dataset.name} again"
        ) from error
    if missing:
        raise DataError(f"{path} is no copy of {dataset.name}: it lacks {', '.join(sorted(missing))}")


def _find(dataset: KnownDataset, folder: Path) -> Path | None:
    """The copy in `folder`, packed or complete as a folder of its own."""
    archive, unpacked = folder / f"{dataset.name}.zip", folder / dataset.name
    if archive.is_file():
        return archive
    return unpacked if _is_unpacked(dataset, unpacked) else None


def _is_unpacked(dataset: KnownDataset, folder: Path) -> bool:
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in dataset.unpacked)


def _fetch(dataset: KnownDataset, destination: Path, progress: Progress) -> Path:
    landed = destination / (f"{dataset.name}.zip" if dataset.is_archive else dataset.name)
    if not dataset.is_archive:
        landed.mkdir(exist_ok=True)
    for file in dataset.files:
        target = landed if dataset.is_archive else landed / file.name
        if target.exists():
            continue
        try:
            md5 = file.md5 or (fetch_md5(file.url) if file.has_md5_beside else "")
            fetch(file.url, target, md5=md5, progress=progress)
        except DataError as error:
            raise DataError(
                f"{error}; if you have a copy: `foretaste data download {dataset.name} --from FILE_OR_FOLDER`"
            ) from error
    return landed


def _take(dataset: KnownDataset, source: Path, destination: Path) -> Path:
    """Copy what `source` is or holds."""
    if source.is_file():
        return _copy_archive(dataset, source, destination)
    for folder in (source, source / dataset.name):
        if _is_unpacked(dataset, folder):
            return _copy_files(dataset, folder, destination)
    held = source / f"{dataset.name}.zip"
    if held.is_file():
        return _copy_archive(dataset, held, destination)
    raise DataError(
        f"{source} does not hold {dataset.name}: expected {held.name}, or the files {', '.join(dataset.unpacked)}"
    )


def _copy_archive(dataset: KnownDataset, source: Path, destination: Path) -> Path:
    if not zipfile.is_zipfile(source):
        raise DataError(
            f"{source} is no zip archive; give the archive of {dataset.name}, or the folder with "
            f"{', '.join(dataset.unpacked)}"
        )
    verify(dataset, source)
    target = destination / f"{dataset.name}.zip"
    _copy(source, target)
    return target


def _copy_files(dataset: KnownDataset, source: Path, destination: Path) -> Path:
    verify(dataset, source)
    target = destination / dataset.name
    target.mkdir(exist_ok=True)
    for name in dataset.unpacked:
        held = source / name if (source / name).is_file() else source / f"{name}.gz"
        _copy(held, target / held.name)
    return target


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def _files(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and bytes of every file of a folder or an archive."""
    if path.is_dir():
        for held in sorted(path.iterdir()):
            if held.is_file():
                with held.open("rb") as file:
                    yield held.name, file
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as file:
                    yield PurePosixPath(entry.filename).name, file


def _content_md5(file: IO[bytes] | gzip.GzipFile) -> str:
    """MD5 of what is left of a file; reading to the end checks the sums that zip and gzip keep."""
    digest = hashlib.md5(usedforsecurity=False)
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
