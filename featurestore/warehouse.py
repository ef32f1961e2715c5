"""Open a warehouse for reading: the views of one snapshot in a DuckDB that can reach nothing else.

Why DuckDB over plain Parquet: a release never changes once published, so a snapshot is a list of files, and a query
needs no server. The connection lives in memory; the files stay readable by any other engine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb
import polars as pl
import pyarrow as pa

from featurestore.confine import bounded, check_select, confine, limit_memory, query_error, within
from featurestore.contract import COLUMNS, RELEASE, VIEWS, Table
from featurestore.errors import FeatureStoreError, WarehouseError
from featurestore.locks import hold_snapshot
from featurestore.objects import ObjectStore, is_url
from featurestore.release import release_files, why_unreadable
from featurestore.snapshot import REFERENCES, RELEASES, Snapshot, read_manifest
from featurestore.sqlfiles import heading, sql_files

if TYPE_CHECKING:
    from anndata import AnnData

    from featurestore.features.feature_matrix import FeatureMatrix
    from featurestore.features.pairs.pair_matrix import PairMatrix

DATABASE = "featurestore.duckdb"
ROWS_AT_ONCE = 100_000
_BETWEEN_FILES = "\n"
_DUCKDB_TYPES: dict[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.List(pl.String()): "VARCHAR[]",
    pl.Int64(): "BIGINT",
    pl.Int32(): "INTEGER",
    pl.Float32(): "FLOAT",
    pl.Float64(): "DOUBLE",
    pl.Boolean(): "BOOLEAN",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}


class Warehouse:
    """One snapshot of a warehouse, for reading.

    Parameters
    ----------
    path
        The warehouse folder, or its address on an object store: ``s3://bucket/warehouse``.
    snapshot
        Number of the snapshot; the latest by default. ``gc`` keeps it while this is open.
    datasets
        The datasets to show; all by default. A question about a few is answered as fast as if there were no others.
    memory
        The most that queries may take, such as ``"4GB"``; DuckDB's default, 80% of the machine's, where None. Nothing
        is spilled to disk.

    Raises
    ------
    WarehouseError
        The folder does not exist, has no such snapshot, or one that is damaged or too old.
    UnknownDatasetError
        The snapshot lacks one of ``datasets``.
    QueryError
        ``memory`` is no size.

    Examples
    --------
    >>> import featurestore as fs
    >>> store = fs.open("warehouse")  # doctest: +SKIP
    >>> store.sql("select dataset_id, n_cells from dataset").pl()  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | Path,
        snapshot: int | None = None,
        *,
        datasets: Collection[str] | None = None,
        memory: str | None = None,
    ) -> None:
        self.url = str(path) if is_url(path) else None
        self.path = self._copied(snapshot) if self.url else Path(path).resolve()
        if not self.path.is_dir():
            raise WarehouseError(
                "There is no warehouse.",
                where=str(self.path),
                do="ingest a dataset first: featurestore ingest SPEC.toml, or name another folder with --warehouse",
            )
        self.snapshot: Snapshot
        self.snapshot, lock = hold_snapshot(self.path, snapshot)
        self._let_go = weakref.finalize(self, _close, lock)
        self._datasets = None if datasets is None else sorted(datasets)
        self.connection = duckdb.connect(":memory:")
        try:
            if self._datasets is not None:
                shown = {name: self.snapshot.release_of(name) for name in self._datasets}
                self.snapshot = replace(self.snapshot, datasets=shown)
            place = self.url or str(self.path)
            if self.url:
                self.filesystem = ObjectStore(self.url).filesystem()
                self.connection.register_filesystem(self.filesystem)
            attach_views(self.connection, self.path, self.snapshot, place)
            self.connection.execute("set global parquet_metadata_cache = true")  # releases never change
            self._most_bytes = limit_memory(self.connection, memory) if memory else None
            confine(self.connection, [f"{place}/{name}" for name in (RELEASES, REFERENCES)])
        except duckdb.Error as error:
            self.close()
            raise why_unreadable(self.path, self.snapshot.datasets.items(), error) from None
        except FeatureStoreError:
            self.close()
            raise

    def sql(self, query: str, parameters: dict[str, Any] | list[Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Run one SELECT statement over the snapshot's views; read the result with ``.pl()``, ``.arrow()``, ``.df()``.

        Raises
        ------
        QueryError
            The statement is not a single SELECT, or DuckDB refuses it.
        """
        check_select(self.connection, query)
        try:
            relation = self.connection.sql(query, params=parameters)
        except duckdb.Error as error:
            raise query_error(error) from None
        return relation

    def frame(
        self,
        query: str,
        parameters: dict[str, Any] | list[Any] | None = None,
        *,
        timeout: float | None = None,
        most_rows: int | None = None,
    ) -> pl.DataFrame:
        """Run one SELECT statement and return its result as a polars frame; several threads may at the same time.

        Parameters
        ----------
        query, parameters
            The statement, and what its ``?`` or ``$name`` stand for.
        timeout
            Seconds after which it is given up.
        most_rows
            Rows after which no more are read.

        Raises
        ------
        QueryError
            As :meth:`sql`, or the statement fails while it runs, or takes more time or memory than it may.
        """
        with self.connection.cursor() as cursor:
            table = within(cursor, timeout, lambda: self._table(cursor, query, parameters, most_rows))
        frame = pl.from_arrow(table)
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def _table(
        self,
        cursor: duckdb.DuckDBPyConnection,
        query: str,
        parameters: dict[str, Any] | list[Any] | None,
        most_rows: int | None,
    ) -> pa.Table:
        check_select(cursor, query)
        n_at_once = ROWS_AT_ONCE if most_rows is None else min(ROWS_AT_ONCE, most_rows)
        with cursor.sql(query, params=parameters).to_arrow_reader(n_at_once) as reader:
            batches = bounded(reader, self._most_bytes)
            kept = batches if most_rows is None else _first(batches, most_rows)
            return pa.Table.from_batches(kept, reader.schema)

    def manifest(self, dataset_id: str) -> dict[str, Any]:
        """Return the manifest of a dataset's release: inputs, spec, reference, row counts, checksums, timings."""
        return read_manifest(self.path, dataset_id, self.snapshot.release_of(dataset_id))

    def build(self, spec: str | Path) -> FeatureMatrix | PairMatrix:
        """Build the feature matrix of a feature spec; see :func:`featurestore.features.builder.build`."""
        from featurestore.features.builder import build  # noqa: PLC0415, reading needs no model library

        return build(self, spec)

    def to_anndata(self, dataset_id: str, *, forbid: Collection[str] = ()) -> AnnData:
        """Return a dataset as an AnnData, unless its licence is forbidden.

        See :func:`featurestore.features.pseudobulk.dataset_anndata`.
        """
        from featurestore.features.pseudobulk import dataset_anndata  # noqa: PLC0415, reading needs no AnnData

        return dataset_anndata(self, dataset_id, forbid=forbid)

    def __reduce__(self) -> tuple[partial[Self], tuple[str | Path, int]]:
        """Copy and pickle by path or address, snapshot and the datasets shown."""
        return partial(type(self), datasets=self._datasets), (self.url or self.path, self.snapshot.number)

    def _copied(self, number: int | None) -> Path:
        """Copy what a snapshot on an object store says, but no tables, into a folder that lives as long as this."""
        root = Path(tempfile.mkdtemp(prefix="featurestore-")).resolve()
        self._forget = weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        store = ObjectStore(str(self.url))
        store.copy_manifests(root, store.copy_snapshot(root, number))
        return root

    def close(self) -> None:
        """Close the connection and let go of the snapshot."""
        self.connection.close()
        self._let_go()
        if self.url:
            self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def attach_views(
    connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot, place: str | None = None
) -> None:
    """Create the views of a snapshot, every one with its comment, its columns with theirs.

    ``root`` is absolute; the tables are in ``place``, where that is not the same.
    """
    files = snapshot_files(root, snapshot, place or str(root))
    connection.execute("create schema release")
    connection.execute("create schema reference")
    shown = f"{snapshot.number} as snapshot, {_quote(place or str(root))} as root"
    connection.execute(f"create view release.snapshot as select {shown}")
    for table in RELEASE.values():
        connection.execute(f"create view release.{table.name} as {_scan(table, files[table.name])}")
    connection.execute(f"create view reference.gene as {_scan_references(files['reference'])}")
    connection.execute(f"create view reference.gene_label as {_scan_labels(files['labels'])}")
    texts = sql_files("views")
    for view in VIEWS.values():
        columns = ", ".join(view.columns)
        connection.execute(f"create view {view.name} as select {columns} from ({texts[view.name]})")  # noqa: S608
        comment = f"Grain: {view.grain}. {heading(texts[view.name])}"
        connection.execute(f"comment on view {view.name} is {_quote(comment)}")
        for name in view.columns:
            column = COLUMNS[name]
            sentence = f"{column.sentence} Unit: {column.unit}." if column.unit else column.sentence
            connection.execute(f"comment on column {view.name}.{name} is {_quote(sentence)}")


def open_database(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a ``featurestore.duckdb`` for looking at its definitions."""
    return duckdb.connect(str(path), read_only=True, config={"enable_external_access": False})


def shown_snapshot(root: Path, path: Path) -> int | None:
    """Return which snapshot of a warehouse a ``featurestore.duckdb`` shows.

    None where the file is missing or damaged; 0 where it shows another folder, the warehouse having been moved.
    """
    try:
        with open_database(path) as connection:
            row = connection.execute("select snapshot, root from release.snapshot").fetchone()
    except duckdb.Error:
        return None
    number, shown = row or (0, "")
    return int(number) if shown == str(root.resolve()) else 0


def _first(batches: Iterator[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, n_rows)
        n_rows -= batch.num_rows
        if n_rows <= 0:
            return


def snapshot_files(root: Path, snapshot: Snapshot, place: str) -> dict[str, list[str]]:
    """List the files of a snapshot by table of the release, and of its references under ``reference`` and ``labels``.

    ``root`` has the manifests; the files are in ``place``, under the same names.
    """
    files: dict[str, list[str]] = {name: [] for name in (*RELEASE, "reference")}
    references: dict[str, None] = {}
    for dataset_id, release_id in sorted(snapshot.datasets.items()):
        for table, path in release_files(root, dataset_id, release_id):
            files[table].append(f"{place}/{path.relative_to(root).as_posix()}")
        references.setdefault(read_manifest(root, dataset_id, release_id)["gene_reference"])
    files["reference"] = [f"{place}/{REFERENCES}/{reference}/gene.parquet" for reference in references]
    labels = (f"{REFERENCES}/{reference}/gene_label.parquet" for reference in references)
    files["labels"] = [f"{place}/{name}" for name in labels if (root / name).is_file()]
    return files


def _scan(table: Table, files: list[str]) -> str:
    keys = {"dataset_id": "VARCHAR", "release_id": "VARCHAR"}
    if files:
        paths = _quote(_BETWEEN_FILES.join(files))  # one text: as a list of a thousand, it is parsed for each query
        listed = f"string_split({paths}, {_quote(_BETWEEN_FILES)})"
        # by name: only then does DuckDB know how large each file is, once a filter has left few of them
        options = f"hive_partitioning = true, hive_types = {keys}, union_by_name = true"
        return f"select * from read_parquet({listed}, {options})"  # noqa: S608
    return scan_of_nothing(table)


def scan_of_nothing(table: Table) -> str:
    """Select no row of a table of releases, with its columns."""
    types = {name: _DUCKDB_TYPES[dtype] for name, dtype in table.schema.items()}
    types |= {"dataset_id": "VARCHAR", "release_id": "VARCHAR"}
    return f"select {', '.join(f'null::{dtype} as {name}' for name, dtype in types.items())} where false"


def _scan_references(files: list[str]) -> str:
    if not files:
        columns = ", ".join(f"null::VARCHAR as {name}" for name in VIEWS["gene"].columns)
        return f"select {columns}, 0 as reference_rank where false"
    scans = (f"select *, {rank} as reference_rank from read_parquet({_quote(f)})" for rank, f in enumerate(files))  # noqa: S608
    return " union all by name ".join(scans)


def _scan_labels(files: list[str]) -> str:
    if not files:
        return "select null::VARCHAR as label, null::VARCHAR as gene_id, null::VARCHAR as kind where false"
    paths = ", ".join(map(_quote, files))
    return f"select distinct label, gene_id, kind::VARCHAR as kind from read_parquet([{paths}])"  # noqa: S608


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
