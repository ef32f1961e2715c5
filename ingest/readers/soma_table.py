"""Tables of TileDB-SOMA: cells or genes by join id, the key under the name that AnnData's index had."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ingest.reader import INDEX, Integers
from ingest.readers.columns import titles, unknown_column

JOIN_ID = "soma_joinid"
KEYS = {"obs": ("obs_id", "cell_id", "barcode"), "var": ("var_id", "feature_id", "gene_id")}
"""What keys are called where the table does not say."""


class SomaTable:
    """A table, in the order of its join ids.

    Parameters
    ----------
    read
        Reads some of its columns.
    described
        Its fields, and what it says of its key.
    kind
        ``obs`` or ``var``.
    place
        Where it is, for an error message.
    """

    def __init__(
        self, read: Callable[[list[str]], pa.Table], described: Mapping[str, Any], kind: str, place: str
    ) -> None:
        self._columns, self._place = read, place
        names = [name for name in described["fields"] if name != JOIN_ID]
        said = json.loads(described["key"])
        self.key = next((name for name in (said, *KEYS[kind]) if name in names), None)
        others = [name for name in names if name != self.key]
        self.fields: dict[str, str | None] = {INDEX: self.key} | dict(zip(titles(others), others, strict=True))
        ids: npt.NDArray[np.int64] = self._columns([JOIN_ID]).column(JOIN_ID).to_numpy()
        self._order = None if (np.diff(ids) > 0).all() else np.argsort(ids)
        self.ids = ids if self._order is None else ids[self._order]
        if (np.diff(self.ids) <= 0).any():
            raise ValueError("a join id comes twice")
        self._is_plain = bool(self.ids.size == 0 or self.ids[-1] == self.ids.size - 1)

    def read(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the table, or some of its columns."""
        wanted = list(self.fields) if columns is None else columns
        for name in wanted:
            if name not in self.fields:
                raise unknown_column(name, self.fields, self._place, self.key or "")
        stored = [field for name in wanted if (field := self.fields[name]) is not None]
        table = self._columns([JOIN_ID, *stored])
        return pl.DataFrame([self._column(table, name) for name in wanted])

    def positions(self, ids: Integers) -> Integers:
        """Find the positions of join ids.

        Raises
        ------
        ValueError
            One is not in the table.
        """
        if self._is_plain and (not ids.size or (ids.min() >= 0 and ids.max() < self.ids.size)):
            return ids
        at = np.searchsorted(self.ids, ids)
        if (at == self.ids.size).any() or (self.ids[at] != ids).any():
            raise ValueError(f"a value has a join id that {self._place} does not have")
        return at

    def _column(self, table: pa.Table, name: str) -> pl.Series:
        field = self.fields[name]
        if field is None:
            return pl.Series(name, self.ids.astype(str))
        column = table.column(field)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        series = pl.Series(name, pl.from_arrow(column))
        series = series if self._order is None else series.gather(self._order)
        if name == INDEX or not (series.dtype in {pl.String, pl.Boolean} or series.dtype.is_numeric()):
            series = series.cast(pl.String)
        if name == INDEX:
            return series.fill_null("")
        return series.fill_nan(None) if series.dtype.is_float() else series
