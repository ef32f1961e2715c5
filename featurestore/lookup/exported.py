"""A dataset as a file for other tools, a block of conditions at a time: h5ad, csv or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from featurestore.errors import QueryError
from featurestore.features.matrix.pseudobulk import indexed, observations
from featurestore.query.sqlfiles import sql_files
from featurestore.storage.whole import beside

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

What: TypeAlias = Literal["signatures", "sums", "matrix"]
Report: TypeAlias = Callable[[str], None]
Block: TypeAlias = dict[str, npt.NDArray[np.floating[Any]]]
FORMATS = ("h5ad", "csv", "parquet")
_AT_ONCE = 20_000_000
"""Values of a block."""
_ROWS = 500_000
"""Rows of a batch."""
_LONG = {
    "signatures": "select * from effects where dataset_id = $dataset_id",
    "sums": """
        select c.dataset_id, c.condition_id, c.perturbation, c.perturbation_kind, c.context_label, c.dose_um, c.time_h,
            c.cluster, c.is_control, c.n_cells, s.gene_id, g.gene_symbol as gene, s.sum_counts, s.sum_log1p,
            s.sum_log1p_square, s.n_expressing
        from statistics as s join condition as c using (dataset_id, condition_id) join gene as g using (gene_id)
        where s.dataset_id = $dataset_id
    """,
}
_DOUBLE = ("p_value", "q_value")
"""Values that single precision would call 0."""
_SIGNATURE = ("effect", "standard_error", "log2fc", "z", "p_value", "q_value")
_MEANS = {
    "mean_log1p": "s.sum_log1p / c.n_cells",
    "counts": "s.count",
    "share_expressing": "s.n_expressing / c.n_cells",
}
_BLOCK = """
select s.condition_index, s.gene_index, {columns} from release.{table} as s
join release.condition as c using (dataset_id, condition_index)
where s.dataset_id = $dataset_id and s.condition_index between $first and $last {and_kind}
"""
_COUNT = "select count(*) from release.{} where dataset_id = $dataset_id"
_KINDS = "select distinct effect_kind from release.signature where dataset_id = $dataset_id order by all"


def export_dataset(
    store: Warehouse,
    dataset_id: str,
    path: Path,
    what: What = "signatures",
    *,
    effect_kind: str | None = None,
    report: Report = lambda _: None,
) -> int:
    """Write a dataset of the snapshot; the file is there whole, or not at all.

    Parameters
    ----------
    store, dataset_id
        The warehouse, and the dataset.
    path
        Where to; its ending says how: ``.h5ad`` (conditions x genes, ``X`` and layers), ``.csv`` or ``.parquet``.
    what
        ``signatures``: the view ``effects``, or layers of effects and their tests. ``sums``: the additive sums, or
        means, counts and shares. ``matrix``: the effects alone, a row a condition and a column a gene.
    effect_kind
        Which effects, where a dataset has several and they are laid out as a matrix.
    report
        Told in words what is being done.

    Returns
    -------
    Rows written: conditions, or pairs of condition and gene.

    Raises
    ------
    UnknownDatasetError
        The snapshot has no such dataset.
    QueryError
        The ending is unknown, the dataset has no such values, or several kinds of effect.
    """
    store.snapshot.release_of(dataset_id)
    form = path.suffix.removeprefix(".")
    if form not in FORMATS:
        raise QueryError(f"'{path.name}' does not say the format.", expected=", ".join(f".{each}" for each in FORMATS))
    _count(store, dataset_id, what)
    with beside(path) as work:
        if what != "matrix" and form != "h5ad":
            return _long(store, dataset_id, work, what, form, report)
        wide = _Wide(store, dataset_id, what, effect_kind)
        return _h5ad(wide, work, report) if form == "h5ad" else _table(wide, work, form, report)


def _long(store: Warehouse, dataset_id: str, path: Path, what: str, form: str, report: Report) -> int:
    """Stream a view."""
    n_all, n_rows = _count(store, dataset_id, what), 0
    with store.cursor([dataset_id], _LONG[what]) as cursor, ExitStack() as stack:
        reader = cursor.sql(_LONG[what], params={"dataset_id": dataset_id}).to_arrow_reader(_ROWS)
        writer = stack.enter_context(_writer(path, reader.schema, form))
        for batch in reader:
            writer.write_batch(batch)
            n_rows += batch.num_rows
            report(f"{n_rows:,} of {n_all:,} rows")
    return n_rows


def _count(store: Warehouse, dataset_id: str, what: str) -> int:
    table = "statistics" if what == "sums" else "signature"
    n_rows = int(store.frame(_COUNT.format(table), {"dataset_id": dataset_id}).item())
    if not n_rows:
        raise QueryError(f"'{dataset_id}' has no {'sums: it has no cells' if what == 'sums' else 'signatures'}.")
    return n_rows


def _writer(path: Path, schema: pa.Schema, form: str) -> Any:
    return pq.ParquetWriter(path, schema, compression="zstd") if form == "parquet" else pa.csv.CSVWriter(path, schema)


class _Wide:
    """A dataset's values as matrices of conditions x genes, a block of conditions at a time."""

    def __init__(self, store: Warehouse, dataset_id: str, what: What, effect_kind: str | None) -> None:
        self.store, self.dataset_id = store, dataset_id
        conditions = store.frame(sql_files("features")["conditions"], {"dataset_id": dataset_id})
        self.conditions = conditions.drop("dataset_id")
        self.genes = self._frame("select gene_id, gene_symbol from release.gene where dataset_id = $dataset_id "
                                 "order by gene_index")  # fmt: skip
        places = self._frame(
            "select condition_index, condition_id from release.condition where dataset_id = $dataset_id"
        )
        self.conditions = self.conditions.join(places, on="condition_id").sort("condition_index")
        self.kind = None if what == "sums" else self._kind(effect_kind)
        self.layers = {
            "signatures": {name: f"s.{name}" for name in _SIGNATURE},
            "matrix": {"effect": "s.effect"},
            "sums": _MEANS,
        }[what]
        self._table = "statistics" if what == "sums" else "signature"

    def _frame(self, query: str) -> pl.DataFrame:
        return self.store.frame(query, {"dataset_id": self.dataset_id})

    def _kind(self, asked: str | None) -> str:
        kinds = self._frame(_KINDS)["effect_kind"].to_list()
        chosen = [kind for kind in kinds if asked in {None, kind}]
        if len(chosen) != 1:
            has = f"no {asked}" if asked else "several kinds of effect" if kinds else "no effects"
            raise QueryError(
                f"'{self.dataset_id}' has {has}.",
                got=", ".join(kinds),
                do="name one with --effect-kind" if kinds else "export its sums",
            )
        return str(chosen[0])

    def blocks(self, report: Report) -> Iterator[Block]:
        """Yield the layers of some conditions, in order; NaN is missing."""
        n_conditions, n_genes = self.conditions.height, self.genes.height
        step = max(1, _AT_ONCE // max(n_genes * len(self.layers), 1))
        query = _BLOCK.format(
            columns=", ".join(f"({sql})::double as {name}" for name, sql in self.layers.items()),
            table=self._table,
            and_kind="and s.effect_kind = $kind" if self.kind else "",
        )
        indices = self.conditions["condition_index"].to_numpy()
        for start in range(0, n_conditions, step):
            own = indices[start : start + step]
            asked = {"dataset_id": self.dataset_id, "first": int(own[0]), "last": int(own[-1])}
            rows = self.store.frame(query, asked | ({"kind": self.kind} if self.kind else {}))
            place = np.searchsorted(own, rows["condition_index"].to_numpy()), rows["gene_index"].to_numpy()
            block = {name: np.full((len(own), n_genes), np.nan, _type(name)) for name in self.layers}
            for name, values in block.items():
                values[place] = rows[name].to_numpy()
            report(f"{start + len(own):,} of {n_conditions:,} conditions")
            yield block


def _table(wide: _Wide, path: Path, form: str, report: Report) -> int:
    """Stream a row a condition, a column a gene."""
    known = wide.conditions.select("condition_id", "perturbation", "context_label", "dose_um", "time_h")
    names = [*known.columns, *wide.genes["gene_id"]]
    n_rows = 0
    with ExitStack() as stack:
        writer = None
        for block in wide.blocks(report):
            (values,) = block.values()
            lines = known.slice(n_rows, len(values))
            frame = pl.concat(
                [lines, pl.from_numpy(values, schema=names[known.width :], orient="row").fill_nan(None)],
                how="horizontal",
            )
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or stack.enter_context(_writer(path, table.schema, form))
            writer.write_table(table)
            n_rows += frame.height
    return n_rows


def _h5ad(wide: _Wide, path: Path, report: Report) -> int:
    """Write an AnnData of which only a block is in memory."""
    from anndata.io import write_elem  # noqa: PLC0415

    facts = wide.store.frame("select * from dataset where dataset_id = $dataset_id", {"dataset_id": wide.dataset_id})
    told = {name: str(value) for name, value in facts.row(0, named=True).items() if value is not None}
    first, *others = wide.layers
    shape = (wide.conditions.height, wide.genes.height)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_elem(file, "obs", indexed(observations(wide.conditions.drop("condition_index")), "condition_id"))
        write_elem(file, "var", indexed(wide.genes, "gene_id"))
        write_elem(
            file, "uns", {"effect_kind": wide.kind or "", "dataset": told, "snapshot": wide.store.snapshot.number}
        )
        for name in ("obsm", "varm", "obsp", "varp", "layers"):
            write_elem(file, name, {})
        places = {first: _dense(file, "X", shape)} | {name: _dense(file, f"layers/{name}", shape) for name in others}
        at = 0
        for block in wide.blocks(report):
            for name, values in block.items():
                places[name][at : at + len(values)] = values
            at += len(next(iter(block.values())))
    return at


def _dense(file: h5py.File, name: str, shape: Sequence[int]) -> h5py.Dataset:
    chunks = (min(max(shape[0], 1), 64), min(max(shape[1], 1), 4096))
    matrix = file.create_dataset(
        name, shape, _type(name.removeprefix("layers/")), chunks=chunks, compression="gzip", compression_opts=1
    )
    matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return matrix


def _type(layer: str) -> type[np.floating[Any]]:
    return np.float64 if layer in _DOUBLE else np.float32
