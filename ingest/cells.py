"""A dataset of cells, wells or samples: its files are summed by condition, and signatures follow from the sums."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featurestore.errors import SourceError
from ingest.accumulate import GroupSums, accumulate
from ingest.axis import GeneAxis
from ingest.given import GivenRows
from ingest.groups import group_cells
from ingest.label import Labels
from ingest.progress import step
from ingest.pseudobulk import SumsOfMeans, cells_of
from ingest.reader import Reader
from ingest.responder import LEAST_CELLS, LEAST_REPLICATES
from ingest.scaling import transform_of
from ingest.selection import SelectiveReader, Slice
from ingest.signatures import CellTables
from ingest.spec import COUNTS, DatasetSpec
from ingest.values import ValueCheck

BYTES_PER_SUM = 28


def write_cells(
    folder: Path, sources: Sequence[tuple[Reader, GeneAxis]], labels: Labels, given: GivenRows, spec: DatasetSpec
) -> None:
    """Write statistics, signatures and quality.

    Parameters
    ----------
    folder
        The staged release.
    sources
        The files in order, each with its gene axis.
    labels, given
        Condition and batch of every row of all files.
    spec
        The dataset's spec.

    Raises
    ------
    SourceError
        The sums do not fit in memory.
    ValuesError
        The values are not what the spec says.
    """
    grouping, genes = group_cells(labels, given.half), sources[0][1].genes
    _refuse_too_large(grouping.n_groups * genes.height * BYTES_PER_SUM)
    has_counts = spec.dataset.values in COUNTS
    sums = GroupSums.zeros(grouping.n_groups, genes.height, has_counts=has_counts)
    start = 0
    for reader, axis in sources:
        part = slice(start, start + reader.n_rows)
        start += reader.n_rows
        groups, slots = grouping.of_row[part], axis.slots
        if (groups < 0).all():
            continue
        source = _source(reader, axis, given, part, np.flatnonzero(groups >= 0), spec)
        if isinstance(source, Slice):
            groups, slots = groups[source.rows_taken], slots[source.genes_taken]
        check = ValueCheck("counts" if has_counts else "log1p", reader.path)
        with step(f"{reader.path.name}: {source.n_rows:,} rows x {reader.n_genes:,} genes", source.n_rows) as advance:
            accumulate(source, groups, slots, sums, check, advance)
    least_cells = LEAST_REPLICATES if spec.dataset.assay == "bulk_rna_seq" else LEAST_CELLS
    cells = cells_of(labels, given)
    with step(f"signatures of {labels.condition.height:,} conditions", 1):
        CellTables(folder, labels.condition, genes, grouping, sums, cells, least_cells).write()


def _source(
    reader: Reader, axis: GeneAxis, given: GivenRows, part: slice, rows: npt.NDArray[np.intp], spec: DatasetSpec
) -> Reader | Slice:
    """Give what is summed of a file: its values as they are, or brought to sums, reads or logarithms."""
    if spec.dataset.values == "mean_counts":
        return SumsOfMeans(reader, given.cells[part])
    transform = transform_of(spec, given.published[part])
    if transform is None and not isinstance(reader, SelectiveReader):
        return reader
    return Slice(reader, rows, np.flatnonzero(axis.is_counted), transform)


def _refuse_too_large(needed: int) -> None:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise SourceError(
            "The sums of the dataset do not fit in memory.",
            expected=f"at most {available / 1e9:.0f} GB",
            got=f"{needed / 1e9:.0f} GB for conditions x genes",
            do="filter cells with where under [condition], or split the dataset by context",
        )
