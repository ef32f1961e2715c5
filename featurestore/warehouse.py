"""Open a warehouse for reading: the views of one snapshot in a DuckDB that can reach nothing else.

Why DuckDB over plain Parquet: a release never changes once published, so a snapshot is a list of files, and a query
needs no server. The connection lives in memory; the files stay readable by any other engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb
import polars as pl

from featurestore.contract import COLUMNS, RELEASE, VIEWS, Table
from featurestore.errors import QueryError, WarehouseError
from featurestore.snapshot import REFERENCES, RELEASES, Snapshot, read_manifest, read_snapshot, release_path
from featurestore.sqlfiles import heading, sql_files

if TYPE_CHECKING:
    from featurestore.features.feature_matrix import FeatureMatrix

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s", re.IGNORECASE)
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
        The warehouse folder.
    snapshot
        Number of the snapshot; the latest by default.

    Raises
    ------
    WarehouseError
        The folder does not exist, or has no such snapshot.

    Examples
    --------
    >>> import featurestore as fs
    >>> store = fs.open("warehouse")  # doctest: +SKIP
    >>> store.sql("select dataset_id, n_cells from dataset").pl()  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, snapshot: int | None = None) -> None:
        self.path = Path(path).resolve()
        if not self.path.is_dir():
            raise WarehouseError(
                "There is no warehouse.",
                where=str(self.path),
                do="ingest a dataset first: featurestore ingest SPEC.toml, or name another folder with --warehouse",
            )
        self.snapshot: Snapshot = read_snapshot(self.path, snapshot)
        self.connection = duckdb.connect(":memory:")
        attach_views(self.connection, self.path, self.snapshot)
        _confine(self.connection, self.path)

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
            raise _query_error(error) from None
        return relation

    def frame(self, query: str, parameters: dict[str, Any] | list[Any] | None = None) -> pl.DataFrame:
        """Run one SELECT statement and return its result as a polars frame.

        Raises
        ------
        QueryError
            As :meth:`sql`, or the statement fails while it runs.
        """
        try:
            frame: pl.DataFrame = self.sql(query, parameters).pl()
        except duckdb.Error as error:
            raise _query_error(error) from None
        return frame

    def manifest(self, dataset_id: str) -> dict[str, Any]:
        """Return the manifest of a dataset's release: inputs, spec, reference, row counts, checksums, timings."""
        return read_manifest(self.path, dataset_id, self.snapshot.release_of(dataset_id))

    def build(self, spec: str | Path) -> FeatureMatrix:
        """Build the feature matrix of a feature spec; see :func:`featurestore.features.builder.build`."""
        from featurestore.features.builder import build  # noqa: PLC0415, reading needs no model library

        return build(self, spec)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def attach_views(connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot) -> None:
    """Create the views of a snapshot, every one with its comment, its columns with theirs."""
    files = _files(root, snapshot)
    connection.execute("create schema release")
    connection.execute("create schema reference")
    for table in RELEASE.values():
        connection.execute(f"create view release.{table.name} as {_scan(table, files[table.name])}")
    connection.execute(f"create view reference.gene as {_scan_references(files['reference'])}")
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
        if kinds == [duckdb.StatementType.EXPLAIN]:
            inner = _EXPLAIN.sub("", query, count=1)
            kinds = [statement.type for statement in connection.extract_statements(inner)]
    except duckdb.Error as error:
        raise _query_error(error) from None
    if kinds != [duckdb.StatementType.SELECT]:
        got = ", ".join(str(kind).rpartition(".")[2] for kind in kinds) or "nothing"
        raise QueryError("The warehouse is read-only.", expected="one SELECT statement", got=got)


def _files(root: Path, snapshot: Snapshot) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {name: [] for name in (*RELEASE, "reference")}
    references: dict[str, None] = {}
    for dataset_id, release_id in sorted(snapshot.datasets.items()):
        manifest = read_manifest(root, dataset_id, release_id)
        folder = release_path(root, dataset_id, release_id)
        for file in manifest["files"]:
            files[file["table"]].append(str(folder / file["path"]))
        references.setdefault(manifest["gene_reference"])
    files["reference"] = [str(root / REFERENCES / reference / "gene.parquet") for reference in references]
    return files


def _scan(table: Table, files: list[str]) -> str:
    keys = {"dataset_id": "VARCHAR", "release_id": "VARCHAR"}
    if files:
        paths = ", ".join(map(_quote, files))
        return f"select * from read_parquet([{paths}], hive_partitioning = true, hive_types = {keys})"  # noqa: S608
    types = {name: _DUCKDB_TYPES[dtype] for name, dtype in table.schema.items()} | keys
    return f"select {', '.join(f'null::{dtype} as {name}' for name, dtype in types.items())} where false"


def _scan_references(files: list[str]) -> str:
    if not files:
        columns = ", ".join(f"null::VARCHAR as {name}" for name in VIEWS["gene"].columns)
        return f"select {columns}, 0 as reference_rank where false"
    scans = (f"select *, {rank} as reference_rank from read_parquet({_quote(f)})" for rank, f in enumerate(files))  # noqa: S608
    return " union all by name ".join(scans)


def _confine(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    folders = ", ".join(_quote(f"{root / name}/") for name in (RELEASES, REFERENCES))
    connection.execute(f"set allowed_directories = [{folders}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set timezone = 'UTC'")
    connection.execute("set python_enable_replacements = false")
    connection.execute("set lock_configuration = true")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _query_error(error: duckdb.Error) -> QueryError:
    kind, _, message = str(error).partition(": ")
    return QueryError(message.strip() or kind, where=kind)
