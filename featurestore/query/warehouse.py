"""Open a warehouse for reading: the views of one snapshot in a DuckDB that can reach nothing else.

Why DuckDB over plain Parquet: a release never changes once published, so a snapshot is a list of files, and a query
needs no server. The connection lives in memory; the files stay readable by any other engine.
"""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl
import pyarrow as pa

from featurestore.errors import FeatureStoreError
from featurestore.query.confine import bounded, check_select, confine, limit_memory, memory_limit, query_error, within
from featurestore.query.guessed import unknown_name
from featurestore.query.narrow import NarrowCatalogs
from featurestore.query.on_demand import ViewsOnDemand
from featurestore.query.pinned import pinned_datasets
from featurestore.query.results import as_frame, as_held, first_rows
from featurestore.query.views import has_old_releases
from featurestore.storage.addresses import is_url, plain_path, plain_url
from featurestore.storage.locks import hold_snapshot
from featurestore.storage.objects import ObjectStore, copy_described
from featurestore.storage.release import why_unreadable
from featurestore.storage.snapshot import REFERENCES, RELEASES, Snapshot, check_warehouse, read_manifest

ROWS_AT_ONCE = 100_000


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
        The folder does not exist or is no warehouse, or has no such snapshot, or one that is damaged or too old.
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
        self.url = plain_url(str(path)) if is_url(path) else None
        if self.url:
            self.path = copy_described(self.url, snapshot)
            self._forget = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        else:
            self.path = Path(path).resolve()
            check_warehouse(self.path)
        self.snapshot: Snapshot
        self.snapshot, lock = hold_snapshot(self.path, snapshot)
        self._let_go = weakref.finalize(self, _close, lock)
        self._datasets, self._memory = None if datasets is None else sorted(datasets), memory
        self._connection = duckdb.connect(":memory:")
        try:
            if self._datasets is not None:
                shown = {name: self.snapshot.release_of(name) for name in self._datasets}
                self.snapshot = replace(self.snapshot, datasets=shown)
            place = self.url or str(self.path)
            if self.url:
                self.filesystem = ObjectStore(self.url).filesystem()
                self._connection.register_filesystem(self.filesystem)
            self._connection.execute("set global parquet_metadata_cache = true")  # releases never change
            self._views = ViewsOnDemand(self._connection, self.path, self.snapshot, place)
            self._narrow = NarrowCatalogs(self._connection, self.path, self.snapshot, place, self._views)
            self._most_bytes = limit_memory(self._connection, memory) if memory else None
            self.most_bytes = self._most_bytes or memory_limit(self._connection)
            readable = {place, plain_path(place)}  # DuckDB asks for what is written, then for what that matches
            confine(self._connection, [f"{each}/{name}" for each in readable for name in (RELEASES, REFERENCES)])
            if has_old_releases(self.path, self.snapshot):
                self._views.create()  # which says at once what a table of an older contract lacks
        except duckdb.Error as error:
            self.close()
            raise why_unreadable(self.path, self.snapshot.datasets.items(), error) from None
        except FeatureStoreError:
            self.close()
            raise

    def sql(self, query: str, parameters: dict[str, Any] | list[Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Run one SELECT statement over the snapshot's views; read the result with ``.pl()``, ``.arrow()``, ``.df()``.

        Parameters
        ----------
        query, parameters
            The statement, and what its ``?`` or ``$name`` stand for.

        Raises
        ------
        QueryError
            The statement is not a single SELECT, or DuckDB refuses it.
        """
        tree, datasets = self._prepared(query, parameters)
        return self._bound(self.cursor(datasets, query), query, parameters, tree)

    def frame(
        self,
        query: str,
        parameters: dict[str, Any] | list[Any] | None = None,
        *,
        timeout: float | None = None,
        most_rows: int | None = None,
        most_bytes: int | None = None,
    ) -> pl.DataFrame:
        """Run one SELECT statement and return its result as a polars frame; several threads may at the same time.

        A repeated column name is numbered, and what polars has no type for, such as an interval, becomes text.

        Parameters
        ----------
        query, parameters
            The statement, and what its ``?`` or ``$name`` stand for.
        timeout
            Seconds after which it is given up.
        most_rows
            Rows after which no more are read.
        most_bytes
            What the result may take, in bytes; where None, what queries may, and any where neither is said.

        Raises
        ------
        QueryError
            As :meth:`sql`, or the statement fails while it runs, takes more time or memory than it may, or returns a
            date beyond the years 1 to 9999.
        """
        tree, datasets = self._prepared(query, parameters)
        with self.cursor(datasets, query) as cursor:
            table = within(cursor, timeout, lambda: self._table(cursor, query, parameters, tree, most_rows, most_bytes))
        return as_frame(table)

    def _prepared(
        self, query: str, parameters: dict[str, Any] | list[Any] | None
    ) -> tuple[str, Collection[str] | None]:
        """Refuse what is no SELECT, and fill the views that few ask for.

        Returns
        -------
        The statement's tree, and the datasets that it is about, as :meth:`cursor` takes them.
        """
        tree = check_select(self._connection, query)
        self._views.fill(query)
        return tree, pinned_datasets(tree, parameters)

    def _table(
        self,
        cursor: duckdb.DuckDBPyConnection,
        query: str,
        parameters: dict[str, Any] | list[Any] | None,
        tree: str,
        most_rows: int | None,
        most_bytes: int | None,
    ) -> pa.Table:
        n_at_once = ROWS_AT_ONCE if most_rows is None else min(ROWS_AT_ONCE, most_rows)
        relation = self._bound(cursor, query, parameters, tree)
        with as_held(relation).to_arrow_reader(n_at_once) as reader:
            batches = bounded(reader, most_bytes or self._most_bytes)
            kept = batches if most_rows is None else first_rows(batches, most_rows)
            return pa.Table.from_batches(kept, reader.schema)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """DuckDB's own connection, with every view."""
        self._views.create()
        return self._connection

    def cursor(self, datasets: Collection[str] | None = None, query: str | None = None) -> duckdb.DuckDBPyConnection:
        """Open a cursor of DuckDB's for queries about some datasets.

        Parameters
        ----------
        datasets
            It sees these, and may see others; all where None.
        query
            It has the views that this statement names; all where None.

        Raises
        ------
        WarehouseError
            A table of these views is missing, damaged or too old.
        """
        return self._narrow.cursor(datasets, query)

    def _bound(
        self,
        cursor: duckdb.DuckDBPyConnection,
        query: str,
        parameters: dict[str, Any] | list[Any] | None,
        tree: str,
    ) -> duckdb.DuckDBPyRelation:
        """Look a statement's names up.

        Raises
        ------
        QueryError
            One is not known, with what may be meant; or DuckDB refuses the statement.
        """
        try:
            return cursor.sql(query, params=parameters)
        except duckdb.CatalogException as error:
            if self._views.create():  # a name may be put together in the statement: query_table('sig' || 'nature')
                return self._bound(cursor, query, parameters, tree)
            raise (unknown_name(error, tree) or query_error(error)) from None
        except duckdb.Error as error:
            raise (unknown_name(error, tree) or query_error(error)) from None

    def manifest(self, dataset_id: str) -> dict[str, Any]:
        """Return the manifest of a dataset's release: inputs, spec, reference, row counts, checksums, timings.

        Parameters
        ----------
        dataset_id
            The dataset.

        Raises
        ------
        UnknownDatasetError
            The snapshot has no such dataset.
        """
        return read_manifest(self.path, dataset_id, self.snapshot.release_of(dataset_id))

    @contextmanager
    def at(self, number: int | None) -> Iterator[Warehouse]:
        """Give the warehouse at a snapshot: this one where it is open there, else another that is closed afterwards.

        That shows the same datasets, and its queries may take as much memory.

        Parameters
        ----------
        number
            Number of the snapshot; this one's where None.

        Raises
        ------
        WarehouseError
            There is no such snapshot, or it is damaged or too old.
        UnknownDatasetError
            It lacks one of the datasets shown.
        """
        if number in (None, self.snapshot.number):
            yield self
            return
        with Warehouse(self.url or self.path, number, datasets=self._datasets, memory=self._memory) as other:
            yield other

    def __reduce__(self) -> tuple[partial[Self], tuple[str | Path, int]]:
        """Copy and pickle by path or address, snapshot, the datasets shown and the memory that queries may take."""
        made = partial(type(self), datasets=self._datasets, memory=self._memory)
        return made, (self.url or self.path, self.snapshot.number)

    def close(self) -> None:
        """Close the connection and let go of the snapshot."""
        self._connection.close()
        self._let_go()
        if self.url:
            self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
