"""What a compiled kernel only reads, it gets read-only.

The arrays of a bundle are mapped into memory and cannot be written, those of a training can. Numba compiles a kernel
once for each kind; shown read-only, both are one kind, and a server compiles nothing that training has not compiled.
"""

from typing import Any, TypeVar

import numpy as np

AnyArray = TypeVar("AnyArray", bound=np.ndarray[Any, Any])


def read_only(array: AnyArray) -> AnyArray:
    """The same memory, not to be written."""
    view = array.view()
    view.flags.writeable = False
    return view
