"""From a sheet of an Excel workbook to delimited text: what a cell holds, and which sheet is meant.

What a cell holds is written as it is, numbers with all their digits, and what a spreadsheet made a date as it shows it.
Formulas count with the values that were saved. openpyxl reads them; no code of a workbook is run.
"""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from featurestore.errors import SourceFormatError, did_you_mean, first_of
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import BOMB_BYTES, BOMB_RATIO

ZIP = b"PK\x03\x04"
BOOK = "xl/workbook.xml"
MOST_BYTES = 2**31
"""Of XML in a workbook; a full sheet of a million rows takes a part of it."""
ERROR = "e"
"""What openpyxl calls the type of a cell such as ``#N/A``."""
DAY, MONTH = "d", "m"
BREAKS = str.maketrans("\r\n\t", "   ")


def is_workbook(path: Path) -> bool:
    """Say whether the content is a workbook."""
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP)) != ZIP:
                return False
        with zipfile.ZipFile(path) as archive:
            return BOOK in archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def sheets_of(path: Path) -> list[str]:
    """List the names of the sheets that hold cells, in order.

    Raises
    ------
    SourceFormatError
        The file is damaged, or holds more than a workbook can.
    """
    with _opened(path) as book:
        return [sheet.title for sheet in book.worksheets]


def sheet_text(path: Path, folder: Path, sheet: str | None = None, header: int | None = None) -> Path:
    """Write a sheet as text with tabs into a folder, and return its path, called as the workbook and the sheet.

    Parameters
    ----------
    path
        The workbook.
    folder
        Where to write.
    sheet
        Its name; None where there is one.
    header
        The row of its header, counted from 1; what is above is left out. None where the table tells itself.

    Raises
    ------
    SourceFormatError
        There is no such sheet, or nothing tells which of several; or it is damaged.
    """
    with _opened(path) as book:
        names = [each.title for each in book.worksheets]
        if sheet is None and len(names) != 1:
            raise SourceFormatError(
                "the workbook has several sheets" if names else "the workbook has no sheet",
                where=str(path),
                expected="one, or its name",
                got=first_of([repr(name) for name in names], 20),
                do='name the one that is meant: sheet = "..." under [dataset]',
            )
        name = names[0] if sheet is None else sheet
        if name not in names:
            raise SourceFormatError(f"there is no sheet '{name}'", where=str(path), do=did_you_mean(name, names))
        target = folder / f"{''.join(sign if sign.isalnum() else '_' for sign in f'{path.stem} {name}')}.tsv"
        most = max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size)
        worksheet = book[name]
        worksheet.reset_dimensions()
        with _telling_damage(path, f"the sheet '{name}'"):
            rows = (_fields(row) for row in worksheet.iter_rows(min_row=header or 1))
            width, is_whole = _write(rows, target.with_suffix(".part"), most)
            if not (is_whole and _pad(target.with_suffix(".part"), target, width, most)):
                raise SourceFormatError(
                    "a small workbook holds more than a sheet can",
                    where=f"{path}, sheet '{name}'",
                    expected=f"at most {most:,} bytes of text",
                    do="fetch the file again and compare its size and checksum with the publisher's",
                )
    return target


def _write(rows: Iterator[list[str]], path: Path, most: int) -> tuple[int, bool]:
    """Write rows as they are; return the width of the widest, and whether they were all written.

    Footnotes are left out: rows of one cell below an empty one, with nothing wider after them.
    """
    width = n_empty = n_bytes = 0
    notes: list[tuple[int, list[str]]] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, delimiter="\t", lineterminator="\n").writerow
        for row in rows:
            if not any(row):
                n_empty += 1
                continue
            width, n_bytes = max(width, len(row)), n_bytes + n_empty + sum(map(len, row)) + len(row)
            if n_bytes > most:
                return width, False
            if len(row) == 1 < width and (n_empty or notes):
                notes.append((n_empty, row))
            else:
                for n_before, written in [*notes, (n_empty, row)]:
                    file.write("\n" * n_before)
                    write(written)
                notes = []
            n_empty = 0
    return width, True


def _pad(written: Path, target: Path, width: int, most: int) -> bool:
    """Write lines again, all of one width, as cells at their end are not stored; say whether there was room."""
    with written.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as padded:
        n_bytes = 0
        for line in file:
            text = line.rstrip("\n")
            text += "\t" * (width - 1 - text.count("\t")) if text else ""
            n_bytes += len(text) + 1
            if n_bytes > most:
                return False
            padded.write(f"{text}\n")
    written.unlink()
    return True


class _opened:  # noqa: N801
    """A workbook, open for reading row by row."""

    def __init__(self, path: Path) -> None:
        _refuse_bomb(path)
        try:
            import openpyxl  # noqa: PLC0415, an extra
        except ImportError:
            raise SourceFormatError(
                "Excel workbooks are read by openpyxl, which is not installed",
                where=str(path),
                do="pip install 'perturbation-featurestore[excel]', or save the sheet as CSV",
            ) from None
        self._file = path.open("rb")  # openpyxl leaves its own open where a workbook is damaged
        try:
            with _telling_damage(path, "the workbook"):
                self._book = openpyxl.load_workbook(self._file, read_only=True, data_only=True, keep_links=False)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Any:
        return self._book

    def __exit__(self, *_: object) -> None:
        self._book.close()
        self._file.close()


@contextmanager
def _telling_damage(path: Path, place: str) -> Iterator[None]:
    """Tell damage as every reader does; of XML, what is not well-formed is a SyntaxError, what lacks a part another."""
    with telling_damage(path, place):
        try:
            yield
        except (AttributeError, SyntaxError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error


def _refuse_bomb(path: Path) -> None:
    """Refuse a workbook that would fill the memory; what is read of it is never more than it says.

    Raises
    ------
    SourceFormatError
        It is one, or no archive.
    """
    with _telling_damage(path, "the archive"), zipfile.ZipFile(path) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    most = min(MOST_BYTES, max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size))
    if n_bytes > most:
        raise SourceFormatError(
            "a small workbook holds more than a workbook can",
            where=str(path),
            expected=f"at most {most:,} bytes in {path.stat().st_size:,}",
            got=f"{n_bytes:,} bytes",
            do="fetch the file again and compare its size and checksum with the publisher's",
        )


def _fields(row: Sequence[Any]) -> list[str]:
    """Write the cells of a row, those aside that are empty at its end."""
    fields = [_field(cell) for cell in row]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _field(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == ERROR:
        return "NA"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, dt.datetime):
        return _shown(value, str(cell.number_format).lower())
    return str(value).translate(BREAKS).strip()


def _shown(value: dt.datetime, shown: str) -> str:
    """Write a date as a spreadsheet shows it: 2-Sep, which may have been a gene, or in full."""
    month = value.strftime("%b")
    if "yy" not in shown and DAY in shown and MONTH in shown:
        return f"{value.day}-{month}"
    if DAY not in shown and MONTH in shown:
        return f"{month}-{value:%y}"
    return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
