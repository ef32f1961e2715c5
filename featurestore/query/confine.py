"""A query can read the warehouse and nothing else, for as long and with as much memory as it may."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import duckdb
import pyarrow as pa

from featurestore.errors import FeatureStoreError, QueryError
from featurestore.query.watched import took_too_long
from featurestore.scarcity import scarcity

Result = TypeVar("Result")

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s", re.IGNORECASE)
_PART = re.compile(r'"type":"(\w+_NODE)"')
_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_BETWEEN_LOOKS = 0.1
"""How often a waiting thread looks up: asleep without end, it may not see Ctrl-C. Unit: seconds."""
_SIZES = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def check_select(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Refuse everything but one SELECT (or EXPLAIN of one): inside an allowed folder, COPY and ATTACH could write.

    Returns the tree of the SELECT, as ``json_serialize_sql`` writes it; nothing where DuckDB writes none.

    A SELECT may itself hold a COPY, in its WITH clause, so its parts are looked at too.

    Raises
    ------
    QueryError
        The text does not parse, is empty, holds several statements, or one that is not a SELECT.
    """
    tree = ""
    try:
        kinds = _kinds(connection, query)
        explain = _EXPLAIN.match(query)
        if kinds == ["EXPLAIN"] and explain:
            query = query[explain.end() :]
            kinds = _kinds(connection, query)
        if kinds == ["SELECT"]:
            tree = _tree(connection, query)
            kinds = sorted(_parts(tree) - _READING) or kinds
    except duckdb.Error as error:
        raise query_error(error) from None
    if not kinds:
        raise QueryError("The statement is empty.", expected="one SELECT statement", do="ask: select * from dataset")
    if kinds != ["SELECT"]:
        raise QueryError("The warehouse is read-only.", expected="one SELECT statement", got=", ".join(kinds))
    return tree


def _kinds(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    try:
        return [str(statement.type).rpartition(".")[2] for statement in connection.extract_statements(query)]
    except ValueError:  # DuckDB knows the statement, its Python package has no name for it
        return ["UNKNOWN"]


def _tree(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    with connection.cursor() as cursor:
        row = cursor.execute("select json_serialize_sql($query)", {"query": query}).fetchone()
    return str(row[0]) if row else ""


def _parts(tree: str) -> set[str]:
    """Return the kinds of the queries that a SELECT is made of."""
    return set(_PART.findall(tree)) if tree.startswith('{"error":false') else {"UNKNOWN"}


def confine(connection: duckdb.DuckDBPyConnection, folders: list[str]) -> None:
    """Let a connection read some folders and nothing else, spill nothing to disk, and change none of that again.

    What is set holds for its cursors too: a setting that is not global is another in each.
    """
    allowed = ", ".join("'" + f"{folder}/".replace("'", "''") + "'" for folder in folders)
    connection.execute(f"set allowed_directories = [{allowed}]")
    connection.execute("set temp_directory = ''")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set global timezone = 'UTC'")
    connection.execute("set global python_enable_replacements = false")
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
    except duckdb.Error as error:
        raise query_error(error) from None
    return memory_limit(connection)


def memory_limit(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the most memory that queries may take. Unit: bytes."""
    setting = connection.execute("select current_setting('memory_limit')").fetchone()
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
                expected=f"at most {most_bytes / 1e6:,.0f} MB",
                do="select fewer rows or columns, or give featurestore sql more (--memory)",
            )
        yield batch


def within(connection: duckdb.DuckDBPyConnection, seconds: float | None, work: Callable[[], Result]) -> Result:
    """Do work on a connection in another thread, so that a time limit or Ctrl-C can end it.

    Raises
    ------
    QueryError
        The work fails, or takes too long.
    """
    deadline = time.monotonic() + (math.inf if seconds is None else seconds)
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(work)
        try:
            while not wait([future], timeout=min(_BETWEEN_LOOKS, max(deadline - time.monotonic(), 0))).done:
                if seconds is not None and time.monotonic() > deadline:
                    _stop(connection, future)
                    raise took_too_long(seconds)
            return future.result()
        except MemoryError as error:
            raise _too_much(str(error)) from None
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


def query_error(error: Exception) -> FeatureStoreError:
    """Say what DuckDB says, its kind of error as the place; or that threads or open files are wanting."""
    kind, _, message = str(error).partition(": ")
    if kind == "Out of Memory Error" or "bad_alloc" in str(error):
        return _too_much(message.strip().partition("\n")[0])
    if "expression depth" in message:
        got = message.strip().partition(".")[0]
        return QueryError("The query is nested too deeply.", where=kind, got=got, do="nest it less deeply")
    return scarcity(error) or QueryError(message.strip() or kind, where=kind)


def _too_much(got: str) -> QueryError:
    return QueryError(
        "The query needs more memory than it may take.",
        got=got,
        do="select fewer rows or columns, or raise the limit (--memory)",
    )
