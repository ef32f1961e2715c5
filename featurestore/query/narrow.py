"""Catalogs of a few datasets beside the whole snapshot's, made when the first query is about those datasets alone.

DuckDB lists every file of a view each time it plans: a query that is planned over the files it can need takes as long
with a thousand datasets in the warehouse as with ten.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import duckdb

from featurestore.contract.tables import SHARED
from featurestore.query.on_demand import ViewsOnDemand
from featurestore.query.views import attach_views_of_few
from featurestore.storage.snapshot import Snapshot

LEAST_DATASETS = 12
"""Snapshots of fewer datasets are planned whole: that takes some milliseconds."""
MOST_CATALOGS = 500
_WHOLE = "memory"
"""What DuckDB calls the catalog of a connection that keeps no file."""


class NarrowCatalogs:
    """Catalogs by the datasets that they show.

    Parameters
    ----------
    connection
        What the catalogs are attached to.
    root, snapshot, place
        As of :func:`featurestore.query.views.table_statements`.
    views
        The views of the whole snapshot.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        root: Path,
        snapshot: Snapshot,
        place: str,
        views: ViewsOnDemand,
    ) -> None:
        self._connection, self._root, self._snapshot, self._place = connection, root, snapshot, place
        self._views = views
        self._names: dict[frozenset[str], str | None] = {}
        self._lock = threading.Lock()

    def cursor(self, datasets: Collection[str] | None, query: str | None) -> duckdb.DuckDBPyConnection:
        """Open a cursor that sees these datasets, and may see others; all where None.

        It has the views that ``query`` names; all where None.
        """
        name = self._name(frozenset(datasets or ()))
        if name is None:
            self._views.create(query)
        cursor = self._connection.cursor()
        if name is not None:
            cursor.execute(f"use {name}")
        return cursor

    def _name(self, datasets: frozenset[str]) -> str | None:
        """Name the catalog of some datasets, made when it is first asked for; None for that of all."""
        known = datasets.intersection(self._snapshot.datasets)
        if not known or len(self._snapshot.datasets) < LEAST_DATASETS or len(known) * 2 > len(self._snapshot.datasets):
            return None
        with self._lock:
            if known not in self._names and len(self._names) < MOST_CATALOGS:
                self._names[known] = self._made(f"few_{len(self._names)}", sorted(known))
            return self._names.get(known)

    def _made(self, name: str, datasets: list[str]) -> str | None:
        """Make a catalog; None where DuckDB cannot: the query goes on with all datasets, and says what is wrong."""
        only = replace(self._snapshot, datasets={each: self._snapshot.datasets[each] for each in datasets})
        self._views.create(" ".join(SHARED))
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(f"attach ':memory:' as {name} (hidden true)")
                cursor.execute(f"use {name}")
                attach_views_of_few(cursor, self._root, only, self._place, _WHOLE)
        except duckdb.Error:
            return None
        return name
