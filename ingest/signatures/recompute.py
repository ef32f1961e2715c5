"""Recompute a release's signatures and quality from its sums, and compare: ``featurestore verify --deep``.

The sums are exact integers in fixed point, so the groups that they were added up from are rebuilt from the release's
own tables and go through the very code that wrote it. What was reported by a source has no sums and is not recomputed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.examine import Fault, restoration
from featurestore.published_times import with_time_text
from featurestore.release import release_files
from featurestore.snapshot import read_manifest
from ingest.conditions.groups import Grouping
from ingest.kernel import UNIT
from ingest.signatures.from_sums import CellTables
from ingest.signatures.responder import least_cells_of
from ingest.sums.accumulate import GroupSums

SUMS = {"count": "count", "sum_log1p": "log_sum", "sum_log1p_square": "square_sum", "n_expressing": "expressing"}
RELATIVE, ABSOLUTE = 2e-6, 1e-9
"""How far numbers may be apart: effects are kept in single precision, and libraries of another machine may round."""
MOST_SHOWN = 3


def recompute(root: Path, dataset_id: str, release_id: str) -> Iterator[Fault]:
    """Yield a fault for each table that is not what the sums give."""
    tables = _read(root, dataset_id, release_id)
    if tables["statistics"].is_empty():
        return
    condition, genes = with_time_text(tables["condition"], tables["mapping"]), tables["gene"]
    grouping = _grouping(tables)
    sums = _sums(tables, grouping, genes.height)
    with tempfile.TemporaryDirectory(prefix="featurestore-verify-") as folder:
        least_cells = least_cells_of(tables["dataset"]["assay"].item())
        CellTables(Path(folder), condition, genes, grouping, sums, _cells(tables), least_cells).write()
        for name in ("signature", "quality", "statistics", "control_statistics"):
            again = pl.read_parquet(sorted(Path(folder).glob(f"{name}*/*.parquet")) or Path(folder) / f"{name}.parquet")
            rows = _differing(name, tables[name], again)
            if rows:
                code = read_manifest(root, dataset_id, release_id).get("code", {})
                yield Fault(
                    f"Table '{name}' is not what the sums give.",
                    f"release {release_id} of {dataset_id}",
                    dataset_id,
                    release_id,
                    expected="as computed now, by this version of the code",
                    got=f"{'; '.join(rows)} (written by version {code.get('version', '?')})",
                    do=restoration(root, dataset_id, release_id),
                )


def _read(root: Path, dataset_id: str, release_id: str) -> dict[str, pl.DataFrame]:
    tables = {name: table.schema.to_frame() for name, table in RELEASE.items()}
    for name, path in release_files(root, dataset_id, release_id):
        tables[name] = pl.concat([tables[name], pl.read_parquet(path)])
    return tables


def _cells(tables: dict[str, pl.DataFrame]) -> npt.NDArray[np.int64] | None:
    """Read the cells behind each condition where rows were pseudobulks, and conditions count those."""
    both = (
        tables["condition"]
        .select("condition_index", rows="n_cells")
        .join(tables["quality"].select("condition_index", cells="n_cells"), on="condition_index", how="left")
    )
    if both.filter(pl.col("cells") != pl.col("rows")).is_empty():
        return None
    return both.sort("condition_index")["cells"].fill_null(0).to_numpy()


def _grouping(tables: dict[str, pl.DataFrame]) -> Grouping:
    """Give groups their numbers again: two for each condition, or for each batch of a control."""
    is_control = tables["condition"].sort("condition_index")["is_control"].to_list()
    by_batch = tables["condition_batch"]
    batches = by_batch["batch"].unique().sort(nulls_last=True).to_list()
    position = {batch: at for at, batch in enumerate(batches)}
    cells = np.zeros((len(is_control), len(batches), 2), np.int64)
    for index, batch, n_cells, n_half in by_batch.rows():
        cells[index, position[batch]] = (n_half, n_cells - n_half)
    plain: dict[int, npt.NDArray[np.intp]] = {}
    controls: dict[tuple[int, int], npt.NDArray[np.intp]] = {}
    n_groups = 0
    for index in range(len(is_control)):
        for b in np.flatnonzero(cells[index].sum(axis=1)).tolist() if is_control[index] else [None]:
            pair = np.array([[n_groups], [n_groups + 1]])
            n_groups += 2
            if b is None:
                plain[index] = pair
            else:
                controls[index, b] = pair
    return Grouping(np.empty(0, np.int32), n_groups, cells, plain, controls, batches)


def _sums(tables: dict[str, pl.DataFrame], grouping: Grouping, n_genes: int) -> GroupSums:
    """Put the sums back into their groups, in fixed point."""
    has_counts = tables["statistics"]["count"].null_count() == 0
    sums = GroupSums.zeros(grouping.n_groups, n_genes, has_counts=has_counts)
    position = {batch: at for at, batch in enumerate(grouping.batches)}
    parts: list[tuple[int, int | None, pl.DataFrame]] = []
    for (index,), part in tables["statistics"].partition_by("condition_index", as_dict=True).items():
        if index in grouping.plain:
            parts.append((index, None, part))
    by_batch = tables["control_statistics"].partition_by("condition_index", "batch", as_dict=True)
    parts += [(index, position[batch], part) for (index, batch), part in by_batch.items()]
    for index, batch, part in parts:
        first, second = (grouping.plain[index] if batch is None else grouping.controls[index, batch]).ravel()
        genes = part["gene_index"].to_numpy()
        for column, name in SUMS.items():
            target = getattr(sums, name)
            if target.size:
                whole, half = (_fixed(part[column + suffix]) for suffix in ("", "_half"))
                target[first, genes] = half
                target[second, genes] = whole - half
    return sums


def _fixed(column: pl.Series) -> npt.NDArray[np.int64]:
    values = column.to_numpy()
    return np.rint(values * UNIT).astype(np.int64) if column.dtype.is_float() else values.astype(np.int64)


def _differing(name: str, stored: pl.DataFrame, again: pl.DataFrame) -> list[str]:
    """Describe the first rows of two tables that differ by more than single precision."""
    key = [column for column in RELEASE[name].key if column in stored.columns]
    if stored.height != again.height:
        return [f"{stored.height:,} rows, not {again.height:,}"]
    both = stored.join(again, on=key, how="full", suffix=" again", nulls_equal=True)
    differs = pl.lit(value=False)
    for column in (each for each in stored.columns if each not in key):
        left, right = pl.col(column), pl.col(f"{column} again")
        is_other = left.ne_missing(right)
        if stored[column].dtype.is_float():
            allowed = RELATIVE * pl.max_horizontal(left.abs(), right.abs()) + ABSOLUTE
            is_other = is_other & ((left - right).abs() > allowed).fill_null(value=True)
        differs = differs | is_other
    return [str(row) for row in both.filter(differs).select(key).head(MOST_SHOWN).rows(named=True)]
