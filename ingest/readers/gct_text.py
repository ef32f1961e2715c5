"""The text of a GCT file: a header with the metadata of the signatures, then a line per gene.

Version 1.3: the sizes are genes, signatures, gene fields, signature fields; each signature field is a line that
precedes the genes. Version 1.2: genes and signatures only, and a description beside each gene's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv

from featurestore.errors import SourceFormatError
from ingest.reader import INDEX
from ingest.readers.columns import MISSING, as_text, decode, titles, typed, without_missing
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import BYTE_ORDER_MARK, open_for_arrow, open_text, text_line

SIZES = {b"#1.2": ("genes", "signatures"), b"#1.3": ("genes", "signatures", "gene fields", "signature fields")}
"""What the second line counts, by version."""
KEY = "id"
MISSING_NUMBERS = ["", "NA", "na", "N/A", "NaN", "nan", "null"]
MISSING_WORDS = ["NA", "na", "NaN", "nan"]
ESCAPED_BYTE = re.compile(rb"<([89a-f][0-9a-f])>")
"""How R writes a byte that it takes for no character: the micro sign of Latin-1 becomes ``<b5>``."""
TEXT_BYTES = 2**22
LINES_AT_ONCE = 8
"""How many lines at least are parsed at a time."""


@dataclass(frozen=True, slots=True)
class GctHeader:
    """What precedes the genes: the sizes, the table of signatures, and the names of the gene fields."""

    n_genes: int
    gene_fields: list[str]
    signatures: pl.DataFrame
    n_lines: int
    n_bytes: int
    line_bytes: int
    """Length of the longest line of the header, a measure for those that follow."""


def read_header(path: Path) -> GctHeader:
    """Read all that precedes the genes.

    Raises
    ------
    SourceFormatError
        The sizes are not given, or a line has another number of fields than they say.
    """
    with telling_damage(path, "the header"), open_text(path) as file:
        version = text_line(file, path).removeprefix(BYTE_ORDER_MARK).strip()
        n_genes, n_signatures, n_gene_fields, n_fields = _sizes(path, version, text_line(file, path))
        lines = [_fields(path, file, at, 1 + n_gene_fields + n_signatures) for at in range(3, 4 + n_fields)]
        n_bytes = file.tell()
    first = 1 + n_gene_fields
    names = [decode(line[0]) for line in lines[1:]]
    signatures = metadata_table(as_text(lines[0][first:]), names, [line[first:] for line in lines[1:]])
    longest = max(sum(map(len, line)) + len(line) for line in lines)
    return GctHeader(n_genes, [decode(raw) for raw in lines[0][1:first]], signatures, 3 + n_fields, n_bytes, longest)


def read_genes(path: Path, header: GctHeader) -> Iterator[tuple[list[list[bytes]], npt.NDArray[np.float64]]]:
    """Stream the genes: their key and fields, a column each, and their values of shape (signatures, genes).

    Raises
    ------
    SourceFormatError
        The file is damaged, or has another number of genes than it says.
    """
    described = [f"field {at}" for at in range(1 + len(header.gene_fields))]
    values = [f"signature {at}" for at in range(header.signatures.height)]
    place = f"the genes, after line {header.n_lines},"
    expected = f"{len(described)} fields of the gene and {len(values):,} numbers on each line"
    with telling_damage(path, place, expected=expected):
        batches = pyarrow.csv.open_csv(
            open_for_arrow(path, header.n_bytes),
            pyarrow.csv.ReadOptions(
                column_names=described + values,
                block_size=max(TEXT_BYTES, LINES_AT_ONCE * header.line_bytes),
            ),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(described, pa.binary()) | dict.fromkeys(values, pa.float64()),
                null_values=MISSING_NUMBERS,
                strings_can_be_null=False,
            ),
        )
    n_read = 0
    while True:
        with telling_damage(path, place, expected=expected):
            try:
                batch = batches.read_next_batch()
            except StopIteration:
                break
        n_read += len(batch)
        numbers = np.empty((len(values), len(batch)))
        for at, name in enumerate(values):
            numbers[at] = batch.column(name).to_numpy(zero_copy_only=False)
        numbers[numbers == MISSING] = np.nan
        yield [batch.column(name).to_pylist() for name in described], numbers
    if n_read != header.n_genes:
        raise SourceFormatError(
            "the file does not hold as many genes as it says",
            where=str(path),
            expected=f"{header.n_genes:,} genes, by line 2",
            got=f"{n_read:,}",
            do="fetch the file again: it was cut off or overwritten",
        )


def metadata_table(key: pl.Series, names: list[str], fields: list[list[bytes]]) -> pl.DataFrame:
    """Make the table of an axis; a field ``id`` that repeats the key is left out, as GCTX has it once."""
    columns = {INDEX: key}
    for name, title, field in zip(names, titles(names), fields, strict=True):
        column = _metadata(field)
        if name != KEY or not column.cast(pl.String).equals(key):
            columns[title] = column
    return pl.DataFrame(columns)


def _metadata(raw: list[bytes]) -> pl.Series:
    """Read a field: numbers where all of it is numbers, null where it is missing."""
    text = as_text([ESCAPED_BYTE.sub(_byte, value.strip()) for value in raw])
    return typed(without_missing(text.set(text.is_in(MISSING_WORDS), None)))


def _byte(escaped: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escaped[1].decode())


def _sizes(path: Path, version: bytes, line: bytes) -> tuple[int, int, int, int]:
    names = SIZES.get(version)
    numbers = line.split()
    if names is None or len(numbers) < len(names) or not all(number.isdigit() for number in numbers):
        raise SourceFormatError(
            "the sizes of the matrix are not given",
            where=f"the first two lines of {path}",
            expected="#1.2 or #1.3, then the numbers of genes and signatures and, in #1.3, of their fields",
            got=f"{decode(version[:40])!r}, then {decode(line[:40].strip())!r}",
            do="fetch the file again, or save it as GCT 1.3",
        )
    genes, signatures, *fields = map(int, numbers[: len(names)])
    return (genes, signatures, fields[0], fields[1]) if fields else (genes, signatures, 1, 0)


def _fields(path: Path, file: BinaryIO, number: int, n_expected: int) -> list[bytes]:
    fields = text_line(file, path).rstrip(b"\r\n").split(b"\t")
    if len(fields) != n_expected:
        raise SourceFormatError(
            "a line has another number of fields than line 2 says",
            where=f"line {number} of {path}",
            expected=f"{n_expected:,} fields, separated by tabs",
            got=f"{len(fields):,}",
            do="fetch the file again, or save it as GCT 1.3",
        )
    return fields
