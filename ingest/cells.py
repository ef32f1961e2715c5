"""A dataset of cells, wells or samples: its files are summed by condition, and signatures follow from the sums."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.accumulate import GroupSums, accumulate
from ingest.axis import GeneAxis
from ingest.ceiling import CappedSums
from ingest.given import GivenRows
from ingest.groups import group_cells
from ingest.kernel import Groups
from ingest.label import Labels
from ingest.progress import step
from ingest.pseudobulk import SumsOfMeans, cells_of
from ingest.reader import Reader
from ingest.responder import least_cells_of
from ingest.scaling import transform_of
from ingest.selection import SelectiveReader, Slice
from ingest.signatures import CellTables
from ingest.spec import COUNTS, DatasetSpec
from ingest.values import ValueCheck


def write_cells(
    folder: Path,
    sources: Sequence[tuple[Reader, GeneAxis]],
    labels: Labels,
    given: GivenRows,
    spec: DatasetSpec,
    ceiling: int,
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
    ceiling
        Most that the sums in memory take; the rest waits on the disk. Unit: bytes.

    Raises
    ------
    WarehouseError
        The sums fit neither in memory nor on the disk.
    ValuesError
        The values are not what the spec says.
    """
    grouping, genes = group_cells(labels, given.half), sources[0][1].genes
    shape = grouping.n_groups, genes.height
    with tempfile.TemporaryDirectory(prefix="sums-", dir=folder.parent) as place:
        capped = CappedSums(Path(place), *shape, has_counts=spec.dataset.values in COUNTS, ceiling=ceiling)
        start = 0
        for reader, axis in sources:
            part = slice(start, start + reader.n_rows)
            start += reader.n_rows
            if (grouping.of_row[part] >= 0).any():
                _add_file(reader, axis, grouping.of_row[part], capped, given, part, spec)
        least_cells = least_cells_of(spec.dataset.assay)
        cells = cells_of(labels, given)
        with step(f"signatures of {labels.condition.height:,} conditions", 1):
            CellTables(folder, labels.condition, genes, grouping, capped.finish(), cells, least_cells).write()


def _add_file(
    reader: Reader,
    axis: GeneAxis,
    groups: Groups,
    capped: CappedSums,
    given: GivenRows,
    part: slice,
    spec: DatasetSpec,
) -> None:
    """Add one file to the sums; ``groups`` and ``part`` are of its rows."""
    source, slots = _source(reader, axis, given, part, np.flatnonzero(groups >= 0), spec), axis.slots
    if isinstance(source, Slice):
        groups, slots = groups[source.rows_taken], slots[source.genes_taken]

    def add_to(held: Groups, sums: GroupSums) -> None:
        check = ValueCheck("counts" if spec.dataset.values in COUNTS else "log1p", reader.path)
        with step(f"{reader.path.name}: {source.n_rows:,} rows x {reader.n_genes:,} genes", source.n_rows) as advance:
            accumulate(source, held, slots, sums, check, advance)

    capped.add(groups, add_to)


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
