"""Tables of text with a row for each condition and gene, as DuckDB reads them: by the header that is really there.

R writes row names under no name at all, under an empty one, and between blanks; DuckDB would take the first line of
values for names, or move each name by a column. So the names are told beforehand, the same for all who ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from featurestore.storage.addresses import plain_path
from ingest.readers.header import read_header
from ingest.readers.plain_text import is_gzip
from ingest.readers.text_numbers import MISSING

FILE = "file"
"""The column that holds the name of the file, for SQL over several."""
ROW_NAMES = "row_names"
"""What a first column without a name is called: R and pandas write there what they call their lines."""
TYPES = ("BIGINT", "DOUBLE", "VARCHAR")
"""What a column of text may be read as: yes and no, dates and times stay the text that was published."""
NULLS = sorted(word.decode() for word in MISSING)


def csv_source(path: Path, n_sampled: int = -1) -> str:
    """Write the DuckDB expression that reads a table of text.

    Parameters
    ----------
    path
        Plain or gzip.
    n_sampled
        By how many lines to tell the type of a column; all of them where below 0.

    Raises
    ------
    SourceFormatError
        The text is no table.
    """
    table = read_header(path)
    options = {
        "header": "false",
        "skip": str(table.n_before),
        "delim": literal(table.separator.decode()),
        "quote": literal('"'),
        "escape": literal('"'),
        "comment": literal(""),
        "decimal_separator": literal(table.decimal.decode()),
        "names": _listed(column_names(table.names)),
        "nullstr": _listed(NULLS),
        "auto_type_candidates": _listed(TYPES),
        "sample_size": str(n_sampled),
    }
    if is_gzip(path):
        options["compression"] = literal("gzip")
    given = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"read_csv({literal(plain_path(str(path)))}, {given})"


def column_names(published: Iterable[str]) -> list[str]:
    """Name columns as published; one without a name, or called like one before in other case, by its place.

    Examples
    --------
    >>> column_names(["", "gene", "Gene", ""])
    ['row_names', 'gene', 'Gene_1', 'column3']
    """
    taken: set[str] = set()
    names = []
    for at, title in enumerate(published):
        name = first = title or (ROW_NAMES if at == 0 else f"column{at}")
        number = 0
        while name.lower() in taken:
            number += 1
            name = f"{first}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def literal(text: str) -> str:
    """Write a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Write the name of a column for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"
