"""Tables as R's ``write.table`` leaves them: separated by spaces or tabs, text in quotes, row names without a title."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import polars as pl

from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import whole_text

MISSING = ["", "NA"]
ROW_NAME = ""
"""What the column of row names is called."""


def read_r_table(path: Path, titles: Collection[str]) -> pl.DataFrame:
    """Read a table as text, missing values as null.

    Parameters
    ----------
    path
        Plain or gzip.
    titles
        Words of which a header holds one at least. A table without a header has columns ``column_1``, ...

    Raises
    ------
    SourceFormatError
        It is damaged.
    """
    with telling_damage(path, "the table"):
        text = decode(whole_text(path))
        first, second = (line.rstrip("\r") for line in [*text.split("\n", 2), ""][:2])
        separator = "\t" if "\t" in first else " "
        fields, following = (next(csv.reader([line], delimiter=separator), []) for line in (first, second))
        is_headed = not set(fields).isdisjoint(titles)
        names = fields if is_headed else [f"column_{at + 1}" for at in range(len(fields))]
        if is_headed and len(following) == len(fields) + 1:
            names = [ROW_NAME, *names]
        return pl.read_csv(
            text.encode(),
            has_header=False,
            skip_lines=int(is_headed),
            separator=separator,
            schema=dict.fromkeys(names, pl.String()),
            null_values=MISSING,
            glob=False,
        )
