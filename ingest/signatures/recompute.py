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
from featurestore.storage.release import release_files
from featurestore.storage.snapshot import read_manifest
from featurestore.upkeep.examine import Fault, restoration
from ingest.signatures.from_sums import CellTables
from ingest.signatures.responder import Judge
from ingest.signatures.resum import resummed

RELATIVE, ABSOLUTE = 4e-5, {"replicate_correlation": 2e-6}
"""How far numbers may be apart: effects are kept to 16 bits, and libraries of another machine may round."""
LEAST_ABSOLUTE = 1e-8
"""How far all others may be apart, however small they are."""
MOST_SHOWN = 3
NO_LONGER = {"statistics": ("count_half", "sum_log1p_square_half", "n_expressing_half")}
"""Columns that earlier releases have, and are NULL now."""


def recompute(root: Path, dataset_id: str, release_id: str) -> Iterator[Fault]:
    """Yield a fault for each table that is not what the sums give."""
    tables = _read(root, dataset_id, release_id)
    if tables["statistics"].is_empty():
        return
    with tempfile.TemporaryDirectory(prefix="featurestore-verify-") as folder:
        judge = Judge(tables["dataset"]["min_cells"].item(), _cells(tables))
        CellTables(Path(folder), resummed(tables), judge).write()
        for name in ("signature", "quality", "calibration", "statistics", "control_statistics"):
            again = pl.read_parquet(
                sorted(Path(folder).glob(f"{name}*/*.parquet")) or Path(folder) / f"{name}.parquet", glob=False
            )
            rows = _differing(name, tables[name].drop(NO_LONGER.get(name, ())), again)
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
        tables[name] = pl.concat([tables[name], pl.read_parquet(path, glob=False)])
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


def _differing(name: str, stored: pl.DataFrame, again: pl.DataFrame) -> list[str]:
    """Describe the first rows of two tables that differ by more than what is kept of them."""
    key = [column for column in RELEASE[name].key if column in stored.columns]
    if stored.height != again.height:
        return [f"{stored.height:,} rows, not {again.height:,}"]
    both = stored.join(again, on=key, how="full", suffix=" again", nulls_equal=True)
    differs = pl.lit(value=False)
    for column in (each for each in stored.columns if each not in key):
        left, right = pl.col(column), pl.col(f"{column} again")
        is_other = left.ne_missing(right)
        dtype, least = stored[column].dtype, ABSOLUTE.get(column, LEAST_ABSOLUTE)
        if dtype.is_float():
            allowed = RELATIVE * pl.max_horizontal(left.abs(), right.abs()) + least
            is_other = is_other & ((left - right).abs() > allowed).fill_null(value=True)
        elif dtype == pl.List(pl.Float64) and both.select((left.list.len() == right.list.len()).all()).item():
            apart = (left - right).list.eval(pl.element().abs()).list.max()
            is_other = is_other & (apart > RELATIVE * left.list.max().abs() + least).fill_null(value=True)
        differs = differs | is_other
    return [str(row) for row in both.filter(differs).select(key).head(MOST_SHOWN).rows(named=True)]
