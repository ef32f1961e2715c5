"""Look at tables that are not text, by the text that they are written as: sheets of a workbook, a data frame of R."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from featurestore.errors import FeatureStoreError, SourceFormatError, first_of
from ingest.inspection.inspection import Inspection
from ingest.readers.header import is_table, read_header
from ingest.readers.r_matrix import RFormat
from ingest.readers.r_objects import is_frame, read_r, saved_frame
from ingest.readers.sheets import sheet_text, sheets_of
from ingest.readers.table import TableFormat
from ingest.readers.workbook import WorkbookFormat, naming_sheet

MOST_SHEETS = 60
TABLE, R_OBJECT = TableFormat.name, RFormat.name


def inspect_workbook(path: Path, inspect: Callable[[Path], Inspection]) -> Inspection:
    """Look at each sheet as a table of text, and give what is told of the likeliest.

    Results with a row for each condition and gene come before matrices, and of several the one with most rows.

    Parameters
    ----------
    path
        The workbook.
    inspect
        Looks at a file of text.

    Raises
    ------
    SourceFormatError
        No sheet holds a table of numbers.
    """
    sheets = sheets_of(path)
    looked = [(name, _inspected(path, name, inspect)) for name in sheets[:MOST_SHEETS]]
    found = [(name, each) for name, each in looked if isinstance(each, tuple)]
    if not found and len(sheets) == 1 and isinstance(looked[0][1], FeatureStoreError):
        raise looked[0][1]
    if not found:
        raise SourceFormatError(
            "no sheet of the workbook holds a table of numbers",
            where=str(path),
            expected="a header with rows of as many fields below it",
            got=f"sheets {first_of(sheets, 12)}",
            do="save the table as a sheet of its own, or as CSV",
        )
    name, (header, best) = max(found, key=lambda each: _likeliness(each[1][1]))
    return replace(
        best,
        path=path,
        files=(path,),
        format=_format(best.format, name if len(sheets) > 1 else None),
        n_bytes=path.stat().st_size,
        family=(),
        sheet=name,
        header=header,
        sheets=tuple(sheets),
    )


def _format(form: str, sheet: str | None) -> str:
    """Name the format as the reader of sheets does, or say what is listed in one."""
    of_sheet = f"sheet '{sheet}', " if sheet else ""
    return (
        form.replace(f"{TABLE} (", f"{WorkbookFormat.name} ({of_sheet}", 1)
        if form.startswith(TABLE)
        else (f"{WorkbookFormat.name}, {of_sheet}{form}")
    )


def _likeliness(found: Inspection) -> tuple[bool, int]:
    return found.table is not None, found.n_rows * found.n_genes


def inspect_frame(path: Path, inspect: Callable[[Path], Inspection]) -> Inspection | None:
    """Look at the one data frame that R saved as a table of text; None where it saved a matrix.

    Parameters
    ----------
    path
        What R saved.
    inspect
        Looks at a file of text.

    Raises
    ------
    SourceFormatError
        It is damaged, an object of a package, or there are several.
    """
    _, value, _ = read_r(path)
    if not is_frame(value):
        return None
    with TemporaryDirectory(prefix="frame-") as folder:
        found = inspect(saved_frame(path, Path(folder)))
    form = found.format.replace(f"{TABLE} (", f"{R_OBJECT} (data.frame, ", 1)
    form = form if found.format.startswith(TABLE) else f"{R_OBJECT}, {form}"
    return replace(found, path=path, files=(path,), format=form, n_bytes=path.stat().st_size, family=())


def _inspected(
    path: Path, name: str, inspect: Callable[[Path], Inspection]
) -> tuple[int, Inspection] | FeatureStoreError | None:
    """Look at one sheet; None where it is no table, the error where it is one that cannot be read.

    Also give the row of its header.
    """
    with TemporaryDirectory(prefix="sheet-") as folder:
        text = sheet_text(path, Path(folder), name)
        try:
            with naming_sheet(text, path, name):
                return (read_header(text).n_before, inspect(text)) if is_table(text) else None
        except FeatureStoreError as error:
            return error
