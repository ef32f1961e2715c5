"""Read a signature from a table of any kind: a column of genes, and one of values; a table of results as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import QueryError, first_of

GENES = ("gene_id", "gene", "genes", "gene_symbol", "symbol", "names", "gene_name", "feature", "ensembl_id", "ensembl",
         "entrez_id", "id", "")  # fmt: skip
"""Columns of genes, the best first."""
VALUES = ("z", "zscore", "z_score", "stat", "statistic", "t", "scores", "score", "value", "effect", "log2foldchange",
          "log2fc", "logfoldchanges", "avg_log2fc", "logfc", "lfc", "log2_fold_change")  # fmt: skip
"""Columns of values, the best first: what allows for noise, then effects."""


def read_signature(table: str | Path | pl.DataFrame | None) -> tuple[Sequence[str], npt.NDArray[np.float64]]:
    """Return the genes of a table, and their values, shape (genes,): CSV, TSV, Parquet, or a GCT of one column.

    Raises
    ------
    QueryError
        The file cannot be read, or has no such columns.
    """
    where = "the table" if isinstance(table, pl.DataFrame) else str(table)
    frame = table if isinstance(table, pl.DataFrame) else _read(Path(str(table)))
    names = {name.strip().casefold().replace(" ", "_").replace(".", "_"): name for name in reversed(frame.columns)}
    numeric = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
    gene = next((names[each] for each in GENES if each in names), None)
    value = next((names[each] for each in VALUES if each in names and names[each] in numeric), None)
    if gene is None:
        gene = next((name for name in frame.columns if name not in numeric), None)
    others = [name for name in numeric if name != gene]
    if value is None and len(others) == 1:
        value = others[0]
    if gene is None or value is None:
        raise QueryError(
            "A signature needs a column of genes and one of values.",
            where=where,
            expected=f"one of {', '.join(GENES[:5])}, ...; one of {', '.join(VALUES[:5])}, ..., or one number",
            got=first_of(frame.columns, 12),
            do="name the columns gene and value",
        )
    known = frame.select(gene=pl.col(gene).cast(pl.String()), value=pl.col(value).cast(pl.Float64())).drop_nulls()
    return known["gene"].to_list(), known["value"].to_numpy()


def _read(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            return pl.read_parquet(path, glob=False)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise QueryError("A signature cannot be read.", where=str(path), got=str(error)) from None
    lines = text.splitlines()
    skipped = 2 if lines and lines[0].startswith("#1.") else 0
    rest = "\n".join(lines[skipped:])
    first = lines[skipped] if len(lines) > skipped else ""
    separator = max(("\t", ",", ";"), key=first.count)
    try:
        return pl.read_csv(
            rest.encode(), separator=separator, infer_schema_length=None, null_values=["NA", "NaN", ""], glob=False
        )
    except pl.exceptions.PolarsError as error:
        raise QueryError("A signature is no table.", where=str(path), got=str(error).partition("\n")[0]) from None
