"""The sums of a release put back into the groups that they were added up from, out of the release's own tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.data_points import BULK
from featurestore.published_times import with_time_text
from ingest.conditions.comparisons import Comparison, compare_by
from ingest.conditions.groups import Grouping, Groups
from ingest.conditions.null import NullCondition
from ingest.conditions.replicates import Replicate
from ingest.kernel import UNIT
from ingest.signatures.library import Libraries, Library
from ingest.signatures.summed import Summed
from ingest.sums.group_sums import GroupSums

SUMS = {"count": "count", "sum_log1p": "log_sum", "sum_log1p_square": "square_sum", "n_expressing": "expressing"}
MOMENTS = {"sum_count_square": "count", "sum_count_total": "log_sum"}
OF_REPLICATES = {"count": "count", "sum_log1p": "log_sum"}
TOTALS = ("sum_total", "sum_total_square")


def resummed(tables: dict[str, pl.DataFrame]) -> Summed:
    """Put the sums of a release back into groups, in fixed point.

    Parameters
    ----------
    tables
        The release's tables by name.
    """
    condition = with_time_text(tables["condition"], tables["mapping"]).sort("condition_index")
    comparisons = list(compare_by(condition))
    has_counts = tables["statistics"]["count"].null_count() == 0
    grouping = _grouping(tables, condition, comparisons, has_counts=has_counts)
    sums = GroupSums.zeros(grouping.n_groups, tables["gene"].height, has_counts=has_counts, whole=grouping.whole())
    for groups, names, part in _parts(tables, grouping):
        genes = part["gene_index"].to_numpy()
        for column, name in names.items():
            target = getattr(sums, name)
            if not target.size or part[column].null_count():
                continue
            whole = _fixed(part[column])
            rows = groups if name == "log_sum" else list(dict.fromkeys(sums.whole[groups].tolist()))
            target[rows[0], genes] = whole
            if len(rows) > 1:
                half = _fixed(part[f"{column}_half"])
                target[rows[0], genes], target[rows[1], genes] = half, whole - half
    is_bulk = tables["dataset"]["assay"].item() == BULK and not _are_pseudobulks(tables)
    return Summed(condition, tables["gene"], grouping, sums, _libraries(tables, grouping), is_bulk)


def _are_pseudobulks(tables: dict[str, pl.DataFrame]) -> bool:
    counted = tables["condition"].select("condition_index", rows="n_cells")
    both = tables["quality"].select("condition_index", "n_cells").join(counted, on="condition_index")
    return not both.filter(pl.col("n_cells") != pl.col("rows")).is_empty()


def _grouping(
    tables: dict[str, pl.DataFrame], condition: pl.DataFrame, comparisons: list[Comparison], *, has_counts: bool
) -> Grouping:
    """Give groups numbers again: two for each part of a condition or batch of a control, one for each of the others."""
    is_control = condition["is_control"].to_list()
    by_batch = tables["condition_batch"]
    batches = by_batch["batch"].unique().sort(nulls_last=True).to_list()
    position = {batch: at for at, batch in enumerate(batches)}
    cells = np.zeros((len(is_control), len(batches), 2), np.int64)
    for index, batch, n_cells, n_half in by_batch.select("condition_index", "batch", "n_cells", "n_cells_half").rows():
        cells[index, position[batch]] = (n_half, n_cells - n_half)
    split = set(tables["matched_statistics"]["condition_index"].unique().to_list())
    plain: dict[int, Groups] = {}
    controls: dict[tuple[int, int], Groups] = {}
    moments: dict[tuple[int, int], Groups] = {}
    n_groups = 0
    for index in range(len(is_control)):
        if is_control[index]:
            for batch in np.flatnonzero(cells[index].sum(axis=1)).tolist():
                controls[index, batch] = np.array([[n_groups], [n_groups + 1]])
                if has_counts:
                    moments[index, batch] = controls[index, batch] + 2
                n_groups += 4
        else:
            n_parts = 1 + (index in split)
            plain[index] = np.arange(n_groups, n_groups + 2 * n_parts).reshape(n_parts, 2).T
            n_groups += 2 * n_parts
    null_cells = {}
    for (index,), part in tables["null_part"].partition_by("null_index", as_dict=True).items():
        null_cells[n_groups + index] = np.zeros(len(batches), np.int64)
        null_cells[n_groups + index][[position[batch] for batch in part["batch"]]] = part["n_cells"].to_numpy()
    nulls = [
        NullCondition(
            tuple(row["controls"]),
            row["half"],
            tuple(n_groups + at for at in row["parts"]),
            row["n_cells"],
            row["kind"],
        )
        for row in tables["null_condition"].rows(named=True)
    ]
    of_row, n_groups = np.empty((0, 0), np.int32), n_groups + len(null_cells)
    repeated = tables["condition_replicate"].sort("condition_index", "replicate").rows()
    replicates = {
        (index, name): Replicate(n_groups + at, n_cells) for at, (index, name, n_cells) in enumerate(repeated)
    }
    n_groups += len(replicates)
    return Grouping(
        of_row, n_groups, cells, plain, controls, moments, nulls, null_cells, batches, comparisons, replicates
    )


def _parts(
    tables: dict[str, pl.DataFrame], grouping: Grouping
) -> Iterator[tuple[list[int], dict[str, str], pl.DataFrame]]:
    """Yield groups, which columns are which of their sums, and the rows that hold them."""
    position = {batch: at for at, batch in enumerate(grouping.batches)}
    matched = tables["matched_statistics"].partition_by("condition_index", as_dict=True)
    for (index,), part in tables["statistics"].partition_by("condition_index", as_dict=True).items():
        if index not in grouping.plain:
            continue
        groups = grouping.plain[index].T.tolist()
        whole = part.sort("gene_index")
        if (index,) in matched:
            inside = matched[index,].sort("gene_index")
            yield groups[0], SUMS, inside
            whole = whole.with_columns(whole[name] - inside[name] for name in whole.columns if name not in KEYS)
        yield groups[-1], SUMS, whole
    by_batch = tables["control_statistics"].partition_by("condition_index", "batch", as_dict=True)
    for (index, batch), part in by_batch.items():
        key = index, position[batch]
        yield grouping.controls[key].ravel().tolist(), SUMS, part
        if key in grouping.moments:
            yield grouping.moments[key].ravel().tolist(), MOMENTS, part
    by_replicate = tables["replicate_statistics"].partition_by("condition_index", "replicate", as_dict=True)
    for (index, name), part in by_replicate.items():
        yield [grouping.replicates[index, name].group], OF_REPLICATES, part
    first = _first_null(grouping)
    for (index,), part in tables["null_statistics"].partition_by("null_index", as_dict=True).items():
        yield [first + index], SUMS, part


KEYS = ("condition_index", "gene_index")


def _first_null(grouping: Grouping) -> int:
    return grouping.n_groups - len(grouping.replicates) - len(grouping.null_cells)


def _libraries(tables: dict[str, pl.DataFrame], grouping: Grouping) -> Libraries:
    """Put the libraries of conditions and of pretend conditions back together."""
    position = {batch: at for at, batch in enumerate(grouping.batches)}
    libraries = [np.zeros(grouping.cells.shape) for _ in TOTALS]
    rows = tables["condition_batch"]
    at = rows["condition_index"].to_numpy(), np.array([position[batch] for batch in rows["batch"]], np.intp)
    for library, name in zip(libraries, TOTALS, strict=True):
        half = rows[f"{name}_half"].to_numpy()
        library[at[0], at[1], 0], library[at[0], at[1], 1] = half, rows[name].to_numpy() - half
    first = _first_null(grouping)
    nulls = {}
    for (index,), part in tables["null_part"].partition_by("null_index", as_dict=True).items():
        own = [np.zeros(len(grouping.batches)) for _ in TOTALS]
        for each, name in zip(own, TOTALS, strict=True):
            each[[position[batch] for batch in part["batch"]]] = part[name].to_numpy()
        nulls[first + index] = Library(*own)
    return Libraries(Library(*libraries), nulls)


def _fixed(column: pl.Series) -> npt.NDArray[np.int64]:
    values = column.to_numpy()
    return np.rint(values * UNIT).astype(np.int64) if column.dtype.is_float() else values.astype(np.int64)
