"""Reader of DepMap's wide CSV: cell lines by genes, whichever the release.

Genes are labelled ``A1BG (1)``, by symbol and Entrez id, or by symbol and Ensembl id. The first column has had every
name there is (``Broad_ID``, ``DepMap_ID``, ``ModelID``, none) and is the model until 25Q3; since then it numbers the
lines, and columns say the model, and whether the line is the one to use of several. Whatever the release, ``model_id``
and ``is_default`` are among the columns that describe a row.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import polars as pl

from featurestore.errors import SourceFormatError
from ingest.reader import INDEX
from ingest.readers.header import has_depmap_labels, is_table, read_header
from ingest.readers.one_matrix import refuse_name
from ingest.readers.table import TableReader

MODEL, DEFAULT = "ModelID", "IsDefaultEntryForModel"
YES = ("yes", "true", "1")


class DepmapReader(TableReader):
    """An open file of DepMap."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.format = self.format.replace("table", DepmapFormat.name, 1)
        rows = self._described
        is_default = pl.lit(value=True)
        if DEFAULT in rows.columns:
            is_default = pl.col(DEFAULT).cast(pl.String).str.to_lowercase().is_in(YES)
        self._described = rows.with_columns(
            model_id=pl.col(MODEL if MODEL in rows.columns else INDEX), is_default=is_default
        )


class DepmapFormat:
    """The wide CSV of DepMap."""

    name: ClassVar[str] = "depmap"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is a table whose columns are labelled as DepMap labels genes."""
        return path.is_file() and is_table(path) and has_depmap_labels(read_header(path))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> DepmapReader:
        """Open a file.

        Raises
        ------
        SourceFormatError
            Its columns are no genes as DepMap labels them, or a matrix is named.
        """
        refuse_name(cls.name, path, matrix)
        if not has_depmap_labels(read_header(path)):
            raise SourceFormatError(
                "the columns are not labelled as DepMap labels genes",
                where=str(path),
                expected="labels such as 'A1BG (1)'",
            )
        return DepmapReader(path)
