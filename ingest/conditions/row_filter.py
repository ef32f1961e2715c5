"""Conditions of a spec on rows, ``where`` and ``control_where``: evaluated file by file, over a whole dataset."""

from __future__ import annotations

import polars as pl

from featurestore.errors import SpecError
from ingest.conditions.evaluated import evaluated
from ingest.conditions.rows import columns_of
from ingest.spec import DatasetSpec

MOST_SHOWN = 8
"""How many rows' values an error shows."""


class RowFilter:
    """``where`` or ``control_where``: a condition of the spec on rows, which has to take a row of some file."""

    def __init__(self, key: str, spec: DatasetSpec) -> None:
        self.text: str | None = getattr(spec.condition, key)
        self._key = key
        self._seen = pl.DataFrame()
        self._has_taken = self.text is None

    def take(self, rows: pl.DataFrame) -> pl.Series:
        """Evaluate it on every row; what is neither true nor false is false, and without a condition all is true.

        Raises
        ------
        SpecError
            It cannot be evaluated.
        """
        if self.text is None:
            return pl.repeat(value=True, n=rows.height, dtype=pl.Boolean, eager=True)
        taken = evaluated(rows, self.text, f"condition.{self._key}")
        if not self._has_taken and not taken.any():
            self._seen = rows.select(columns_of(self.text)).unique(maintain_order=True).head(MOST_SHOWN)
        self._has_taken = self._has_taken or bool(taken.any())
        return taken

    def require_a_row(self) -> None:
        """Refuse a condition that took no row, and show what its columns hold instead.

        Raises
        ------
        SpecError
            It took none.
        """
        if self._has_taken:
            return
        values = [
            f"'{column.name}': {', '.join(map(repr, column.unique(maintain_order=True)))}" for column in self._seen
        ]
        raise SpecError(
            f"'{self._key}' takes no row of the dataset.",
            where=self._place,
            expected="at least one row for which it is true",
            got="; ".join(values) or "no row",
            do="compare with a value as it is written there; text goes in single quotation marks",
        )

    @property
    def _place(self) -> str:
        return f"condition.{self._key}: {self.text}"
