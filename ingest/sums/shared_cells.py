"""Files of one dataset that hold the same cells, whole or in part: summed, each would count twice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError

FEWEST_CELLS = 20
"""Cells below which files may agree by chance."""
_SHARE = 0.5
"""Share of the smaller file's cells from which it is no accident that another has them."""
_LOOKED_AT = 2_000_000
"""About as many cells are compared: those of the smallest hashes, which are the same cells in every file."""


def refuse_shared_cells(
    paths: Sequence[Path],
    n_rows: Sequence[int],
    draw: npt.NDArray[np.uint32],
    combo: npt.NDArray[np.int32],
    totals: npt.NDArray[np.floating],
) -> None:
    """Refuse files of which two have many cells in common: the same barcode, the same labels and as many counts.

    Parameters
    ----------
    paths, n_rows
        The files, and the rows of each.
    draw
        Hash of the key of every row of all files. Shape (rows,).
    combo
        Which combination of labels every row has. Shape (rows,).
    totals
        Counts of every row, 0 of those that are not summed. Shape (rows,).

    Raises
    ------
    SpecError
        Half of the cells of a file, and twenty at least, are in another one too.
    """
    if len(paths) < 2:  # noqa: PLR2004, a pair
        return
    is_summed = np.asarray(totals) > 0
    looked_at = is_summed & (draw <= np.uint32(min(1.0, _LOOKED_AT / max(1, len(draw))) * np.iinfo(np.uint32).max))
    file = np.repeat(np.arange(len(paths), dtype=np.int32), n_rows)
    rows = pl.DataFrame(
        {name: values[looked_at] for name, values in (("file", file), ("draw", draw), ("combo", combo))}
    ).with_columns(total=pl.Series(totals[looked_at]))
    size = rows.group_by("file").agg(n=pl.len())
    key = ["draw", "combo", "total"]
    pairs = (
        rows.filter(pl.struct(key).is_duplicated())
        .unique(["file", *key])
        .pipe(lambda left: left.join(left, on=key, suffix="_other"))
        .filter(pl.col("file") < pl.col("file_other"))
        .group_by("file", "file_other")
        .agg(n_shared=pl.len())
        .join(size, on="file")
        .join(size, left_on="file_other", right_on="file", suffix="_other")
        .with_columns(n_fewer=pl.min_horizontal("n", "n_other"))
        .filter((pl.col("n_shared") >= FEWEST_CELLS) & (pl.col("n_shared") >= _SHARE * pl.col("n_fewer")))
        .sort("n_shared", "file", "file_other", descending=[True, False, False])
    )
    if not pairs.is_empty():
        first = pairs.row(0, named=True)
        both = [paths[first[name]] for name in ("file", "file_other")]
        folder = os.path.commonpath([path.parent for path in both])
        one, other = (path.relative_to(folder).as_posix() for path in both)
        compared = "" if looked_at.sum() == is_summed.sum() else " that were compared"
        raise SpecError(
            "Two files of the dataset hold the same cells, which would count twice.",
            where=f"{one} and {other}",
            expected="files of different cells",
            got=f"{first['n_shared']:,} of the {first['n_fewer']:,} cells of the smaller one{compared} are in both, by "
            "key, labels and counts",
            do="name only one of them in files",
        )
