"""The views of a snapshot, each created when a statement first names it: most questions are about two or three.

DuckDB opens every file of a view to create it, which of all views takes longer than to answer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from featurestore.query import compound_identity
from featurestore.query.views import comment_views, create_schemas, table_statements, view_statements
from featurestore.storage.release import why_unreadable
from featurestore.storage.snapshot import Snapshot

_WORD = re.compile(r"\w+")
_TABLE = re.compile(r"(?:release|reference)\.\w+")
_CATALOGUE = ("duckdb_", "information_schema", "pg_")
"""What a statement that asks the engine for its views names one of."""
_LISTING = (*_CATALOGUE, "pragma", "show", "sqlite_")
"""What a statement that may list views names one of."""
_COMMENTED = (*_CATALOGUE, "comment")
"""What a statement that may look at comments names one of."""


class ViewsOnDemand:
    """The views and tables of a snapshot that a connection has, and those that it will have once they are named.

    Parameters
    ----------
    connection
        Where they are created.
    root, snapshot, place
        As of :func:`featurestore.query.views.table_statements`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot, place: str) -> None:
        self._connection, self._root, self._snapshot = connection, root, snapshot
        self._waiting = table_statements(root, snapshot, place) | view_statements()
        self._lock = threading.Lock()
        self._filling, self._knows_compounds, self._has_comments = threading.Lock(), False, False
        create_schemas(connection)

    def create(self, statement: str | None = None) -> bool:
        """Create the views that a statement names; all where there is none, or where it may list them.

        Returns
        -------
        Whether any was created.

        Raises
        ------
        WarehouseError
            A table is missing, damaged or too old.
        """
        if not self._waiting:
            return False
        with self._lock:
            names = list(self._named(statement))
            for name in names:
                self._create(name)
        return bool(names)

    def fill(self, statement: str) -> None:
        """Fill what takes long and few ask for, where a statement names it: compounds as one, and comments.

        Raises
        ------
        WarehouseError
            A table is missing, damaged or too old.
        """
        named = statement.lower()
        if compound_identity.VIEW in named:
            self.create(compound_identity.MADE_OF)
            with self._filling, self._connection.cursor() as cursor:
                if not self._knows_compounds:
                    compound_identity.fill_compound_identity(cursor)
                    self._knows_compounds = True
        if any(name in named for name in _COMMENTED):
            self.create()
            with self._filling, self._connection.cursor() as cursor:
                if not self._has_comments:
                    comment_views(cursor)
                    self._has_comments = True

    def _named(self, statement: str | None) -> Iterator[str]:
        """Yield what is to be created, tables before the views that are made of them."""
        text = None if statement is None else statement.lower()
        if text is None or any(each in text for each in _LISTING):
            yield from list(self._waiting)
            return
        words = set(_WORD.findall(text))
        named = [name for name in self._waiting if name.rpartition(".")[2] in words]
        tables = (table for name in named for table in _TABLE.findall(self._waiting[name]))
        yield from dict.fromkeys(name for name in _tables_first([*tables, *named]) if name in self._waiting)

    def _create(self, name: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(self._waiting[name])
        except duckdb.Error as error:
            raise why_unreadable(self._root, self._snapshot.datasets.items(), error) from None
        del self._waiting[name]


def _tables_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: "." not in name)
