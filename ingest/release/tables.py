"""Write a release's tables: large ones in tiles, so that one condition, one gene or a matrix each read little.

One row group is a tile of 250 conditions x 500 genes: a question about one gene reads one tile in every 250
conditions, a question about one condition one tile in every 500 genes, and both skip the rest by the row groups'
minima and maxima.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.contract import RELEASE, TILE_GENES, TILES, Table, conform

KEYS = ("condition_index", "null_index", "gene_index")
BOUNDED = (*KEYS, "effect_kind", "q_value")
"""Columns whose least and greatest a question skips tiles by; of the others every tile has about the same."""
REPEATED = ("q_value",)
"""Numbers that come in long runs: step-up adjustment gives many genes one value."""
_ARROW: dict[pl.DataType, pa.DataType] = {
    pl.Int64(): pa.int64(),
    pl.Int32(): pa.int32(),
    pl.Float32(): pa.float32(),
    pl.Float64(): pa.float64(),
    pl.String(): pa.dictionary(pa.int32(), pa.string()),
}


def write_table(folder: Path, name: str, frame: pl.DataFrame) -> None:
    """Write a small table of a release as one file."""
    conform(RELEASE[name], frame).write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)


def write_part(folder: Path, name: str, part: int, frame: pl.DataFrame) -> None:
    """Write a part of a table of a release that is too large for one frame."""
    path = folder / name / f"part-{part:05d}.parquet"
    path.parent.mkdir(exist_ok=True)
    conform(RELEASE[name], frame).write_parquet(path, compression="zstd", statistics=True)


class _GroupWriter:
    """Write the one file of a condition x gene table, a group of rows after another."""

    def __init__(
        self, folder: Path, name: str, marks: Mapping[bytes, bytes] | None = None, *, is_cut: bool = False
    ) -> None:
        self.writer = _parquet_writer(folder, RELEASE[name], marks, is_cut=is_cut)

    def _write_group(self, columns: Mapping[str, Any], n_rows: int) -> None:
        """Write arrays, whose NaN are NULL, as one group of rows; a column that is not given is NULL throughout."""
        arrays = []
        for field in self.writer.schema:
            values = columns.get(field.name)
            if values is None:
                arrays.append(pa.nulls(n_rows, field.type))
            else:
                array = as_arrow(values)
                arrays.append(array if array.type == field.type else array.cast(field.type))
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.writer.schema), row_group_size=max(n_rows, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.writer.close()


class TileWriter(_GroupWriter):
    """Write a condition x gene table, one block of conditions after another.

    Parameters
    ----------
    folder
        The staged release.
    name
        The table's name in the contract.
    n_genes
        Genes of the release.
    rows
        The column that numbers what has a row for each gene.
    is_cut
        Whether numbers are cut to half of their digits (:mod:`ingest.signatures.digits`): those that come in runs are
        then smaller by the place of their bytes than as they are, and written in half the time.
    """

    def __init__(
        self, folder: Path, name: str, n_genes: int, rows: str = "condition_index", *, is_cut: bool = False
    ) -> None:
        self.n_genes, self.rows = n_genes, rows
        super().__init__(folder, name, {TILES: b"1"}, is_cut=is_cut)

    def write(self, conditions: npt.NDArray[np.int32], columns: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
        """Write all genes of some conditions.

        Parameters
        ----------
        conditions
            ``condition_index`` of each row of the columns, ascending; at most 250 for tiles as intended.
        columns
            Column name to an array of shape (conditions, genes), or a list of such to be put below each other; NaN is
            written as NULL. None is NULL throughout.
        fixed
            Column name to a value that all rows share, or a series of one value a condition.
        """
        parts = {name: value if isinstance(value, list) else [value] for name, value in columns.items()}

        def cut(genes: slice) -> dict[str, Any]:
            return {
                name: None if part[0] is None else np.concatenate([each[:, genes] for each in part])
                for name, part in parts.items()
            }

        self.write_tiles(conditions, ((genes, cut(genes)) for genes in self.tiles), fixed)

    @property
    def tiles(self) -> list[slice]:
        """The genes of each tile, in the order of the file."""
        return [slice(first, min(first + TILE_GENES, self.n_genes)) for first in range(0, self.n_genes, TILE_GENES)]

    def write_tiles(
        self,
        conditions: npt.NDArray[np.int32],
        tiles: Iterable[tuple[slice, Mapping[str, npt.NDArray[Any] | None]]],
        fixed: Mapping[str, Any],
    ) -> None:
        """Write all genes of some conditions, whose columns come tile by tile; otherwise as :meth:`write`."""
        repeated: dict[str, pa.Array] = {}
        for part, columns in tiles:
            genes = np.arange(part.start, part.stop, dtype=np.int32)
            n_rows = conditions.size * genes.size
            if not repeated or len(repeated[self.rows]) != n_rows:  # all tiles but the last are alike
                repeated = {name: _repeat(value, conditions.size, genes.size) for name, value in fixed.items()}
                repeated[self.rows] = as_arrow(np.repeat(conditions, genes.size))
            tile = {**repeated, "gene_index": np.tile(genes, conditions.size)}
            for name, values in columns.items():
                tile[name] = None if values is None else values.ravel()
            self._write_group(tile, n_rows)


class RowWriter(_GroupWriter):
    """Write a condition x gene table of which only some rows are known, in the order of tiles.

    Parameters
    ----------
    folder
        The staged release.
    name
        The table's name in the contract.
    fixed
        Column name to a text that all rows share.
    """

    def __init__(self, folder: Path, name: str, fixed: Mapping[str, str]) -> None:
        super().__init__(folder, name)
        self._fixed = fixed
        self._shared: dict[str, pa.Array] = {}
        self._n_shared = -1

    def write(self, rows: pa.RecordBatch) -> None:
        """Write rows as one group; a column that is neither in them nor fixed is NULL throughout."""
        n_rows = rows.num_rows
        if n_rows and self._n_shared != n_rows:  # most are full tiles
            self._shared = {name: _repeat(text, 1, n_rows) for name, text in self._fixed.items()}
            self._n_shared = n_rows
        if n_rows:
            self._write_group(dict(zip(rows.schema.names, rows.columns, strict=True)) | self._shared, n_rows)


def _parquet_writer(
    folder: Path, table: Table, marks: Mapping[bytes, bytes] | None, *, is_cut: bool
) -> pq.ParquetWriter:
    """Open the one file of a condition x gene table.

    A question scans the keys and the effect of whole tiles: dictionaries and LZ4 cost 5 to 12 % more room than what
    packs best; reading takes a third less time, and writing two fifths less. The keys of full tiles, of which LZ4
    leaves a tenth of a byte, are written in a third of that and read in four fifths where they have no dictionary.
    Texts are given as dictionaries, and are plain texts to whoever reads them.
    """
    schema = pa.schema(
        [pa.field(column, _ARROW[dtype], nullable=column not in KEYS) for column, dtype in table.schema.items()]
    )
    repeated = () if TILES in (marks or {}) else KEYS
    plain = KEYS if is_cut else (*KEYS, *REPEATED)
    packed = [field for field in schema if field.name not in repeated and not pa.types.is_dictionary(field.type)]
    path = folder / table.name / "part-0.parquet"
    path.parent.mkdir()
    writer = pq.ParquetWriter(
        path,
        schema,
        compression="lz4",
        use_dictionary=[field.name for field in schema if field not in packed],
        column_encoding={field.name: _encoding(field, plain) for field in packed},
        write_statistics=[name for name in BOUNDED if name in schema.names],
        store_schema=False,
    )
    writer.add_key_value_metadata(dict(marks or {}))  # without Arrow's schema, its own metadata is not stored either
    return writer


def _repeat(value: Any, n_conditions: int, n_genes: int) -> pa.Array:
    """One text for all rows of a tile, or one for each of its conditions."""
    each = value.to_list() if isinstance(value, pl.Series) else [value] * n_conditions
    texts = sorted({text for text in each if text is not None})
    number = np.array([0 if text is None else texts.index(text) for text in each], np.int32)
    is_missing = np.repeat([text is None for text in each], n_genes)
    return pa.DictionaryArray.from_arrays(as_arrow(np.repeat(number, n_genes), is_missing), _texts(texts))


def _texts(texts: list[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def as_arrow(values: Any, is_missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Take numbers as they lie in memory, NaN as NULL; Arrow's own ways of doing that import pandas."""
    if not isinstance(values, np.ndarray):
        return values if isinstance(values, pa.Array) else pa.array(values)
    if values.dtype.kind == "f":
        is_missing = np.isnan(values)
    is_known = None
    if is_missing is not None and is_missing.any():
        is_known = pa.py_buffer(np.packbits(~is_missing, bitorder="little"))
    numbers = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [is_known, numbers])


def as_numpy(values: pa.Array) -> npt.NDArray[Any]:
    """Take numbers, none of which is null, as they lie in memory; Arrow's own way of doing that imports pandas."""
    _, numbers = values.buffers()
    dtype = np.dtype(values.type.to_pandas_dtype())
    return np.frombuffer(numbers, dtype, len(values), values.offset * dtype.itemsize)


def _encoding(field: pa.Field, plain: Sequence[str]) -> str:
    if field.name in plain:
        return "PLAIN"
    return "BYTE_STREAM_SPLIT" if pa.types.is_floating(field.type) else "DELTA_BINARY_PACKED"
