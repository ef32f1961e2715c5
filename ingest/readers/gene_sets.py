"""Gene sets as long tables, a line for each set and gene: GMT, and the JSON of CREEDS.

A set of genes that went up and one of those that went down are told apart by ``direction``, 1 and -1. What is in
neither of them is not known to have stayed.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import SourceFormatError
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import open_text, text_lines, whole_text

DIRECTION = re.compile(r"(?i)[-_ ](up|dn|down)$")
UP = {"up": 1, "dn": -1, "down": -1}
FEWEST_FIELDS = 3
SIDES = {"up_genes": 1, "down_genes": -1}


def read_gmt(path: Path) -> pl.DataFrame:
    """Read a GMT file: name, description and genes on each line; ``-up`` or ``_DN`` at the end of a name is its side.

    Returns
    -------
    ``set`` (the name without its side), ``description``, ``direction`` (null where a name has no side), ``gene``.

    Raises
    ------
    SourceFormatError
        A line has no genes.
    """
    rows: list[tuple[str, str, int | None, str]] = []
    with telling_damage(path, "the text"), open_text(path) as file:
        for number, raw in enumerate(text_lines(file, path), start=1):
            fields = decode(raw.rstrip(b"\r\n")).split("\t")
            if not any(fields):
                continue
            if len(fields) < FEWEST_FIELDS:
                raise SourceFormatError(
                    "a line is not a gene set",
                    where=f"line {number} of {path}",
                    expected="a name, a description and genes, separated by tabs",
                    got=repr("\t".join(fields)[:60]),
                )
            name, description, *genes = fields
            side = DIRECTION.search(name)
            direction = UP[side[1].lower()] if side else None
            stem = name[: side.start()] if side else name
            rows += [(stem, description, direction, gene.split(",")[0].strip()) for gene in genes if gene.strip()]
    return pl.DataFrame(rows, ["set", "description", "direction", "gene"], orient="row")


def read_creeds(path: Path) -> pl.DataFrame:
    """Read the JSON of CREEDS: a record a comparison, with the genes that went up and down and their weights.

    Returns
    -------
    Every field of the records, lists joined by ``|``, and ``gene``, ``direction`` and ``weight``.

    Raises
    ------
    SourceFormatError
        The text is not a list of such records.
    """
    with telling_damage(path, "the JSON"):
        records = json.loads(whole_text(path))
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise SourceFormatError("the JSON is not a list of records", where=str(path), expected="a list of comparisons")
    lines = [line for number, record in enumerate(records) for line in _lines(record, number, path)]
    return pl.DataFrame(lines, infer_schema_length=None)


def _lines(record: dict[str, Any], number: int, path: Path) -> list[dict[str, Any]]:
    if not SIDES.keys() & record.keys():
        raise SourceFormatError(
            "a record has no genes",
            where=f"record {number} of {path}",
            expected=" or ".join(SIDES),
            got=", ".join(record),
        )
    described: dict[str, Any] = {key: _plain(value) for key, value in record.items() if key not in SIDES}
    lines = []
    for side, direction in SIDES.items():
        listed = record.get(side, [])
        for given in listed if isinstance(listed, list) else [listed]:
            gene, weight = _gene(given, f"'{side}' of record {number} of {path}")
            lines.append(described | {"gene": gene, "direction": direction, "weight": weight})
    return lines


def _gene(given: Any, place: str) -> tuple[str, float | None]:
    """Take apart a symbol, or a symbol and its weight."""
    with contextlib.suppress(ValueError, OverflowError):
        match given:
            case str():
                return given, None
            case [str() as gene, (int() | float() | str()) as weight]:
                return gene, float(weight)
    raise SourceFormatError(
        "a gene is not as CREEDS writes it",
        where=place,
        expected='"SYMBOL" or ["SYMBOL", weight]',
        got=repr(given)[:60],
    )


def _plain(value: Any) -> str | None:
    if isinstance(value, list):
        return "|".join(map(str, value))
    return None if value is None else str(value)
