"""Which gene a transcript is of, by a table of both (tx2gene) or the annotation itself (GTF), and counts summed so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import scipy  # its modules load when they are first used

from featurestore.errors import SourceFormatError
from ingest.reader import (
    BLOCK_BYTES,
    INDEX,
    Block,
    CsrBlock,
    DenseBlock,
    MayLackKey,
    Reader,
    described_columns,
)
from ingest.readers.columns import as_text
from ingest.readers.damage import telling_damage
from ingest.readers.delimited import split
from ingest.readers.plain_text import BYTE_ORDER_MARK, open_text, refuse_bomb, text_lines

TRANSCRIPT, GENE, SYMBOL = "transcript", "gene", "gene_name"
TITLES = {
    TRANSCRIPT: {"transcript", "transcript_id", "txname", "tx", "tx_id", "target_id", "enst", "ensembl_transcript_id"},
    GENE: {"gene", "gene_id", "geneid", "ens_gene", "ensg", "ensembl_gene_id"},
    SYMBOL: {"gene_name", "gene_symbol", "symbol", "ext_gene", "external_gene_name", "hgnc_symbol"},
}
"""What headers call the columns, in lower case; without a header they come in this order."""
VERSION = r"\.\d+$"
WITHIN_NAME = "|"
"""What parts the names of GENCODE's FASTA, of which the first is the transcript."""
GTF_FIELDS = 9
FEATURES = (b"transcript", b"exon")
"""Lines of a GTF that name a transcript and its gene: of the first kind, or else of the second."""
ATTRIBUTE = {
    TRANSCRIPT: re.compile(rb'transcript_id "([^"]+)"'),
    GENE: re.compile(rb'gene_id "([^"]+)"'),
    SYMBOL: re.compile(rb'gene_name "([^"]+)"'),
}
VERSION_OF = {key: re.compile(rb'%s_version "(\d+)"' % key.encode()) for key in (TRANSCRIPT, GENE)}


class GenesOfTranscripts:
    """A reader whose counts of transcripts are summed to genes; transcripts without a gene keep their name.

    Parameters
    ----------
    reader
        What was opened.
    path
        The table or annotation.
    """

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader, self.transcripts = reader, path
        self.path, self.n_rows = reader.path, reader.n_rows
        self.files = (*reader.files, path)
        self.format = reader.format
        self.described = described_columns(reader)
        self.has_key = reader.has_key if isinstance(reader, MayLackKey) else True
        of_column = _genes_of(reader.genes()[INDEX], read_transcripts(path), reader.path, path)
        self._genes = of_column.select(GENE, SYMBOL).unique(GENE, maintain_order=True)
        self.n_transcripts, self.n_genes = of_column.height, self._genes.height
        places = self._genes.select(GENE, at=pl.int_range(pl.len()))
        at = of_column.join(places, on=GENE, how="left", maintain_order="left")["at"].to_numpy()
        ones = np.ones(at.size, np.int64)
        self._sum = scipy.sparse.csr_array((ones, (np.arange(at.size), at)), shape=(at.size, self.n_genes))

    def row_columns(self) -> list[str]:
        """Names of the row table's columns."""
        return self._reader.row_columns()

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table, or some of its columns."""
        return self._reader.rows(columns)

    def genes(self) -> pl.DataFrame:
        """Give the genes, with their symbols where the table has them."""
        named = self._genes.rename({GENE: INDEX})
        return named if named[SYMBOL].null_count() < named.height else named.drop(SYMBOL)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix, summed.

        Raises
        ------
        SourceFormatError
            It is stored by column, so that transcripts of a gene do not come together.
        """
        for block in self._reader.blocks(block_bytes):
            if isinstance(block, DenseBlock):
                yield DenseBlock(block.start, np.asarray(block.values @ self._sum))
            elif isinstance(block, CsrBlock):
                yield self._summed(block)
            else:
                raise SourceFormatError(
                    "transcripts that are stored by column cannot be summed",
                    where=str(self.path),
                    expected="a matrix by row",
                    do="write it by row, as csr, or with counts of genes",
                )

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _summed(self, block: CsrBlock) -> CsrBlock:
        shape = (len(block.indptr) - 1, self.n_transcripts)
        rows = scipy.sparse.csr_array((block.data, block.indices, block.indptr), shape=shape) @ self._sum
        return CsrBlock(block.start, rows.indptr, rows.indices, rows.data)


def read_transcripts(path: Path) -> pl.DataFrame:
    """Read which gene each transcript is of: columns transcript, gene, and gene_name, null where it is not given.

    Raises
    ------
    SourceFormatError
        The file tells no transcripts, or two genes of one.
    """
    refuse_bomb(path)
    with telling_damage(path, "the table of transcripts"):
        found = _of_annotation(path) if _is_gtf(path) else _of_table(path)
    table = pl.DataFrame({key: as_text(found[key]) for key in TITLES}).with_columns(
        pl.when(pl.col(SYMBOL) != "").then(pl.col(SYMBOL)).alias(SYMBOL)
    )
    table = table.filter((pl.col(TRANSCRIPT) != "") & (pl.col(GENE) != "")).unique(maintain_order=True)
    twice = table.unique([TRANSCRIPT, GENE]).filter(pl.col(TRANSCRIPT).is_duplicated())
    if table.is_empty() or twice.height:
        raise SourceFormatError(
            "a transcript is of two genes" if twice.height else "the file names no transcripts and their genes",
            where=str(path),
            expected="a GTF, or a table of transcripts and genes, one line each",
            got=f"{twice[TRANSCRIPT][0]}: {', '.join(twice.head(2)[GENE])}" if twice.height else "",
            do="give the annotation that the index was made of",
        )
    return table.unique(TRANSCRIPT, maintain_order=True)


def _is_gtf(path: Path) -> bool:
    with open_text(path) as file:
        line = next((line for line in text_lines(file, path) if not line.startswith(b"#")), b"")
    fields = line.split(b"\t")
    return len(fields) == GTF_FIELDS and b'gene_id "' in fields[-1]


def _of_annotation(path: Path) -> dict[str, list[bytes]]:
    """Take transcripts out of a GTF, with their versions where those are attributes of their own, as Ensembl has it."""
    found: dict[bytes, dict[bytes, tuple[bytes, ...]]] = {feature: {} for feature in FEATURES}
    with open_text(path) as file:
        for line in text_lines(file, path):
            feature = line.split(b"\t", 3)[2:3]
            if feature and feature[0] in found and (named := _attributes(line)) is not None:
                found[feature[0]].setdefault(named[0], named)
    lines = list((found[FEATURES[0]] or found[FEATURES[1]]).values())
    return {key: [line[at] for line in lines] for at, key in enumerate(TITLES)}


def _attributes(line: bytes) -> tuple[bytes, ...] | None:
    values = []
    for key, pattern in ATTRIBUTE.items():
        match = pattern.search(line)
        if match is None and key != SYMBOL:
            return None
        version = VERSION_OF[key].search(line) if key in VERSION_OF else None
        values.append((match[1] if match else b"") + (b"." + version[1] if version else b""))
    return tuple(values)


def _of_table(path: Path) -> dict[str, list[bytes]]:
    with open_text(path) as file:
        lines = [line.rstrip(b"\r\n") for line in text_lines(file, path) if line.strip()]
    lines[:1] = [line.removeprefix(BYTE_ORDER_MARK) for line in lines[:1]]
    first = lines[0] if lines else b""
    separator = next((each for each in (b"\t", b",", b";", b" ") if each in first), b"\t")
    rows = [[field.strip(b' "') for field in split(line, separator)] for line in lines]
    header = [field.decode("latin-1").lower() for field in rows[0]] if rows else []
    named = {key: next((at for at, name in enumerate(header) if name in known), None) for key, known in TITLES.items()}
    is_headed = named[TRANSCRIPT] is not None and named[GENE] is not None
    places: dict[str, int | None] = named if is_headed else {key: at for at, key in enumerate(TITLES)}
    body = rows[int(is_headed) :]
    return {key: [_field(row, places[key]) for row in body] for key in TITLES}


def _field(row: list[bytes], at: int | None) -> bytes:
    return row[at] if at is not None and at < len(row) else b""


def _genes_of(keys: pl.Series, table: pl.DataFrame, path: Path, source: Path) -> pl.DataFrame:
    """Find the gene of each column: gene, which is the column itself where it has none, and gene_name.

    Versions of transcripts are left aside where not one is the same.

    Raises
    ------
    SourceFormatError
        None of them is in the table.
    """
    columns = pl.DataFrame({INDEX: keys, TRANSCRIPT: keys.str.split(WITHIN_NAME).list.first()})
    if not columns[TRANSCRIPT].is_in(table[TRANSCRIPT].implode()).any():
        columns, table = (each.with_columns(pl.col(TRANSCRIPT).str.replace(VERSION, "")) for each in (columns, table))
        table = table.unique(TRANSCRIPT, keep="none")
    joined = columns.join(table, on=TRANSCRIPT, how="left", maintain_order="left")
    if joined[GENE].null_count() == joined.height:
        raise SourceFormatError(
            "no transcript of the matrix is in the table of transcripts",
            where=f"{path}, by {source}",
            expected=f"such as {', '.join(map(repr, table[TRANSCRIPT].head(2)))}",
            got=", ".join(map(repr, keys.head(2))),
            do="give the annotation that the index was made of",
        )
    return joined.select(pl.coalesce(GENE, INDEX).alias(GENE), SYMBOL)
