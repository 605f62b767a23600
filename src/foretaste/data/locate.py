"""Where the raw files of a data set lie, and where downloaded ones go."""

import os
from pathlib import Path

from foretaste.data.known_datasets import DATASETS
from foretaste.errors import DataError

DATA_VARIABLE = "FORETASTE_DATA"
"""Environment variable that names the folder of raw data."""
DEFAULT_FOLDER = Path("data/raw")


def locate(path: Path, dataset: str | None = None) -> Path:
    """The first that exists of `path`, $FORETASTE_DATA/path and data/raw/path.

    A folder stands for its archive and the other way round: `ml-100k` finds `ml-100k.zip`, and `ml-100k.zip` finds an
    unpacked `ml-100k`; what is named exactly comes first.

    Args:
        path: of a file or folder; an absolute one is looked for in its own place only.
        dataset: the known data set that belongs there; by default the one of that name.

    Raises:
        DataError: there is none; names the places, and the command that downloads it.
    """
    places = [path]
    if not path.is_absolute():
        places += [folder / path for folder in _folders()]
    for place in places:
        for candidate in _twins(place):
            if candidate.exists():
                return candidate
    name = dataset or path.name.removesuffix(".zip")
    remedy = f"; fetch it with `foretaste data download {name}`" if name in DATASETS else ""
    raise DataError(
        f"{path} does not exist; looked for {', '.join(map(str, places))}{remedy}"
        + ("" if os.environ.get(DATA_VARIABLE) else f"; {DATA_VARIABLE} may name the folder of your data")
    )


def download_folder() -> Path:
    """Where downloads go: $FORETASTE_DATA where it is set and can be written to, else data/raw."""
    folder = os.environ.get(DATA_VARIABLE)
    if folder and Path(folder).is_dir() and os.access(folder, os.W_OK):
        return Path(folder)
    return DEFAULT_FOLDER


def _folders() -> list[Path]:
    folder = os.environ.get(DATA_VARIABLE)
    return [*([Path(folder)] if folder else []), DEFAULT_FOLDER]


def _twins(place: Path) -> tuple[Path, ...]:
    if place.suffix == ".zip":
        return place, place.with_suffix("")
    return place, place.parent / f"{place.name}.zip"
