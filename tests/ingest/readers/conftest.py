"""What the tests of file readers share: a small count matrix with its tables, and a matrix put together from blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ingest.testing import assemble

N_CELLS, N_GENES = 37, 11


@pytest.fixture(scope="session")
def read_matrix() -> Callable[..., np.ndarray]:
    """The function that puts a matrix together from the blocks of a reader."""
    return assemble


@pytest.fixture(scope="session")
def counts() -> np.ndarray:
    """Counts of shape (cells, genes), with an empty cell, an empty gene, and one large count."""
    counts = np.random.default_rng(7).poisson(0.8, (N_CELLS, N_GENES))
    counts[5], counts[:, 3], counts[6, 2] = 0, 0, 70_000
    return counts


@pytest.fixture(scope="session")
def cells() -> pl.DataFrame:
    """A table of cells with every type of column, with missing values and with words that look missing."""
    at = np.arange(N_CELLS)
    return pl.DataFrame(
        {
            "index": [f"CELL{number}-1" for number in at],
            "perturbation": [["STAT1", "non-targeting", "nan", None, "AT\u00e9"][number % 5] for number in at],
            "barcode_note": [f"note {number}" for number in at],
            "gem_group": at % 3,
            "n_guides": [None if number % 4 == 0 else int(number) for number in at],
            "percent_mito": [None if number % 6 == 0 else number / 8 for number in at],
            "is_good": [bool(number % 2) for number in at],
            "is_sure": [None if number % 3 == 0 else bool(number % 2) for number in at],
        }
    )


@pytest.fixture(scope="session")
def genes() -> pl.DataFrame:
    """A table of genes whose symbols repeat."""
    return pl.DataFrame(
        {
            "index": [f"ENSG{number:011d}" for number in range(N_GENES)],
            "gene_name": [f"SYMBOL{number // 2}" for number in range(N_GENES)],
        }
    )
