"""Which rows of a gene table are RNA: files that count antibodies, guides or tags beside it say so in a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError
from ingest.readers.feature_words import GUIDES, OTHERS, RNA, SHORT_GUIDES, SHORT_RNA, WORDS

COLUMNS = frozenset({"feature_types", "feature_type", "feature_class", "feature_group", "modality", "assay", "type"})
"""Names of columns in which short words tell a type too, where all of them are known."""
MOST_TYPES = 20


@dataclass(frozen=True, slots=True)
class FeatureTypes:
    """The column of types, how many rows there are of each, and which rows are RNA and which are guides.

    ``is_rna`` and ``is_guide`` have shape (rows of the gene table,).
    """

    column: str
    counts: dict[str | None, int]
    is_rna: npt.NDArray[np.bool_]
    is_guide: npt.NDArray[np.bool_]

    def told(self) -> str:
        """Say how many rows there are of each type."""
        return ", ".join(f"{n:,} {'without a type' if name is None else name}" for name, n in self.counts.items())


def feature_types(genes: pl.DataFrame) -> FeatureTypes | None:
    """Find the column of a gene table that tells RNA from what else was counted; None where none does."""
    for column in genes:
        if column.dtype != pl.String or column.n_unique() > MOST_TYPES or column.null_count() == column.len():
            continue
        plain = column.str.strip_chars().str.to_lowercase()
        are_short = column.name.lower() in COLUMNS and plain.drop_nulls().is_in(list(WORDS)).all()
        if not are_short and not plain.is_in(list(RNA | GUIDES | OTHERS)).any():
            continue
        rna, guides = (RNA | SHORT_RNA, GUIDES | SHORT_GUIDES) if are_short else (RNA, GUIDES)
        is_rna, is_guide = (plain.is_in(list(words)).fill_null(value=False).to_numpy() for words in (rna, guides))
        counted = column.value_counts(name="n").sort("n", column.name, descending=[True, False])
        return FeatureTypes(column.name, dict(counted.iter_rows()), is_rna, is_guide)
    return None


def require_rna(types: FeatureTypes, where: str) -> None:
    """Refuse a gene table of which it is not known which rows are RNA.

    Raises
    ------
    SpecError
        No row is, or rows are without a type.
    """
    if types.is_rna.any() and None not in types.counts:
        return
    raise SpecError(
        "The gene table does not say which of its rows are RNA."
        if types.is_rna.any()
        else "No row of the gene table is RNA.",
        where=f"{where}, column '{types.column}'",
        expected="'Gene Expression' for genes, and another type for antibodies, guides and tags",
        got=types.told(),
        do=f"say which rows are genes by where under [genes], such as where = \"{types.column} = 'Gene Expression'\"",
    )
