"""AnnData's tables of cells and genes (``obs``, ``var``), in every encoding they have had.

- since 0.8: a group per categorical or nullable column, the attribute ``encoding-type`` saying which;
- 0.7: integer codes in the column, its categories under ``__categories``, found by an object reference or by name;
- before: one compound dataset, the categories of column ``x`` in ``uns/x_categories``.

The key is the column that the attribute ``_index`` names. Categories are given as what they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.reader import INDEX
from ingest.readers.columns import as_column, titles, unknown_column
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5_nodes import Hdf5Array
from ingest.readers.nodes import Array, Group, texts

ReadColumn: TypeAlias = Callable[[], pl.Series]

LEGACY_CATEGORIES = "__categories"


class AnnotationTable:
    """One of AnnData's tables: its columns are listed on opening, and read when asked for."""

    def __init__(self, root: Group, name: str) -> None:
        node = root.member(name)
        if node is None:
            raise root.missing(name, node, "a table")
        self._path, self._name, self._node = node.path, node.name, node
        with telling_damage(self._path, self._name):
            self.key, self._readers = _grouped(node) if isinstance(node, Group) else _compound(root, node)
            self.n_rows = node.shape[0] if isinstance(node, Array) else _length(node, self.key)

    @property
    def place(self) -> str:
        """Where it is, for an error message."""
        return f"{self._name} of {self._path}"

    @property
    def columns(self) -> list[str]:
        """Names of the columns, the key first."""
        return list(self._readers)

    def read(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the table, or some of its columns."""
        return pl.DataFrame([self._column(name) for name in (self.columns if columns is None else columns)])

    def _column(self, name: str) -> pl.Series:
        if name not in self._readers:
            raise unknown_column(name, self.columns, self.place, self.key)
        with telling_damage(self._path, f"column '{name}' of {self._name}"):
            self._require_length(name, _claimed(self._node, self.key if name == INDEX else name))
            column = self._readers[name]()
        self._require_length(name, len(column))
        return (column.cast(pl.String) if name == INDEX else column).alias(name)

    def _require_length(self, name: str, n: int | None) -> None:
        """Refuse a column of another length, before it is read: it may claim a thousand million values."""
        if n not in {None, self.n_rows}:
            raise SourceFormatError(
                f"column '{name}' is not as long as the table",
                where=self.place,
                expected=f"{self.n_rows:,} values, as in the key '{self.key}'",
                got=f"{n:,}",
                do="fetch the file again, or write it again",
            )


def _claimed(table: Group | Array, name: str) -> int | None:
    """Return how many values a column of a group says it has; None where it does not say."""
    node = table.member(name) if isinstance(table, Group) else None
    if isinstance(node, Group):
        node = node.member("codes") or node.member("values")
    return node.shape[0] if isinstance(node, Array) and node.shape else None


def _grouped(group: Group) -> tuple[str, dict[str, ReadColumn]]:
    """List the columns of a table stored as a group: the published name of its key, and a reader for each."""
    key = group.text("_index") or "_index"
    order = group.attributes.get("column-order")
    if order is None:
        published = [name for name in group.names() if name not in {key, LEGACY_CATEGORIES}]
    else:
        published = texts(order)
    index, *readers = [_reader(group, name) for name in [key, *published]]
    return key, {INDEX: index} | dict(zip(titles(published), readers, strict=True))


def _length(group: Group, key: str) -> int:
    node = group.member(key)
    return node.shape[0] if isinstance(node, Array) else len(_encoded(group.group(key)))


def _reader(group: Group, name: str) -> ReadColumn:
    """Choose how a column of a group is read."""
    node = group.member(name)
    if node is None:
        raise group.missing(name, node, "a column")
    if isinstance(node, Group):
        return lambda: _encoded(node)
    categories = _legacy_categories(group, name, node)
    return lambda: node.column() if categories is None else _categorical(node, categories.column(are_distinct=True))


def _legacy_categories(group: Group, name: str, codes: Array) -> Array | None:
    """Find the categories of a 0.7 column: by the reference in its attribute, else by its name."""
    if codes.dtype.kind not in "iu":
        return None
    node = codes.target("categories") or group.member(f"{LEGACY_CATEGORIES}/{name}")
    if node is None or isinstance(node, Array):
        return node
    raise group.missing(f"{LEGACY_CATEGORIES}/{name}", node, "an array")


def _compound(root: Group, table: Array) -> tuple[str, dict[str, ReadColumn]]:
    """List the columns of a table stored as one compound dataset, as HDF5 has them."""
    fields = list(table.dtype.names or ())
    key = next((name for name in ("index", "_index") if name in fields), None)
    if key is None or len(table.shape) != 1 or not isinstance(table, Hdf5Array):
        raise SourceFormatError(
            "a table is neither a group of columns nor a compound dataset with a field 'index'",
            where=table.place,
            got=f"{table.dtype} of shape {table.shape}",
        )
    published = [name for name in fields if name != key]

    def reader(name: str) -> ReadColumn:
        categories = root.member(f"uns/{name}_categories") if table.dtype[name].kind in "iu" else None
        if not isinstance(categories, Array):
            return lambda: as_column(table.field(name))
        place = f"{table.name}/{name} of {table.path}"
        return lambda: _by_code(table.field(name), categories.column(are_distinct=True), place)

    return key, {INDEX: reader(key)} | dict(zip(titles(published), map(reader, published), strict=True))


def _encoded(group: Group) -> pl.Series:
    """Read a column that is a group: categorical, or nullable."""
    encoding = group.text("encoding-type") or ""
    if encoding == "categorical":
        return _categorical(group.array("codes"), _column(group, "categories", are_distinct=True))
    if encoding.startswith("nullable-"):
        values, mask = _column(group, "values"), group.array("mask").column()
        if mask.dtype != pl.Boolean or len(mask) != len(values):
            raise TypeError(f"expected a mask of {len(values):,} truth values, got {len(mask):,} of {mask.dtype}")
        return pl.DataFrame({"value": values, "is_missing": mask}).select(
            pl.when(~pl.col("is_missing")).then(pl.col("value"))
        )["value"]
    raise SourceFormatError(
        "a column is stored in a way that is not known",
        where=group.place,
        expected="categorical, nullable-integer, nullable-boolean, nullable-string-array, or a plain array",
        got=repr(encoding) if encoding else "a group without encoding-type",
        do="leave the column out, or write it as text or numbers",
    )


def _column(group: Group, name: str, *, are_distinct: bool = False) -> pl.Series:
    node = group.member(name)
    if isinstance(node, Group):
        return _encoded(node)
    return group.array(name).column(are_distinct=are_distinct)


def _categorical(codes: Array, categories: pl.Series) -> pl.Series:
    return _by_code(codes.values(), categories, codes.place)


def _by_code(codes: npt.NDArray[Any], categories: pl.Series, place: str) -> pl.Series:
    """Give each code's category; -1 is missing."""
    if codes.dtype.kind not in "iu" or codes.ndim != 1:
        raise TypeError(f"expected a whole number a row as codes, got {codes.dtype} of shape {codes.shape}")
    if codes.size and (int(codes.min()) < -1 or int(codes.max()) >= len(categories)):
        wrong = codes[(codes < -1) | (codes >= len(categories))]
        raise SourceFormatError(
            "a code has no category",
            where=place,
            expected=f"codes from -1 to {len(categories) - 1:,}",
            got=f"{wrong[0]:,} and {len(wrong) - 1:,} more" if len(wrong) > 1 else f"{wrong[0]:,}",
            do="fetch the file again, or write it again",
        )
    positions = pl.Series(codes.astype(np.int64))
    return categories.gather(positions.set(positions < 0, None))
