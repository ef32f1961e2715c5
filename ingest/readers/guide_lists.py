"""Dictionaries of guides beside a Matrix Market file, as Dixit et al. 2016: on each line a guide, and all its cells.

``cbc_gbc_dict.csv`` becomes a column ``guides`` of the cells, ``cbc_gbc_dict_strict.csv`` one called ``guides_strict``;
the guides of a cell that has several are joined by ``|``.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from featurestore.errors import SourceFormatError
from ingest.readers.barcodes import as_published
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import whole_text

NAME = re.compile(r"(?P<prefix>.*?)cbc_gbc_dict(?P<kind>\w*)\.(csv|tsv|txt)(\.gz)?", re.IGNORECASE)
GUIDES = "guides"
GUIDE, CELL = "guide", "cell"
BETWEEN = "|"


def guide_lists(path: Path) -> dict[str, Path]:
    """Find the dictionaries of a matrix, those with the longest prefix of its name, by the column that each becomes."""
    matches = [(NAME.fullmatch(entry.name), entry) for entry in sorted(path.parent.iterdir())]
    found = [(match, entry) for match, entry in matches if match and begins_with(path.name, match["prefix"])]
    longest = max((len(match["prefix"]) for match, _ in found), default=0)
    return {f"{GUIDES}{match['kind'].lower()}": entry for match, entry in found if len(match["prefix"]) == longest}


def begins_with(name: str, prefix: str) -> bool:
    """Say whether a matrix has the prefix of a table, or is called after it: ``GSM1.mtx`` of ``GSM1_cellnames.csv``."""
    return name.startswith((prefix, f"{prefix.rstrip('_-.')}."))


def guides_of(cells: pl.Series, path: Path) -> pl.Series:
    """Read which guides a dictionary gives to each cell; null for a cell that it does not have.

    Either the first column or the second is of guides, whichever way round cells are found.

    Raises
    ------
    SourceFormatError
        The table has other than two columns, or none of the cells.
    """
    lines = _read(path)
    for guide, cell in (lines.columns, reversed(lines.columns)):
        pairs = lines.select(pl.col(guide).alias(GUIDE), pl.col(cell).str.split(",").alias(CELL)).explode(CELL)
        pairs = pairs.with_columns(pl.col(GUIDE, CELL).str.strip_chars()).unique(maintain_order=True)
        pairs = pairs.with_columns(as_published(pairs[CELL], cells)).filter(pl.col(CELL).is_in(cells.implode()))
        if pairs.height:
            joined = pairs.group_by(CELL, maintain_order=True).agg(pl.col(GUIDE).str.join(BETWEEN))
            table = cells.alias(CELL).to_frame().join(joined, on=CELL, how="left", maintain_order="left")
            return table[GUIDE]
    raise SourceFormatError(
        "a dictionary of guides has none of the cells",
        where=str(path),
        expected=f"cells such as {cells.head(1).to_list()}, separated by commas, beside each guide",
        got=", ".join(f"{text[:40]!r}" for text in lines.row(0) if text is not None) if lines.height else "no line",
        do="give it and its matrix a common prefix, or take it out of the folder",
    )


def _read(path: Path) -> pl.DataFrame:
    """Read all lines as text, of which none is a header: that would be a guide without a cell."""
    with telling_damage(path, "the dictionary of guides"):
        content = decode(whole_text(path)).encode()
        separator = "\t" if b"\t" in content.split(b"\n", 1)[0] else ","
        lines = pl.read_csv(content, has_header=False, separator=separator, infer_schema=False, glob=False)
    if lines.width != 2:  # noqa: PLR2004
        raise SourceFormatError(
            "a dictionary of guides has other than two columns",
            where=str(path),
            expected='guide,"cell, cell" on each line',
            got=f"{lines.width:,} columns",
            do="fetch it again, or take it out of the folder",
        )
    return lines
