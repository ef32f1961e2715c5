"""MuData within a file that is a tree: several AnnData, the modalities, of which the one of RNA is read.

Matrices are named by their path: ``mod/rna/X``. What the other modalities and the common table say of a cell is joined
by its barcode, and called as mudata does: ``gdo:guide_ID``. Modalities that share genes instead of cells (``axis`` 1)
are of other cells, and are not joined.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import INDEX
from ingest.readers.anndata_tree import AnnDataTree, TreeReader, is_anndata, matrices_of
from ingest.readers.annotation import AnnotationTable
from ingest.readers.columns import unknown_column
from ingest.readers.damage import telling_damage
from ingest.readers.feature_words import is_rna
from ingest.readers.nodes import Group, texts

MARK = "MuData"
MODALITIES = "mod"
BETWEEN = ":"
"""What joins the name of a modality and of its column, as in mudata."""
OF_GENES = 1
"""The axis of a MuData whose modalities share genes."""


def is_mudata(root: Group) -> bool:
    """Say whether a group carries MuData's mark, or holds modalities."""
    return root.text("encoding-type") == MARK or MODALITIES in root.names()


class MuDataReader(TreeReader):
    """An open MuData.

    Parameters
    ----------
    path, files
        The file, or the folder, and every file that is read of it.
    root
        The group that holds it.
    close
        Lets go of the file.
    name
        What its format is called.
    matrix
        Which matrix of which modality to read; that of RNA where None.
    """

    def __init__(
        self,
        path: Path,
        files: tuple[Path, ...],
        root: Group,
        close: Callable[[], None],
        name: str,
        matrix: str | None = None,
    ) -> None:
        self.path, self.files, self._root, self._close = path, files, root, close
        try:
            with telling_damage(path, "the whole"):
                self._parts = _modalities(root)
                self.modality, inner = self._chosen(matrix)
                self._tree = AnnDataTree(self._parts[self.modality], inner)
                self.modalities = {name: self._told(name) for name in self._parts}
        except BaseException:
            close()
            raise
        self.matrix = f"{MODALITIES}/{self.modality}/{self._tree.matrix}"
        self.matrices = tuple(f"{MODALITIES}/{self.modality}/{each}" for each in self._tree.matrices)
        self.n_rows, self.n_genes = self._tree.n_rows, self._tree.n_genes
        self.format = f"{name} ({self.modality}: {self._tree.variant})"

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first, then what is said of the cells elsewhere."""
        return [*self._tree.obs.columns, *self._joined]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        names = self.row_columns() if columns is None else columns
        return pl.DataFrame([self._column(name) for name in names])

    def counted(self, name: str) -> MuDataReader | None:
        """Return another modality, read from the same open file, where it is of the same cells."""
        if name not in self._others or not self._positions_of(self._others[name]).drop_nulls().len():
            return None
        matrix = f"{MODALITIES}/{name}/{next(iter(matrices_of(self._parts[name])), 'X')}"
        return MuDataReader(self.path, self.files, self._root, _stays_open, self.format.partition(" ")[0], matrix)

    def _chosen(self, matrix: str | None) -> tuple[str, str | None]:
        """Choose the modality, and its matrix where one is named."""
        if matrix is not None:
            known = [f"{MODALITIES}/{name}/{each}" for name, part in self._parts.items() for each in matrices_of(part)]
            if matrix not in known:
                raise SourceFormatError(
                    f"there is no matrix '{matrix}'",
                    where=str(self.path),
                    do=f"name another matrix; {did_you_mean(matrix, known)}",
                )
            _, name, inner = matrix.split("/", 2)
            return name, inner
        rna = [name for name in self._parts if is_rna(name)] or list(self._parts)
        if len(rna) == 1:
            return rna[0], None
        raise SourceFormatError(
            "which modality is RNA is not told" if rna else "there is no modality",
            where=str(self.path),
            expected="one modality called rna, or one alone",
            got=", ".join(rna),
            do=f'name its matrix, such as matrix = "{MODALITIES}/{next(iter(rna), "rna")}/X"',
        )

    def _told(self, name: str) -> str:
        """Say how large a modality is, and whether it is read."""
        part = self._parts[name]
        sizes = " x ".join(f"{AnnotationTable(part, table).n_rows:,}" for table in ("obs", "var"))
        return f"{sizes}, read" if name == self.modality else sizes

    @property
    def _others(self) -> dict[str, AnnotationTable]:
        """The tables of cells of the other modalities."""
        if _axis(self._root) == OF_GENES:
            return {}
        return {name: AnnotationTable(part, "obs") for name, part in self._parts.items() if name != self.modality}

    @cached_property
    def _joined(self) -> dict[str, tuple[AnnotationTable, str]]:
        """The columns that are said elsewhere, and where: what the modality's own table has is taken from there."""
        own, found = set(self._tree.obs.columns), dict[str, tuple[AnnotationTable, str]]()
        others = self._others
        if _axis(self._root) != OF_GENES and self._root.member("obs") is not None:
            common = AnnotationTable(self._root, "obs")
            pulled = {f"{name}{BETWEEN}{each}" for name in self._parts for each in _columns(self._parts[name])}
            found |= {name: (common, name) for name in common.columns if name not in own | pulled}
        for modality, table in others.items():
            for name in table.columns[1:]:
                if name not in own | found.keys():
                    found[f"{modality}{BETWEEN}{name}"] = (table, name)
        return found

    def _column(self, name: str) -> pl.Series:
        if name not in self._joined:
            if name not in self._tree.obs.columns:
                raise unknown_column(name, self.row_columns(), f"obs of {self.path}", self._tree.obs.key)
            return self._tree.obs.read([name])[name]
        table, column = self._joined[name]
        return table.read([column])[column].gather(self._positions_of(table)).alias(name)

    def _positions_of(self, table: AnnotationTable) -> pl.Series:
        """Find each cell's line in another table by its barcode; null where it has none."""
        keys = table.read([INDEX])[INDEX]
        if keys.is_duplicated().any():
            raise SourceFormatError(
                "a barcode comes twice in a table that is joined by it",
                where=table.place,
                got=f"{keys.filter(keys.is_duplicated())[0]!r}",
                do="make the barcodes of the modality unique, or take the modality out",
            )
        there = pl.DataFrame([keys, pl.int_range(keys.len(), eager=True).alias("at")])
        own = self._tree.obs.read([INDEX])
        return own.join(there, on=INDEX, how="left", maintain_order="left")["at"]


def _modalities(root: Group) -> dict[str, Group]:
    """List the modalities in their order; one that is itself a MuData is left out."""
    group = root.group(MODALITIES)
    order = texts(group.attributes.get("mod-order", []))
    names = [name for name in order if name in group.names()]
    names += [name for name in group.names() if name not in names]
    found = {name: group.group(name) for name in names}
    return {name: part for name, part in found.items() if is_anndata(part) and not is_mudata(part)}


def rna_of(root: Group) -> Group | None:
    """Return the AnnData of a tree: itself, or the modality of RNA of a MuData; None where it holds neither."""
    if not is_mudata(root):
        return root
    parts = _modalities(root)
    rna = [name for name in parts if is_rna(name)] or list(parts)
    return parts[rna[0]] if len(rna) == 1 else None


def _axis(root: Group) -> int:
    axis: Any = root.attributes.get("axis", 0)
    return int(axis) if str(axis).lstrip("-").isdigit() else 0


def _columns(part: Group) -> list[str]:
    return AnnotationTable(part, "obs").columns


def _stays_open() -> None:
    """Leave the file to the reader that opened it."""
