"""Barcodes of cells, written with the number of their 10x library, as ``AAACCCAAGA-1``, or without it."""

from __future__ import annotations

import polars as pl

LIBRARY, WITHOUT = r"([ACGTN]{8,})-\d+$", "$1"


def bare(barcodes: pl.Series) -> pl.Series:
    """Write barcodes without the number of their library."""
    return barcodes.str.replace(LIBRARY, WITHOUT)


def as_published(keys: pl.Series, barcodes: pl.Series) -> pl.Series:
    """Write the keys of a table as barcodes are, where it is by the number of the library that not one is the same.

    Where barcodes of several libraries are told apart by that number alone, keys stay as they are.

    Examples
    --------
    >>> as_published(pl.Series(["ACGTACGT", "C"]), pl.Series(["ACGTACGT-1", "TTTTACGT-1"])).to_list()
    ['ACGTACGT-1', 'C']
    """
    if keys.is_in(barcodes.implode()).any():
        return keys
    short = bare(barcodes)
    is_found = bare(keys).is_in(short.implode())
    return keys if short.is_duplicated().any() or not is_found.any() else bare(keys).replace(short, barcodes)
