"""What mygene.info answered, kept in the warehouse so that no question is asked twice.

``cache/mygene.parquet`` has one row a question: the answer as it came, misses too, the build of the service's data,
and when it was asked; the file has the checksum of its rows. It can be deleted; the next ``--online`` asks again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import WarehouseError
from featurestore.storage.sealed import read_sealed, write_sealed

PLACE = Path("cache") / "mygene.parquet"
SCHEMA = pl.Schema(
    {
        "scopes": pl.String(),
        "query": pl.String(),
        "hits": pl.String(),
        "build_version": pl.String(),
        "fetched_at": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of one question, and the build of the data that they are from."""

    hits: list[dict[str, Any]]
    build: str


class AnswerCache:
    """Answers by question.

    Parameters
    ----------
    warehouse
        Where they are kept; None keeps them for as long as the object lives.
    """

    def __init__(self, warehouse: Path | None = None) -> None:
        self._path = warehouse / PLACE if warehouse is not None else None
        self._kept: dict[tuple[str, str], Answer] = {}
        self._new: list[tuple[Any, ...]] = []
        for scopes, query, hits, build, _ in self._read().iter_rows():
            with suppress(ValueError, TypeError):
                self._kept[scopes, query] = Answer(json.loads(hits), build)

    def get(self, scopes: str, query: str) -> Answer | None:
        """Return the answer to a question, if it was asked before."""
        return self._kept.get((scopes, query))

    def put(self, scopes: str, query: str, answer: Answer) -> None:
        """Keep an answer."""
        self._kept[scopes, query] = answer
        self._new.append((scopes, query, json.dumps(answer.hits, sort_keys=True), answer.build, datetime.now(UTC)))

    def save(self) -> None:
        """Add the new answers to the file; what another process has written meanwhile stays.

        Raises
        ------
        WarehouseError
            The file cannot be written.
        """
        if self._path is None or not self._new:
            return
        new = pl.DataFrame(self._new, schema=SCHEMA, orient="row")
        table = pl.concat([self._read(), new]).unique(["scopes", "query"], keep="last", maintain_order=True)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(table, self._path)
        except OSError as error:
            raise WarehouseError(
                "The answers of mygene.info cannot be kept.", where=str(self._path), got=error.strerror or str(error)
            ) from None
        self._new.clear()

    def _read(self) -> pl.DataFrame:
        """Read the file; one that is missing, damaged or without a checksum holds nothing: all can be asked again."""
        if self._path is not None:
            with suppress(WarehouseError, pl.exceptions.PolarsError):
                if (table := read_sealed(self._path)) is not None:
                    return table.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
        return SCHEMA.to_frame()
