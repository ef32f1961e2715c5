"""Counts of samples that stand beside a published result in one table, as those who merge both leave them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import polars as pl

from featurestore.errors import first_of
from ingest.inspection.known import plain

FEWEST = 2
MOST_OF_A_GENE = 1.2
"""How often a gene is listed at most, on average: symbols come again, and no sample is of one line."""
OF_A_GENE = re.compile(
    r"^(?:n|num|no|nr)_|start|(?:^|_)end|length|width|strand|entrez|rank|pos(?:ition)?$|(?:^|_)id$|version|chr|size|index"
)
"""Numbers of a gene that are whole and no counts of a sample, in plain names."""
MEAN = "basemean"
"""DESeq2's mean of the normalised counts of all samples."""
SAME = 1e-3


def samples_beside(lines: pl.DataFrame, used: Collection[str], gene: str) -> list[str]:
    """Find the columns of samples: of whole numbers, or of those whose mean DESeq2 gives as ``baseMean``.

    Parameters
    ----------
    lines
        The first lines of the table.
    used, gene
        The columns of the result itself, and that of its genes; of one that lists a gene again, none is a sample.
    """
    numbers = [name for name in lines.columns if lines.schema[name].is_numeric() and name not in used]
    means = [name for name in numbers if plain(name) == MEAN]
    numbers = [name for name in numbers if name not in means and not OF_A_GENE.search(plain(name))]
    genes = lines[gene].drop_nulls()
    if genes.len() > MOST_OF_A_GENE * genes.n_unique() or len(numbers) < FEWEST:
        return []
    table = lines.select(pl.col(numbers).cast(pl.Float64).fill_nan(None))
    whole = [column.name for column in table if _are_counts(column)]
    if len(whole) >= FEWEST or not means:
        return whole if len(whole) >= FEWEST else []
    told = lines[means[0]].cast(pl.Float64)
    apart = (table.mean_horizontal() - told).abs() <= SAME * told.abs() + SAME
    return numbers if apart.fill_null(value=True).all() else []


def told_of_samples(samples: Sequence[str]) -> str:
    """Say that samples are not read, and what to do."""
    told = f"columns that look like counts of samples are not read: {first_of(samples, 8)}"
    return f"{told}; to ingest these, write them with the genes to a table of their own, values = 'counts'"


def _are_counts(column: pl.Series) -> bool:
    present = column.drop_nulls()
    return present.len() > 0 and bool(((present >= 0) & (present == present.round())).all()) and present.max() != 0
