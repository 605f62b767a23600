"""Arrays of files, mapped into memory read-only: workers share the pages, and opening costs nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.models.protocol import State


def map_npy(path: Path) -> npt.NDArray[Any]:
    """The array of an `.npy` file; an array of Python objects is refused."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


_SAFETENSORS_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip


def map_safetensors(path: Path) -> State:
    """The arrays of a safetensors file, mapped: the library itself would copy them into each worker.

    The file is: the size of its header (8 bytes, little-endian), the header (JSON), and the arrays in C order.
    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8:start].tobytes())
    header.pop("__metadata__", None)
    return {
        name: np.asarray(content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]])
        .view(_SAFETENSORS_DTYPES[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
    }
