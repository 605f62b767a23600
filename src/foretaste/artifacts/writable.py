"""Where results will go is looked at before anything is computed for them."""

import os
from pathlib import Path

from foretaste.errors import ArtifactError


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be written; it need not be there, and is not made.

    Raises:
        ArtifactError: a file is where a folder is expected, or this user may write nothing there.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ArtifactError(
            f"{nearest} is a file, expected a folder for what is made; move it away, or name another folder."
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ArtifactError(f"{nearest}: nothing may be written there; allow it, or name another folder.")
