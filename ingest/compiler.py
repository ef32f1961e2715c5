"""The compiler of kernels, numba: loaded when the first kernel is near, which takes a third of a second of one core."""

from __future__ import annotations

import importlib
import sys

OF_OTHERS = ("scipy.linalg.cython_blas", "cffi", "coverage")
"""What numba imports for code that is not ours: a third of the time of a small ingest."""
_left_out: list[str] = []


def leave_out_others() -> None:
    """Have the compiler loaded without BLAS of SciPy, cffi and coverage, where only our kernels are compiled."""
    _left_out[:] = OF_OTHERS


def load_compiler() -> None:
    """Load the compiler, if that has not happened."""
    absent = [name for name in _left_out if name not in sys.modules]
    sys.modules |= dict.fromkeys(absent)  # type: ignore[arg-type]  # None: it cannot be imported
    try:
        importlib.import_module("numba.np.arraymath")
        importlib.import_module("numba.core.typing.cffi_utils")
    finally:
        for name in absent:
            del sys.modules[name]
