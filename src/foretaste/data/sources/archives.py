"""The files of a data set, wherever they lie: in a folder, in a zip or in a tar archive."""

import fnmatch
import gzip
import hashlib
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Self, TypeAlias

from foretaste.errors import DataError

_BLOCK = 1 << 20
Opener: TypeAlias = Callable[[str], IO[bytes]]

_DAMAGE = (
    EOFError,
    RuntimeError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Folder:
    """Files by name, each as a plain file on disk; what is packed is unpacked into `scratch` on demand.

    `scratch` is deleted with the object: put it among the `resources` of `RawTables`.
    """

    path: Path
    names: tuple[str, ...]
    """Every file, as a `/`-separated path inside the folder or archive, the shallowest first."""
    root: Path | None
    """Where the files lie on disk; None for an archive."""
    scratch: "TemporaryDirectory[str]" = field(repr=False)
    _open: Opener = field(repr=False)
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The folder or archive at `path`; any other file stands for the folder that it lies in.

        Raises:
            DataError: `path` is a damaged archive.
        """
        root = None
        try:
            if path.is_file() and path.suffix == ".zip":
                names, opener = _zip(path)
            elif path.is_file() and path.name.endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
                names, opener = _tar(path)
            else:
                root = path if path.is_dir() else path.parent
                files = root.rglob("*") if path.is_dir() else root.iterdir()
                names = [file.relative_to(root).as_posix() for file in files if file.is_file()]
                opener = partial(_open_file, root)
        except _DAMAGE as error:
            raise _damaged(path, str(error)) from error
        names.sort(key=lambda name: (name.count("/"), name))
        return cls(path, tuple(names), root, TemporaryDirectory(prefix="foretaste-"), opener)

    @property
    def name(self) -> str:
        """Name of the folder or archive, without `.zip`, `.tar.gz` and the like."""
        if self.path.is_dir():
            return self.path.resolve().name
        return self.path.name.split(".")[0]

    def find(self, *wanted: str) -> Path | None:
        """The first of the `wanted` file names that is here, at any depth and also as `<name>.gz`; else None.

        Raises:
            DataError: the file is packed and damaged.
        """
        for name in wanted:
            for packed in (name, f"{name}.gz"):
                for member in self.names:
                    if PurePosixPath(member).name == packed:
                        return self._plain(member, self.root and self.root / member, partial(self._open, member))
        return None

    def require(self, *wanted: str) -> Path:
        """As `find`, but the file has to be here.

        Raises:
            DataError: it is not; names what is here.
        """
        found = self.find(*wanted)
        if found is None:
            here = ", ".join(self.names[:8]) + (", …" if len(self.names) > 8 else "")
            raise DataError(f"{self.path} has no {' or '.join(wanted)}; it has {here or 'no files'}")
        return found

    def require_all(self, pattern: str) -> list[Path]:
        """Every file whose name matches a pattern such as `*.parquet`, at any depth, in the order of their names.

        Raises:
            DataError: none does, or two of one name do, or one is packed and damaged.
        """
        names = sorted(PurePosixPath(member).name for member in self.names)
        matching = fnmatch.filter(names, pattern)
        twice = next((name for name, next_name in pairwise(matching) if name == next_name), None)
        if twice is not None:
            raise DataError(f"{self.path} has several files {twice}; expected one: name the folder that is meant")
        return [self.require(name) for name in matching or [pattern]]

    def add(self, path: Path) -> Path:
        """A file from elsewhere that belongs to the data set: unpacked if need be, and part of the checksum.

        Raises:
            DataError: the file is packed and damaged.
        """
        return self._plain(path.name, path, partial(_open_file, path.parent, path.name))

    def checksum(self) -> str:
        """SHA-256 over the names and contents of the files that were asked for: the same, packed or not."""
        digest = hashlib.sha256()
        for name, content in sorted(self._digests.items()):
            digest.update(f"{name}\0{content}\0".encode())
        return digest.hexdigest()

    def _plain(self, member: str, on_disk: Path | None, opener: Callable[[], IO[bytes]]) -> Path:
        if on_disk is not None and not member.endswith(".gz"):
            plain = on_disk
        else:
            plain = Path(self.scratch.name) / PurePosixPath(member.removesuffix(".gz")).name
            if not plain.exists():
                _unpack(on_disk or self.path, member, plain, opener)
        if plain.name not in self._digests:
            with plain.open("rb") as file:
                self._digests[plain.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return plain


def _unpack(archive: Path, member: str, plain: Path, opener: Callable[[], IO[bytes]]) -> None:
    try:
        with opener() as packed, plain.open("wb") as target:
            if member.endswith(".gz"):
                with gzip.open(packed) as content:
                    shutil.copyfileobj(content, target, _BLOCK)
            else:
                shutil.copyfileobj(packed, target, _BLOCK)
    except _DAMAGE as error:
        size = plain.stat().st_size if plain.exists() else 0
        plain.unlink(missing_ok=True)
        raise _damaged(archive, f"{member} breaks off or is damaged after {size:,} bytes ({error})") from error


def _zip(path: Path) -> tuple[list[str], Opener]:
    archive = zipfile.ZipFile(path)
    return [entry.filename for entry in archive.infolist() if not entry.is_dir()], archive.open


def _tar(path: Path) -> tuple[list[str], Opener]:
    archive = tarfile.open(path)  # noqa: SIM115 - stays open for the members that are read later

    def open_member(name: str) -> IO[bytes]:
        member = archive.extractfile(name)
        assert member is not None, name
        return member

    return [entry.name for entry in archive if entry.isfile()], open_member


def _open_file(root: Path, name: str) -> IO[bytes]:
    return (root / name).open("rb")


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} cannot be unpacked: {what}; fetch the file again")
