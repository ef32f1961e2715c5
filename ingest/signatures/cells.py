"""A dataset of cells, wells or samples: its files are summed by condition, and signatures follow from the sums."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from featurestore.published_times import with_time_text
from ingest.conditions.axis import GeneAxis
from ingest.conditions.given import GivenRows
from ingest.conditions.groups import group_cells
from ingest.conditions.label import Labels
from ingest.progress import step
from ingest.reader import Reader
from ingest.signatures.from_sums import CellTables
from ingest.signatures.responder import least_cells_of
from ingest.spec import COUNTS, DatasetSpec
from ingest.sums.ceiling import CappedSums
from ingest.sums.journal import Journal
from ingest.sums.pseudobulk import cells_of
from ingest.sums.summing import Summing, sum_files


def write_cells(
    folder: Path,
    sources: Sequence[tuple[Reader, GeneAxis]],
    labels: Labels,
    given: GivenRows,
    spec: DatasetSpec,
    ceiling: int,
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
    ceiling
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
    grouping, genes = group_cells(labels, given.half), sources[0][1].genes
    shape = grouping.n_groups, genes.height
    with tempfile.TemporaryDirectory(prefix="sums-", dir=folder.parent) as place:
        capped = CappedSums(Path(place), *shape, has_counts=spec.dataset.values in COUNTS, ceiling=ceiling)
        left_out = sum_files(sources, grouping.of_row, given, spec, capped, journal, cluster)
        least_cells = least_cells_of(spec.dataset.assay)
        cells = cells_of(labels, given)
        with step(f"signatures of {labels.condition.height:,} conditions", 1):
            condition = with_time_text(labels.condition, labels.mapping)
            CellTables(folder, condition, genes, grouping, capped.finish(), cells, least_cells).write()
    return left_out
