"""The views of a snapshot, in DuckDB: each a SELECT over the files of its releases."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from featurestore.contract import COLUMNS, CONTRACT_VERSION, RELEASE, SHARED, SINCE_VERSION_2, VIEWS, Table
from featurestore.query import compound_identity
from featurestore.query.sqlfiles import heading, sql_files
from featurestore.storage.addresses import plain_path
from featurestore.storage.folders import is_there
from featurestore.storage.release import check_manifest, release_files
from featurestore.storage.snapshot import REFERENCES, RELEASES, Snapshot, read_manifest

DATABASE = "featurestore.duckdb"
_BETWEEN_FILES = ("\n", "\r", "\x1f", "\x1e", "\x1d", "\x1c")
"""Of these, the first that no path has stands between the paths of a table."""
_KEYS = re.compile(rf".*/{RELEASES}/dataset_id=([^/]+)/release_id=([^/]+)/", re.DOTALL)
_DUCKDB_TYPES: dict[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.List(pl.String()): "VARCHAR[]",
    pl.List(pl.Int32()): "INTEGER[]",
    pl.List(pl.Float64()): "DOUBLE[]",
    pl.Int64(): "BIGINT",
    pl.Int32(): "INTEGER",
    pl.Float32(): "FLOAT",
    pl.Float64(): "DOUBLE",
    pl.Boolean(): "BOOLEAN",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}


def attach_views(
    connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot, place: str | None = None
) -> None:
    """Create the views of a snapshot, without their comments; ``root`` and ``place`` as of :func:`table_statements`."""
    attach_tables(connection, root, snapshot, place)
    for statement in view_statements().values():
        connection.execute(statement)


def attach_tables(
    connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot, place: str | None = None
) -> None:
    """Create the schemas ``release`` and ``reference``, which the views of a snapshot are made of."""
    create_schemas(connection)
    for statement in table_statements(root, snapshot, place).values():
        connection.execute(statement)


def create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas ``release`` and ``reference``, empty."""
    connection.execute("create schema release")
    connection.execute("create schema reference")


def table_statements(root: Path, snapshot: Snapshot, place: str | None = None) -> dict[str, str]:
    """Return the statement that creates each table of a snapshot, by its name with the schema.

    ``root`` is absolute; the tables are in ``place``, where that is not the same.
    """
    files = snapshot_files(root, snapshot, place or str(root))
    shown = f"{snapshot.number} as snapshot, {_quote(place or str(root))} as root"
    is_old = has_old_releases(root, snapshot)
    columns = ", ".join(f"{name} varchar" for name in VIEWS[compound_identity.VIEW].columns)
    scans = {"release.snapshot": f"select {shown}"}
    scans |= {f"release.{name}": _scan(table, files[name], is_old=is_old) for name, table in RELEASE.items()}
    scans |= {
        "reference.gene": _scan_references(files["reference"]),
        "reference.gene_label": _scan_labels(files["labels"]),
    }
    statements = {name: f"create view {name} as {scan}" for name, scan in scans.items()}
    identity = f"release.{compound_identity.VIEW}"
    return statements | {identity: f"create table {identity} ({columns})"}


def view_statements() -> dict[str, str]:
    """Return the statement that creates each view, by its name: a SELECT over tables of a snapshot."""
    texts = sql_files("views")
    return {
        view.name: f"create view {view.name} as select {', '.join(view.columns)} from ({texts[view.name]})"  # noqa: S608
        for view in VIEWS.values()
    }


def comment_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Say of every view and of its columns what they are: that takes as long as to create them."""
    for statement in _comment_statements():
        connection.execute(statement)
    connection.execute(f"comment on view release.snapshot is {_quote(_edition())}")


def _comment_statements() -> Iterator[str]:
    texts = sql_files("views")
    for view in VIEWS.values():
        comment = f"Grain: {view.grain}. {heading(texts[view.name])}"
        yield f"comment on view {view.name} is {_quote(comment)}"
        for name in view.columns:
            column = COLUMNS[name]
            sentence = f"{column.sentence} Unit: {column.unit}." if column.unit else column.sentence
            yield f"comment on column {view.name}.{name} is {_quote(sentence)}"


def _edition() -> str:
    """Tell views as they are defined now from those that another version of this program wrote."""
    scans = [_scan(table, []) for table in RELEASE.values()]
    told = "\n".join([*scans, *view_statements().values(), *_comment_statements()])
    return f"Edition of the views: {hashlib.sha256(told.encode()).hexdigest()[:16]}."


def attach_views_of_few(
    connection: duckdb.DuckDBPyConnection, root: Path, snapshot: Snapshot, place: str, whole: str
) -> None:
    """Create the views of a few datasets in the catalog that the connection uses.

    Those that are of no one dataset show what they do in the catalog ``whole``, of all datasets.
    """
    files = snapshot_files(root, snapshot, place)
    connection.execute("create schema release")
    is_old = has_old_releases(root, snapshot)
    for table in RELEASE.values():
        scan = _scan(table, files[table.name], is_old=is_old)
        connection.execute(f"create view release.{table.name} as {scan}")
    texts = sql_files("views")
    for view in VIEWS.values():
        scan = f"from {whole}.main.{view.name}" if view.name in SHARED else texts[view.name]
        connection.execute(f"create view {view.name} as select {', '.join(view.columns)} from ({scan})")  # noqa: S608


def open_database(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a ``featurestore.duckdb`` for looking at its definitions."""
    return duckdb.connect(str(path), read_only=True, config={"enable_external_access": False})


def shown_snapshot(root: Path, path: Path) -> int | None:
    """Return which snapshot of a warehouse a ``featurestore.duckdb`` shows.

    None where the file is missing or damaged; 0 where it shows another folder, the warehouse having been moved, or has
    the views of another version of this program.
    """
    comment = "select comment from duckdb_views() where schema_name = 'release' and view_name = 'snapshot'"
    try:
        with open_database(path) as connection:
            row = connection.execute(f"select snapshot, root, ({comment}) from release.snapshot").fetchone()  # noqa: S608
    except duckdb.Error:
        return None
    number, *shown = row or (0,)
    return int(number) if shown == [str(root.resolve()), _edition()] else 0


def snapshot_files(root: Path, snapshot: Snapshot, place: str) -> dict[str, list[str]]:
    """List the files of a snapshot by table of the release, and of its references under ``reference`` and ``labels``.

    ``root`` has the manifests; the files are in ``place``, under the same names.
    """
    files: dict[str, list[str]] = {name: [] for name in (*RELEASE, "reference")}
    references: dict[str, None] = {}
    for dataset_id, release_id in sorted(snapshot.datasets.items()):
        found = release_files(root, dataset_id, release_id)
        check_manifest(root, dataset_id, release_id, snapshot.manifests.get(dataset_id))
        for table, path in found:
            files[table].append(f"{place}/{path.relative_to(root).as_posix()}")
        references.setdefault(read_manifest(root, dataset_id, release_id)["gene_reference"])
    files["reference"] = [f"{place}/{REFERENCES}/{reference}/gene.parquet" for reference in references]
    labels = (f"{REFERENCES}/{reference}/gene_label.parquet" for reference in references)
    files["labels"] = [f"{place}/{name}" for name in labels if is_there(root / name)]
    return files


def has_old_releases(root: Path, snapshot: Snapshot) -> bool:
    """Say whether a release of a snapshot was written by an older contract, whose tables may lack columns."""
    manifests = (read_manifest(root, *each) for each in snapshot.datasets.items())
    return any(manifest.get("contract_version", 0) < CONTRACT_VERSION for manifest in manifests)


def _scan(table: Table, files: list[str], *, is_old: bool = False) -> str:
    keys = {"dataset_id": "VARCHAR", "release_id": "VARCHAR"}
    if any(path.count("=") > len(keys) for path in files):
        return _scan_by_release(table, files)
    if files:
        # one text: as a list of a thousand, it is parsed for each query
        between = next(sign for sign in _BETWEEN_FILES if not any(sign in path for path in files))
        listed = f"string_split({_quote(plain_path(between.join(files)))}, {_quote(between)})"
        # by name: only then does DuckDB know how large each file is, once a filter has left few of them
        options = f"hive_partitioning = true, hive_types = {keys}, union_by_name = true"
        scan = f"select * from read_parquet({listed}, {options})"  # noqa: S608
        lacking = [name for name in table.columns if name in SINCE_VERSION_2] if is_old else []
        if lacking:
            nulls = ", ".join(f"null::{_DUCKDB_TYPES[table.schema[name]]} as {name}" for name in lacking)
            return f"{scan} union all by name select {nulls} where false"
        return scan
    return scan_of_nothing(table)


def _scan_by_release(table: Table, files: list[str]) -> str:
    """Say the keys of every release, where DuckDB would take others from the folders that the warehouse lies in."""
    releases: dict[tuple[str, str], list[str]] = {}
    for path in files:
        keys = _KEYS.match(path)
        if keys is not None:
            releases.setdefault((keys[1], keys[2]), []).append(_quote(plain_path(path)))
    held = [name for name in ("dataset_id", "release_id") if name in table.columns]
    own = f"* exclude ({', '.join(held)})" if held else "*"
    scans = []
    for (dataset_id, release_id), paths in releases.items():
        scan = f"read_parquet([{', '.join(paths)}], hive_partitioning = false, union_by_name = true)"
        named = f"{_quote(dataset_id)} as dataset_id, {_quote(release_id)} as release_id"
        scans.append(f"select {own}, {named} from {scan}")  # noqa: S608
    return " union all by name ".join(scans)


def scan_of_nothing(table: Table) -> str:
    """Select no row of a table of releases, with its columns."""
    types = {name: _DUCKDB_TYPES[dtype] for name, dtype in table.schema.items()}
    types |= {"dataset_id": "VARCHAR", "release_id": "VARCHAR"}
    return f"select {', '.join(f'null::{dtype} as {name}' for name, dtype in types.items())} where false"


def _scan_references(files: list[str]) -> str:
    if not files:
        columns = ", ".join(f"null::VARCHAR as {name}" for name in VIEWS["gene"].columns)
        return f"select {columns}, 0 as reference_rank where false"
    scans = (
        f"select *, {rank} as reference_rank from read_parquet({_quote(plain_path(file))}, hive_partitioning = false)"  # noqa: S608
        for rank, file in enumerate(files)
    )
    return " union all by name ".join(scans)


def _scan_labels(files: list[str]) -> str:
    if not files:
        return "select null::VARCHAR as label, null::VARCHAR as gene_id, null::VARCHAR as kind where false"
    paths = ", ".join(_quote(plain_path(file)) for file in files)
    scan = f"read_parquet([{paths}], hive_partitioning = false)"
    return f"select distinct label, gene_id, kind::VARCHAR as kind from {scan}"  # noqa: S608


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
