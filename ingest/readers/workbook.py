"""Sheets of Excel workbooks (.xlsx), as supplements are published: one becomes delimited text, and is read as that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from featurestore.errors import FeatureStoreError
from ingest.reader import BLOCK_BYTES, DenseBlock, Integers, Peek
from ingest.readers.columns import Describes, none_describes
from ingest.readers.one_matrix import refuse_name
from ingest.readers.sheets import is_workbook, sheet_text
from ingest.readers.table import GenesIn, TableReader


class SheetReader(TableReader):
    """An open sheet; as :class:`ingest.readers.table.TableReader`, of the text that it was written as."""

    def __init__(
        self,
        path: Path,
        sheet: str | None,
        header: int | None,
        genes_in: GenesIn = "columns",
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="sheet-")
        try:
            text = sheet_text(path, Path(self._folder.name), sheet, header)
            with naming_sheet(text, path, sheet, header):
                super().__init__(text, genes_in, described_by, describes)
        except BaseException:
            self._folder.cleanup()
            raise
        self._naming = partial(naming_sheet, text, path, sheet, header)
        self.path, self.files = path, (path,)
        of_sheet = f"sheet '{sheet}', " if sheet else ""
        self.format = f"{WorkbookFormat.name} ({of_sheet}genes in {genes_in})"

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the values; what is wrong is told of the sheet, as below."""
        with self._naming():
            yield from super().blocks(block_bytes)

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some rows and genes."""
        with self._naming():
            yield from super().selected(rows, genes, block_bytes)

    def peek(self, n_values: int) -> Peek:
        """Read the beginning."""
        with self._naming():
            return super().peek(n_values)

    def close(self) -> None:
        """Remove the text."""
        super().close()
        self._folder.cleanup()


class WorkbookFormat:
    """Excel workbooks."""

    name: ClassVar[str] = "xlsx"
    takes: ClassVar[frozenset[str]] = frozenset({"genes_in", "described_by", "sheet", "header"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is a workbook."""
        return path.is_file() and is_workbook(path)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        matrix: str | None = None,
        sheet: str | None = None,
        header: int | None = None,
        genes_in: GenesIn = "columns",
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> SheetReader:
        """Open a sheet; ``genes_in``, ``described_by`` and ``describes`` as of a table of text."""
        refuse_name(cls.name, path, matrix)
        return SheetReader(path, sheet, header, genes_in, described_by, describes)


@contextmanager
def naming_sheet(text: Path, path: Path, sheet: str | None, header: int | None = None) -> Iterator[None]:
    """Let errors about the text that a sheet was written as name the workbook and the sheet.

    Parameters
    ----------
    text
        The text.
    path, sheet, header
        As of :func:`ingest.readers.sheets.sheet_text`.
    """
    try:
        yield
    except FeatureStoreError as error:
        named = f"{path}" + (f", sheet '{sheet}'" if sheet else "") + (f" from its row {header}" if header else "")
        told = {name: getattr(error, name).replace(str(text), named) for name in ("where", "expected", "got", "do")}
        FeatureStoreError.__init__(error, error.what, **told)
        raise
