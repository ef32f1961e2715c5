"""Keys of rows as programs lengthen them: barcodes by the number of their library, samples to paths of alignments.

``AAACCCAAGA-1`` is ``AAACCCAAGA`` in many a table of cells; ``/bam/s1.sorted.bam``, as featureCounts calls a sample, is
``s1`` in its sheet.
"""

from __future__ import annotations

import polars as pl

ALIGNMENTS = (
    r"^(?:.*[/\\])?([^/\\]+?)(?:[._]?Aligned)?(?:[._](?i:sort(?:ed\w*)?|out|markdup|dedup(?:ed)?|filtered))*"
    r"\.(?:bam|sam|cram)$"
)
LENGTHENED = ((r"([ACGTN]{8,})-\d+$", "$1"), (ALIGNMENTS, "$1"))
"""Patterns of what is lengthened, and what is left of it."""


def bare(keys: pl.Expr) -> pl.Expr:
    """Write keys without what programs add to them."""
    for pattern, left in LENGTHENED:
        keys = keys.str.replace(pattern, left)
    return keys


def as_published(keys: pl.Series, published: pl.Series) -> pl.Series:
    """Write the keys of a table as those of a matrix are, where it is by what programs add that not one is the same.

    Where keys of the matrix are told apart by that alone, such as barcodes of several libraries, the others stay as
    they are.

    Examples
    --------
    >>> as_published(pl.Series(["ACGTACGT", "C"]), pl.Series(["ACGTACGT-1", "TTTTACGT-1"])).to_list()
    ['ACGTACGT-1', 'C']
    >>> as_published(pl.Series(["ctrl", "kd_1"]), pl.Series(["/bam/kd_1.sorted.bam", "ctrlAligned.out.bam"])).to_list()
    ['ctrlAligned.out.bam', '/bam/kd_1.sorted.bam']
    """
    if keys.is_in(published.implode()).any():
        return keys
    short, own = (pl.select(bare(pl.lit(each))).to_series() for each in (published, keys))
    is_found = own.is_in(short.implode())
    return keys if short.is_duplicated().any() or not is_found.any() else own.replace(short, published)
