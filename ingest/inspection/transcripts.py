"""Whether a matrix is of transcripts, and the table beside it that tells their genes."""

from __future__ import annotations

import re

from ingest.reader import INDEX, Reader
from ingest.readers.plain_text import UNREADABLE
from ingest.readers.transcripts import GenesOfTranscripts

WRITTEN = r"^(ENS[A-Z]*T\d{6,}|[NX][MR]_\d+)(\.\d+)?(\||$)"
"""How Ensembl and RefSeq write transcripts."""
CALLED = re.compile(
    r"(.*(tx2gene|t2g|transcripts?_?to_?genes?|tx_?to_?gene).*\.(txt|tsv|csv)|.*\.gtf)(\.gz)?", re.IGNORECASE
)
"""What tables of transcripts and their genes are called, and annotations."""
N_LOOKED_AT = 1000


def are_transcripts(reader: Reader) -> bool:
    """Say whether the first columns of a matrix are written as transcripts, most of them."""
    first = reader.genes()[INDEX].head(N_LOOKED_AT)
    return 2 * int(first.str.contains(WRITTEN).sum()) > first.len()


def with_genes(reader: Reader) -> Reader:
    """Sum the transcripts of a matrix by the table of their genes, where one is in its folder or the one above."""
    path = reader.path
    folders = [*([path] if path.is_dir() else []), path.parent, path.parent.parent]
    for table in (entry for folder in folders for entry in sorted(folder.iterdir()) if CALLED.fullmatch(entry.name)):
        try:
            return GenesOfTranscripts(reader, table)
        except UNREADABLE:
            continue
    return reader
