"""A query can read the warehouse and nothing else, for as long and with as much memory as it may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from featurestore.errors import QueryError

Result = TypeVar("Result")

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s", re.IGNORECASE)
_SIZES = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def check_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Refuse everything but one SELECT (or EXPLAIN of one): inside an allowed folder, COPY and ATTACH could write.

    Raises
    ------
    QueryError
        The text does not parse, is empty, holds several statements, or one that is not a SELECT.
    """
    try:
        statements = connection.extract_statements(query)
        kinds = [statement.type for statement in statements]
        explain = _EXPLAIN.match(query)
        if kinds == [duckdb.StatementType.EXPLAIN] and explain:
            kinds = [statement.type for statement in connection.extract_statements(query[explain.end() :])]
    except duckdb.Error as error:
        raise query_error(error) from None
    if kinds != [duckdb.StatementType.SELECT]:
        got = ", ".join(str(kind).rpartition(".")[2] for kind in kinds) or "nothing"
        raise QueryError("The warehouse is read-only.", expected="one SELECT statement", got=got)


def confine(connection: duckdb.DuckDBPyConnection, folders: list[Path]) -> None:
    """Let a connection read some folders and nothing else, spill nothing to disk, and change none of that again."""
    allowed = ", ".join("'" + f"{folder}/".replace("'", "''") + "'" for folder in folders)
    connection.execute(f"set allowed_directories = [{allowed}]")
    connection.execute("set temp_directory = ''")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set timezone = 'UTC'")
    connection.execute("set python_enable_replacements = false")
    connection.execute("set lock_configuration = true")


def limit_memory(connection: duckdb.DuckDBPyConnection, memory: str) -> int:
    """Set the most memory that queries may take, such as ``4GB``, and return it. Unit: bytes.

    Raises
    ------
    QueryError
        The text is no size.
    """
    try:
        connection.execute("set memory_limit = ?", [memory])
        setting = connection.execute("select value from duckdb_settings() where name = 'memory_limit'").fetchone()
    except duckdb.Error as error:
        raise query_error(error) from None
    number, unit = str(setting[0]).split() if setting else ("0", "bytes")
    return int(float(number) * _SIZES[unit])


def bounded(reader: pa.RecordBatchReader, most_bytes: int | None) -> Iterator[pa.RecordBatch]:
    """Yield a result's batches until they take more memory than they may.

    Raises
    ------
    QueryError
        They do.
    """
    held = 0
    for batch in reader:
        held += batch.nbytes
        if most_bytes is not None and held > most_bytes:
            raise QueryError(
                "The result is larger than the memory it may take.",
                expected=f"at most {most_bytes / 1e9:.2g} GB",
                do="select fewer rows or columns, or raise the limit (--memory)",
            )
        yield batch


def within(connection: duckdb.DuckDBPyConnection, seconds: float | None, work: Callable[[], Result]) -> Result:
    """Do work on a connection in another thread, so that a time limit or Ctrl-C can end it.

    Raises
    ------
    QueryError
        The work fails, or takes too long.
    """
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(work)
        try:
            return future.result(seconds)
        except TimeoutError:
            _stop(connection, future)
            raise QueryError(
                "The query took too long.",
                expected=f"at most {seconds:g} s",
                do="ask for less, or give it more time (--timeout)",
            ) from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise query_error(error) from None
        except KeyboardInterrupt:
            _stop(connection, future)
            raise


def _stop(connection: duckdb.DuckDBPyConnection, future: Future[Result]) -> None:
    """Interrupt until the work has ended: between two statements an interrupt is not seen."""
    while not future.done():
        connection.interrupt()
        wait([future], timeout=0.02)


def query_error(error: Exception) -> QueryError:
    """Say what DuckDB says, its kind of error as the place."""
    kind, _, message = str(error).partition(": ")
    return QueryError(message.strip() or kind, where=kind)
