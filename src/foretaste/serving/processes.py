"""How many threads a process of the service may use. Imports nothing, so that it can be said before NumPy is loaded."""

import os
import sys

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def one_thread_each() -> None:
    """Keep numeric libraries to one thread a process, unless the environment says otherwise.

    A request is too small to be worth sharing out, and workers already take a core each. Where NumPy is loaded it is
    too late, and nothing is said: Numba compiles nothing more once its number of threads is asked to change.
    """
    if "numpy" in sys.modules:
        return
    for name in _THREADS:
        os.environ.setdefault(name, "1")
