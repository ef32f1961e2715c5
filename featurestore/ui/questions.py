"""What pages ask of the warehouse: one SQL file a question, answered once for each snapshot.

A snapshot never changes, so an answer is kept until there is a newer one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import QueryError
from featurestore.query.sqlfiles import sql_files
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import check_warehouse, newest_number
from featurestore.ui.apart import Apart
from featurestore.ui.gene_sets import BroughtSets

SECONDS = 20.0
"""Time that one question may take."""
MOST_ROWS = 1_000_000
"""Rows that one answer may have."""
_MOST_BYTES = 200_000_000
"""What answers may take while they are kept."""

Answer = tuple[str, tuple[tuple[str, Any], ...]]


class Questions:
    """One snapshot, and the answers that it has given, the longest unused of them forgotten first.

    Parameters
    ----------
    store
        The open warehouse.
    apart
        Answers what people ask in SQL of their own.
    brought
        Keeps the gene sets that people bring.
    """

    def __init__(self, store: Warehouse, apart: Apart, brought: BroughtSets) -> None:
        self.store = store
        self.brought = brought
        self._apart = apart
        self._texts = sql_files("ui")
        self._answers: OrderedDict[Answer, pl.DataFrame] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, name: str, **parameters: Any) -> pl.DataFrame:
        """Answer the question of ``sql/ui/<name>.sql``; lists are given as tuples.

        Raises
        ------
        QueryError
            It takes too long, or too much memory.
        """
        key = (name, tuple(sorted(parameters.items())))
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
        frame = self.store.frame(self._texts[name], values, timeout=SECONDS, most_rows=MOST_ROWS)
        with self._lock:
            self._answers[key] = frame
            while (
                len(self._answers) > 1 and sum(kept.estimated_size() for kept in self._answers.values()) > _MOST_BYTES
            ):
                self._answers.popitem(last=False)
        return frame

    def query(self, text: str, most_rows: int, is_left: Callable[[], bool]) -> pl.DataFrame:
        """Answer a SELECT statement that someone wrote, as long as they wait for it.

        Raises
        ------
        QueryError
            It is wrong, takes too long or too much, or too many are asked at once.
        """
        number = self.store.snapshot.number
        return self._apart.frame(number, text, seconds=SECONDS, most_rows=most_rows, is_left=is_left)

    def one(self, name: str, what: str, **parameters: Any) -> dict[str, Any]:
        """Answer with the only row.

        Raises
        ------
        QueryError
            There is none.
        """
        frame = self.ask(name, **parameters)
        if frame.is_empty():
            got = ", ".join(repr(value) for value in parameters.values())
            raise QueryError(f"There is no such {what} in this snapshot.", got=got, do="search for it by any name")
        return frame.row(0, named=True)


class Shelf:
    """A warehouse as it is now: the latest snapshot, opened anew when there is a newer one.

    Parameters
    ----------
    path
        The warehouse.
    snapshot
        The one snapshot to show, whatever the latest is.
    memory
        The most memory that questions may take.
    """

    def __init__(self, path: Path, snapshot: int | None = None, memory: str = "4GB") -> None:
        self.path = path.resolve()
        self.name = self.path.name
        self._pinned = snapshot
        self._memory = memory
        self.apart = Apart(self.path, memory)
        self._lock = threading.Lock()
        self.brought = BroughtSets()
        self._questions = Questions(Warehouse(path, snapshot, memory=memory), self.apart, self.brought)

    @property
    def last(self) -> Questions:
        """The snapshot that was asked last, though the warehouse may be gone."""
        return self._questions

    def now(self) -> Questions:
        """Return the snapshot to ask.

        Raises
        ------
        WarehouseError
            The warehouse is gone, or its newest snapshot lost or damaged.
        """
        with self._lock:
            check_warehouse(self.path)
            newest = self._pinned or newest_number(self.path)
            if newest != self._questions.store.snapshot.number:
                store = Warehouse(self.path, self._pinned, memory=self._memory)
                self._questions = Questions(store, self.apart, self.brought)
            return self._questions
