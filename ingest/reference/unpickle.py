"""Tables inside pickles, read without running anything that a pickle could name.

Unpickling is code execution: a pickle may name any importable function. Here it may name the handful of NumPy
constructors that arrays are made of; pandas classes are replaced by inert records of their state.
"""

from __future__ import annotations

import io
import pickle  # nosec B403
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from featurestore.errors import SourceFormatError

ObjectArray = npt.NDArray[np.object_]


class _Record:
    """Stands in for a pandas class and keeps the state it was pickled with."""

    state: Any = None

    def __init__(self, *_: object) -> None:
        """Leave aside what the class would be made of: all that is looked at is in the state."""

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Frame(_Record):
    pass


class _Blocks(_Record):
    pass


class _Categorical(_Record):
    pass


def _index(_: object, parts: dict[str, Any]) -> ObjectArray:
    return np.asarray(parts["data"], dtype=object)


def _empty(kind: type[npt.NDArray[Any]], shape: tuple[int, ...], _: bytes) -> npt.NDArray[Any]:
    return kind(shape, dtype=np.int8)


def _from_buffer(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: str) -> npt.NDArray[Any]:
    return np.ndarray(shape, dtype, buffer, order="F" if order == "F" else "C")


_ALLOWED: dict[str, Callable[..., Any]] = {
    "builtins.slice": slice,
    "numpy.dtype": np.dtype,
    "numpy.ndarray": np.ndarray,
    "numpy._core.multiarray._reconstruct": _empty,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "numpy.core.multiarray._reconstruct": _empty,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "pandas.core.arrays.categorical.Categorical": _Categorical,
    "pandas.core.dtypes.dtypes.CategoricalDtype": _Record,
    "pandas.core.frame.DataFrame": _Frame,
    "pandas.core.indexes.base.Index": _Record,
    "pandas.core.indexes.base._new_Index": _index,
    "pandas.core.internals.managers.BlockManager": _Blocks,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[f"{module}.{name}"]
        except KeyError:
            raise SourceFormatError(
                "A pickle names something that a table is not made of.",
                got=f"{module}.{name}",
                do="do not open this file in any other way",
            ) from None


def read_array(pickled: bytes) -> ObjectArray:
    """Read a pickled NumPy array of Python strings and sets."""
    return np.asarray(_Unpickler(io.BytesIO(pickled)).load(), dtype=object)


def read_frame(pickled: bytes, columns: tuple[str, ...]) -> dict[str, ObjectArray]:
    """Read columns of a pandas data frame (pickled by pandas 1), its index under the name ``index``.

    Raises
    ------
    SourceFormatError
        The pickle holds something else, or lacks a column.
    """
    frame = _Unpickler(io.BytesIO(pickled)).load()
    if not isinstance(frame, _Frame):
        raise SourceFormatError("A pickle holds no data frame.", got=type(frame).__name__)
    (names, index), _, _, layout = frame.state["_mgr"].state
    table: dict[str, ObjectArray] = {"index": index}
    for block in layout["0.14.1"]["blocks"]:
        for row, position in enumerate(range(len(names))[block["mgr_locs"]]):
            if names[position] in columns:
                table[names[position]] = _values(block["values"], row)
    if missing := set(columns) - set(table):
        raise SourceFormatError("A pickled data frame lacks columns.", expected=", ".join(sorted(missing)))
    return table


def _values(block: ObjectArray | _Categorical, row: int) -> ObjectArray:
    if isinstance(block, _Categorical):
        categories: ObjectArray = block.state["_dtype"].state["categories"]
        codes: npt.NDArray[np.intp] = block.state["_codes"]
        texts: ObjectArray = np.array([*categories, None], dtype=object)[codes]
        return texts
    return np.asarray(block[row], dtype=object)
