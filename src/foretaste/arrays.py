"""Array aliases, and the legend of the letters that end array names.

    U  users                 B  queries in a batch
    I  items                 K  slots of a slate
    N  interactions          D  embedding dimension
    S  negatives a positive  C  candidates of a query

`scores_BI` is a batch of queries by all items; `item_BK` holds item indices, -1 in an empty slot.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
DoubleArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int32]
LongArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

EMPTY_SLOT = -1
UNKNOWN = -1
SECONDS_PER_DAY = 86_400
