"""A dataset of cells, wells or samples: its files are summed by condition, and signatures follow from the sums."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from featurestore.data_points import BULK
from featurestore.published_times import with_time_text
from ingest.compiler import load_compiler
from ingest.conditions.axis import GeneAxis
from ingest.conditions.given import GivenRows
from ingest.conditions.groups import group_cells
from ingest.conditions.label import Labels
from ingest.conditions.replicates import Replicates
from ingest.progress import step
from ingest.reader import Reader
from ingest.spec import DatasetSpec
from ingest.sums.capped import CappedSums
from ingest.sums.journal import Journal
from ingest.sums.pseudobulk import cells_of

if TYPE_CHECKING:
    from ingest.sums.summing import Summing

LEAST_REPLICATE_CELLS = 10
"""Cells of a replicate: the sum of fewer strays by its cells more than by its counts."""


def write_cells(
    folder: Path,
    sources: Sequence[tuple[Reader, GeneAxis]],
    labels: Labels,
    given: GivenRows,
    spec: DatasetSpec,
    memory_limit: int,
    journal: Journal,
    cluster: Summing | None = None,
) -> Counter[str]:
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
    memory_limit
        Most that the sums in memory take; the rest waits on the disk. Unit: bytes.
    journal
        What an ingest that was interrupted left of the sums.
    cluster
        Who sums; this process where None.

    Returns
    -------
    Identifiers of values that are in no gene table, with the number of their values.

    Raises
    ------
    WarehouseError
        The sums fit neither in memory nor on the disk.
    ValuesError
        The values are not what the spec says.
    """
    condition = with_time_text(labels.condition, labels.mapping)
    has_counts = spec.value_kind.is_additive
    guide = given.guide if spec.condition.guide else _label_of(given)
    replicates = None
    if spec.condition.replicate_columns:
        is_of_cells = not (spec.dataset.assay == BULK or spec.condition.cells)
        least = LEAST_REPLICATE_CELLS if is_of_cells else 1
        replicates = Replicates(given.replicates["replicate"].to_list(), given.replicate, least)
    grouping = group_cells(labels.rows, condition, given.draw, guide, has_counts=has_counts, replicates=replicates)
    genes, n_rows = sources[0][1].genes, len(grouping.of_row)
    with tempfile.TemporaryDirectory(prefix="sums-", dir=folder.parent) as place:
        shape = grouping.n_groups, genes.height, n_rows
        capped = CappedSums(
            Path(place), *shape, has_counts=has_counts, memory_limit=memory_limit, whole=grouping.whole()
        )
        with ThreadPoolExecutor(1) as pool:
            cleared = pool.submit(capped.clear_pages)
            load_compiler()
            from ingest.signatures.from_sums import CellTables  # noqa: PLC0415, kernels, while pages are cleared
            from ingest.signatures.library import Libraries  # noqa: PLC0415
            from ingest.signatures.responder import Judge  # noqa: PLC0415
            from ingest.signatures.summed import Summed  # noqa: PLC0415
            from ingest.sums.summing import sum_files  # noqa: PLC0415
        cleared.result()
        left_out = sum_files(sources, grouping.of_row, given, spec, capped, journal, cluster)
        sums = capped.finish()
        libraries = Libraries.gather(grouping, labels.rows, given.half, capped.totals)
        is_bulk = spec.dataset.assay == BULK and not spec.condition.cells
        data = Summed(condition, genes, grouping, sums, libraries, is_bulk)
        judge = Judge(spec.min_cells, cells_of(labels.rows, given.cells))
        with step(f"signatures of {condition.height:,} conditions", 1):
            CellTables(folder, data, judge).write()
    return left_out


def _label_of(given: GivenRows) -> npt.NDArray[np.int32]:
    """Return the number of each row's label: where controls have several, each is a guide. Shape (rows,)."""
    label = given.combos["perturbation_label"].fill_null("").rank("dense").to_numpy().astype(np.int32)
    return label[given.combo]
