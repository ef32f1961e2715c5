"""Values that sums are not taken of as they are published: base-pair coverage and log2(TPM + 1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceError
from ingest.reader import Integers, Numbers
from ingest.readers.selection import Transform
from ingest.sections import CoverageSection
from ingest.spec import DatasetSpec

TPM_PER_TEN_THOUSAND = 100.0
"""Transcripts per million in one transcript per 10,000, the total that counts are scaled to."""


def transform_of(spec: DatasetSpec, published: pl.DataFrame) -> Transform | None:
    """Return what brings a file's values to what is summed; None where they are that already.

    Parameters
    ----------
    spec
        The dataset's spec.
    published
        The key of every row of the file, and the columns that say what a read covers.

    Raises
    ------
    SourceError
        A sample has no read length.
    """
    if spec.dataset.values == "log2tpm1":
        return _log1p_of_log2_tpm
    if spec.dataset.values == "bp_coverage" and spec.coverage is not None:
        lengths = read_lengths(spec.coverage, published)
        return lambda at, values: np.rint(np.asarray(values, np.float64) / lengths[at][:, None])
    return None


def read_lengths(given: CoverageSection, rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Return the bases that a read of each sample covers: as published, or all coverage over all mapped reads.

    recount sums coverage over the bases of a gene; divided by the length of a read (of a pair, for paired ends) it is
    the number of reads (or pairs), as ``compute_read_counts`` of recount3 does it.

    Raises
    ------
    SourceError
        Some sample does not say.
    """
    if isinstance(given.read_length, float | int):
        return np.full(rows.height, float(given.read_length))
    numbers = {
        name: rows[column].cast(pl.Float64, strict=False)
        for name, column in given.columns().items()
        if column is not None
    }
    lengths = numbers["read_length"] if "read_length" in numbers else numbers["auc"] / numbers["mapped_reads"]
    unknown = lengths.is_null() | ~(lengths > 0)
    if unknown.any():
        first = rows.filter(unknown)
        raise SourceError(
            "The length of reads is not known for every sample.",
            where=", ".join(given.columns().values()),
            got=f"{first.height:,} samples without, the first {first.row(0)[0]!r}",
            do="complete the sample table, or leave the samples out with where under [condition]",
        )
    return lengths.to_numpy()


def _log1p_of_log2_tpm(_: Integers, values: Numbers) -> Numbers:
    """Bring log2(TPM + 1) to the natural log1p of transcripts per 10,000."""
    return np.log1p((np.exp2(np.asarray(values, np.float64)) - 1.0) / TPM_PER_TEN_THOUSAND)
