"""One file over HTTP: resumed where it broke off, checked, and in its place whole or not at all."""

import hashlib
import re
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from foretaste.errors import DataError

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all or None where the server does not say) of a file."""

_BLOCK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30
_NOT_FOUND, _RANGE_NOT_SATISFIABLE = 404, 416


def no_progress(done: int, total: int | None) -> None:
    """Report nothing."""


def fetch(url: str, target: Path, *, md5: str = "", progress: Progress = no_progress) -> None:
    """Bring the file at `url` to `target`.

    Bytes are collected in `<target>.part`, which survives a cut connection or an interruption; the next call goes on
    from there if the server still has the same file. A connection that breaks is taken up again as long as each attempt
    brings something new.

    Args:
        url: http or https address.
        target: where the file goes; replaced in one step once it is complete and checked.
        md5: what the file must have; empty to check nothing.
        progress: told after each block.

    Raises:
        DataError: no connection, an answer other than the file, or a wrong checksum.
    """
    part = target.with_name(f"{target.name}.part")
    held, is_complete = _size(part), False
    while not is_complete:
        is_complete = _continue(url, part, progress)
        if not is_complete and _size(part) <= held:
            raise DataError(
                f"{url}: the connection broke off after {held:,} bytes; run the same command again to resume"
            )
        held = _size(part)
    _validator_file(part).unlink(missing_ok=True)
    if md5 and (found := file_md5(part)) != md5:
        part.unlink()
        raise DataError(f"{url}: expected a file with MD5 {md5}, got {found}; fetch it again")
    part.replace(target)


def fetch_md5(url: str) -> str:
    """The MD5 that a publisher keeps at `<url>.md5`; empty where there is none.

    Raises:
        DataError: no connection.
    """
    try:
        with _open(f"{url}.md5", {}) as response:
            found = re.search(r"\b[0-9a-f]{32}\b", response.read(_BLOCK_BYTES).decode(errors="replace").lower())
    except HTTPError:
        return ""
    return found[0] if found else ""


def file_md5(path: Path) -> str:
    """MD5 of a file, as 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _continue(url: str, part: Path, progress: Progress) -> bool:
    """Add to `part` what the server sends; True once it is all there."""
    known_as = _validator_file(part)
    offset = _size(part) if known_as.exists() else 0
    headers = {"Range": f"bytes={offset}-", "If-Range": known_as.read_text()} if offset else {}
    try:
        response = _open(url, headers)
    except HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE:
            part.unlink()
            return _continue(url, part, progress)
        moved = "; the file has moved or the address is wrong" if error.code == _NOT_FOUND else ""
        raise DataError(f"{url}: the server answered {error.code} {error.reason}{moved}") from error
    with response:
        is_resumed = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        if not is_resumed:
            offset = 0
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length else None
        _remember(known_as, response.headers)
        done = offset
        with part.open("ab" if is_resumed else "wb") as file:
            while block := _read(response):
                file.write(block)
                done += len(block)
                progress(done, total)
    return done == total if total is not None else block is not None


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = Request(url, headers={"User-Agent": "foretaste", "Accept-Encoding": "identity", **headers})
    try:
        response: HTTPResponse = urlopen(request, timeout=_TIMEOUT_SECONDS)
    except HTTPError:
        raise
    except (URLError, HTTPException, OSError) as error:
        raise DataError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from error
    return response


def _read(response: HTTPResponse) -> bytes | None:
    """The next block, empty at the end, None where the connection broke."""
    try:
        return response.read(_BLOCK_BYTES)
    except (HTTPException, OSError):
        return None


def _remember(known_as: Path, headers: Message) -> None:
    """Keep what tells this version of the file from another; without it nothing is resumed (RFC 9110, 13.1.5)."""
    tag = headers.get("ETag", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    if validator:
        known_as.write_text(validator)
    else:
        known_as.unlink(missing_ok=True)


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.validator")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
