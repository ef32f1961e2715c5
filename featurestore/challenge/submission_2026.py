"""The one file that the challenge of 2026 takes: whole counts of every context, written perturbation by perturbation.

At full size a submission has 360,000 cells and up to 4,750 million entries, more than a machine's memory: what is held
at a time is one perturbation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from featurestore.challenge.cells import COLUMN
from featurestore.challenge.contexts import CONTEXT
from featurestore.challenge.panel import MOST_CELLS_2026
from featurestore.challenge.protocol_2026 import MOST_COUNTS
from featurestore.challenge.submission import as_anndata
from featurestore.errors import FeatureError

MOST_ENTRIES_2026 = 4_750_000_000
MOST_NARROW = 2**31 - 1
"""Entries that integers of 32 bits can count."""
_CHUNK = 1 << 20


class Block(NamedTuple):
    """Predicted cells of one perturbation in one context, shape (cells, genes)."""

    context: str
    perturbation: str
    values: sparse.csr_array


def write_counts(blocks: Iterable[Block], path: str | Path, *, genes: Sequence[str], column: str = COLUMN) -> int:
    """Write an h5ad of whole counts, with the perturbation and the context of each cell, without controls.

    Parameters
    ----------
    blocks
        Predicted cells, counts, their genes in order.
    path
        The h5ad file; it is under its name only when it is whole.
    column
        Column of obs that names the perturbations.

    Returns
    -------
    Number of entries, the counts that are not 0.

    Raises
    ------
    FeatureError
        A value is no count, a cell has more than a million, a perturbation has none at all, or there are too many cells
        or entries.
    """
    import h5py  # noqa: PLC0415
    from anndata.io import write_elem  # noqa: PLC0415, half a second

    obs: dict[str, list[str]] = {column: [], CONTEXT: []}
    pointers = [np.zeros(1, dtype=np.int64)]
    n_entries = 0
    with tempfile.TemporaryDirectory(dir=Path(path).resolve().parent) as folder:
        plain = Path(folder) / "submission.h5ad"
        with h5py.File(plain, "w") as file:
            matrix = file.create_group("X")
            parts = {"data": np.float32, "indices": np.int32}
            for name, kind in parts.items():
                matrix.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(_CHUNK,))
            for block in blocks:
                _check(block)
                for name, values in (("data", block.values.data), ("indices", block.values.indices)):
                    matrix[name].resize((n_entries + len(values),))
                    matrix[name][n_entries:] = values
                pointers.append(n_entries + block.values.indptr[1:].astype(np.int64))
                n_entries += block.values.nnz
                obs[column] += [block.perturbation] * block.values.shape[0]
                obs[CONTEXT] += [block.context] * block.values.shape[0]
                _check_sizes(len(obs[CONTEXT]), n_entries)
            _point(matrix, np.concatenate(pointers))
            shape = (len(obs[CONTEXT]), len(genes))
            matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": shape})
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            named = as_anndata(sparse.csr_array(shape), genes, {name: np.array(labels) for name, labels in obs.items()})
            named.strings_to_categoricals()
            write_elem(file, "obs", named.obs)
            write_elem(file, "var", named.var)
        plain.replace(path)
    return n_entries


def _point(matrix: Any, pointers: npt.NDArray[np.int64]) -> None:
    """Write where each cell begins, in integers of the same width as the indices: readers take no others."""
    if pointers[-1] <= MOST_NARROW:
        matrix.create_dataset("indptr", data=pointers.astype(np.int32))
        return
    matrix.create_dataset("indptr", data=pointers)
    narrow = matrix["indices"]
    wide = matrix.create_dataset("wide", narrow.shape, np.int64, chunks=(_CHUNK,))
    for start in range(0, len(narrow), _CHUNK):
        wide[start : start + _CHUNK] = narrow[start : start + _CHUNK]
    del matrix["indices"]
    matrix.move("wide", "indices")


def _check(block: Block) -> None:
    where = f"{block.perturbation} of context {block.context}"
    data = block.values.data
    if not (np.isfinite(data).all() and (data >= 0).all() and (data == np.rint(data)).all()):
        raise FeatureError("The challenge of 2026 takes whole counts.", where=where, got="other values")
    totals = np.asarray(block.values.sum(axis=1, dtype=np.float64)).ravel()
    if not totals.any():
        raise FeatureError(
            "All cells of a perturbation are empty.",
            where=where,
            do="look at its effects: they take every gene of the controls to zero",
        )
    if totals.max() > MOST_COUNTS:
        raise FeatureError(
            "A cell has more counts than the challenge takes.",
            where=where,
            expected=f"at most {MOST_COUNTS:,}",
            got=f"{totals.max():,.0f}",
            do="look at its effects: they multiply genes that have many counts",
        )


def _check_sizes(n_cells: int, n_entries: int) -> None:
    for what, n, most in (("cells", n_cells, MOST_CELLS_2026), ("entries", n_entries, MOST_ENTRIES_2026)):
        if n > most:
            raise FeatureError(
                f"There are too many {what} for the challenge.", expected=f"at most {most:,}", got=f"{n:,}"
            )
