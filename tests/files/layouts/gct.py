"""GCT files, the text of GCTX: genes by signatures, tab-separated, metadata around the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from ingest.reader import INDEX

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MISSING = "-666"
FILLER = "na"


def write_gct(
    path: Path,
    matrix: npt.NDArray[np.floating[Any]],
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    version: Literal["1.2", "1.3"] = "1.3",
    encoding: str = "latin-1",
) -> Path:
    """Write a GCT file of a matrix of shape (signatures, genes).

    Version 1.2 has no metadata but a description of each gene: the first column of ``genes`` after its key.
    """
    fields = [name for name in genes.columns if name != INDEX]
    labels = [name for name in rows.columns if name != INDEX]
    size = [genes.height, rows.height]
    if version == "1.2":
        fields, labels = fields[:1], []
        head = ["Name", "Description"]
    else:
        size, head = [*size, len(fields), len(labels)], ["id", *fields]
    lines = [[f"#{version}"], [str(number) for number in size], [*head, *rows[INDEX]]]
    lines += [[label, *[FILLER] * len(fields), *_text(rows[label])] for label in labels]
    described = [_text(genes[name]) for name in [INDEX, *fields]]
    for values, *description in zip(matrix.T, *described, strict=True):
        lines.append([*description, *(str(value) for value in values)])
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding=encoding)
    return path


def _text(column: pl.Series) -> list[str]:
    return column.cast(pl.String).fill_null(MISSING).to_list()
