"""AnnData within a file that is a tree: the matrix, the table of its rows (``obs``) and of its genes (``var``).

It may hold several matrices, named as in AnnData: ``X``, ``layers/<name>``, ``raw/X`` (with genes of its own). Where
none is asked for, ``X`` is read, or the only matrix there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import BLOCK_BYTES, Block
from ingest.readers.annotation import AnnotationTable
from ingest.readers.damage import telling_damage
from ingest.readers.nodes import Array, Group
from ingest.readers.stored_matrix import open_matrix, require_shape

if TYPE_CHECKING:
    import polars as pl

GENES_OF = {"X": "var", "raw/X": "raw/var", "raw.X": "raw.var"}
"""The gene table of each matrix that is not a layer; before 0.7, ``raw`` was two members of the root."""
ABSENT = "null"
"""What a matrix is encoded as that is not there: since AnnData 0.11 an absent ``X``, in Zarr ``raw`` too."""


class AnnDataTree:
    """One AnnData, open.

    Parameters
    ----------
    root
        The group that holds it.
    name
        Which of its matrices to read.
    """

    def __init__(self, root: Group, name: str | None) -> None:
        known = matrices_of(root)
        self.matrices = tuple(known)
        asked, name = name is not None, _only(root, known) if name is None else name
        if name not in known:
            raise SourceFormatError(
                f"there is no matrix '{name}'",
                where=str(root.path),
                do=f"name another matrix; {did_you_mean(name, known)}",
            )
        self.matrix = name
        self.obs, self.var = AnnotationTable(root, "obs"), AnnotationTable(root, known[name])
        self._matrix = open_matrix(root, name)
        self.n_rows, self.n_genes = self._matrix.shape
        self.variant = self._matrix.variant if name == "X" or asked else f"{name}: {self._matrix.variant}"
        self.is_by_row = self._matrix.is_by_row
        tables = self.obs.n_rows, self.var.n_rows
        require_shape(self._matrix.shape, tables, f"{name} of {root.path}", f"obs by {known[name]}")

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self.var.read()

    def blocks(self, block_bytes: int, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """Stream the matrix, or some of its rows."""
        return iter(self._matrix.blocks(block_bytes, first, last))


class TreeReader:
    """What readers of an AnnData have in common, wherever in a file it lies."""

    _tree: AnnDataTree
    _close: Callable[[], None]

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._tree.genes()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix."""
        return self._tree.blocks(block_bytes)

    @property
    def is_by_row(self) -> bool:
        """Whether the matrix is stored by row, so that reading can begin at any."""
        return self._tree.is_by_row

    def stretch(self, first: int, last: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the rows from ``first`` to ``last``."""
        return self._tree.blocks(block_bytes, first, last)

    def close(self) -> None:
        """Close the file."""
        self._close()


class AnnDataReader(TreeReader):
    """An open AnnData.

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
        Which of its matrices to read.
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
        self.path, self.files, self._close = path, files, close
        try:
            with telling_damage(path, "the whole"):
                self._tree = AnnDataTree(root, matrix)
        except BaseException:
            close()
            raise
        self.matrix, self.matrices = self._tree.matrix, self._tree.matrices
        self.n_rows, self.n_genes = self._tree.n_rows, self._tree.n_genes
        self.format = f"{name} ({self._tree.variant})"

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return self._tree.obs.columns

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        return self._tree.obs.read(columns)


def matrices_of(root: Group) -> dict[str, str]:
    """List the matrices of an AnnData, each with the table of its genes."""
    layers = root.member("layers")
    names = [f"layers/{name}" for name in layers.names()] if isinstance(layers, Group) else []
    known = GENES_OF | dict.fromkeys(names, "var")
    return {name: genes for name, genes in known.items() if _is_there(root, name)}


def is_anndata(root: Group) -> bool:
    """Say whether a group carries AnnData's mark, or holds one of its two tables."""
    names = root.names()
    return root.text("encoding-type") == "anndata" or "obs" in names or "var" in names


def _is_there(root: Group, name: str) -> bool:
    node = root
    for part in name.split("/"):
        found = node.member(part)
        if found is None or found.text("encoding-type") == ABSENT:
            return False
        if isinstance(found, Array):
            return name.endswith(part)
        node = found
    return True


def _only(root: Group, known: dict[str, str]) -> str:
    """Choose the matrix to read where none was asked for."""
    if "X" in known or not known:
        return "X"
    if len(known) > 1:
        raise SourceFormatError(
            "there is no X, and there are several other matrices",
            where=root.place,
            got=", ".join(known),
            do="name the one that holds the values: matrix under [dataset], or inspect --matrix",
        )
    return next(iter(known))
