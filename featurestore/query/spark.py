"""A snapshot in Apache Spark: its Parquet files as they are, the contract's views, and the same SQL, translated.

For questions that outgrow one machine. The SQL of this project is DuckDB's; sqlglot translates the views and whatever
is asked. What the translation has to be told is here: which columns are lists, and what Spark has no word for. Where
the engines differ for good, Spark says so: a number divided by 0 is an error, and ``list`` leaves out what is NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from featurestore.contract import COLUMNS, RELEASE, VIEWS
from featurestore.errors import FeatureStoreError, QueryError
from featurestore.query.sqlfiles import sql_files
from featurestore.query.views import scan_of_nothing, snapshot_files
from featurestore.query.warehouse import Warehouse

try:
    import sqlglot
    from pyspark.sql import DataFrame, SparkSession
    from sqlglot import exp
except ModuleNotFoundError as error:
    raise FeatureStoreError(
        "Spark needs packages that are not installed.",
        got=f"missing: {error.name}",
        do="pip install 'perturbation-featurestore[spark]', and Java 17",
    ) from None

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
"""Ids in paths are text, whatever they look like; times are of the world."""
LISTS = {name for name, column in COLUMNS.items() if isinstance(column.dtype, pl.List)}


def register(session: SparkSession, warehouse: Warehouse) -> None:
    """Make the views of a snapshot in a Spark session, for :func:`sql` or ``session.sql``.

    Parameters
    ----------
    session
        The session; its workers see the warehouse under the same path or address.
    warehouse
        The snapshot. It stays open as long as ``gc`` may run.
    """
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    place = warehouse.url or str(warehouse.path)
    files = snapshot_files(warehouse.path, warehouse.snapshot, place)
    for table in RELEASE.values():
        found = files[table.name]
        reader = session.read.option("basePath", f"{place}/releases").option("mergeSchema", "true")
        frame = reader.parquet(*found) if found else session.sql(translate(scan_of_nothing(table)))
        frame.createOrReplaceTempView(f"release_{table.name}")
    known = warehouse.frame("select * from compound_identity")
    schema = ", ".join(f"{name} string" for name in known.columns)
    session.createDataFrame(known.rows(), schema).createOrReplaceTempView("release_compound_identity")
    _genes(session, files["reference"]).createOrReplaceTempView("reference_gene")
    texts = sql_files("views")
    for view in VIEWS.values():
        session.sql(translate(texts[view.name])).select(*view.columns).createOrReplaceTempView(view.name)


def sql(session: SparkSession, query: str) -> DataFrame:
    """Ask a session with the views of a snapshot in the SQL of this project.

    Raises
    ------
    QueryError
        The text does not parse as one statement.
    """
    return session.sql(translate(query))


def translate(query: str) -> str:
    """Translate one statement from DuckDB's SQL to Spark's.

    Examples
    --------
    >>> translate("select count(*) filter (z > 2) from release.signature where len(target_gene_ids) > 0")
    'SELECT COUNT(*) FILTER(WHERE z > 2) FROM release_signature WHERE SIZE(target_gene_ids) > 0'

    Raises
    ------
    QueryError
        The text does not parse as one statement.
    """
    try:
        tree = sqlglot.parse_one(query, read="duckdb")
    except sqlglot.errors.ParseError as error:
        raise QueryError("The SQL does not parse.", got=" ".join(str(error).split())) from None
    for rule in RULES:
        tree = tree.transform(rule)
    for select in reversed(list(tree.find_all(exp.Select))):  # the innermost first
        if select.args.get("qualify"):
            outer = _chosen_outside(select.copy())
            tree = outer if select is tree else tree
            select.replace(outer)
    return str(tree.sql(dialect="spark", comments=False))


def _flat_name(node: exp.Expression) -> exp.Expression:
    """Temporary views of Spark have no schema."""
    if isinstance(node, exp.Table) and node.db in {"release", "reference"}:
        node.set("this", exp.to_identifier(f"{node.db}_{node.name}"))
        node.set("db", None)
    return node


def _size_of_list(node: exp.Expression) -> exp.Expression:
    """Say size, not length, of what is a list."""
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Column) and node.this.name in LISTS:
        return exp.func("size", node.this, dialect="spark")
    return node


def _ordered_list(node: exp.Expression) -> exp.Expression:
    """Sort a list after it is gathered, where DuckDB gathers it in its own order."""
    if isinstance(node, exp.ArrayAgg) and isinstance(node.this, exp.Order):
        ordered = node.this.expressions
        if len(ordered) == 1 and ordered[0].this == node.this.this and not ordered[0].args.get("desc"):
            return exp.func("array_sort", exp.ArrayAgg(this=node.this.this), dialect="spark")
    return node


def _beginning(node: exp.Expression) -> exp.Expression:
    """Take the beginning of a list."""
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Slice):
        part = node.expressions[0]
        if part.this is None and isinstance(part.expression, exp.Literal):
            return exp.func("slice", node.this, exp.Literal.number(1), part.expression, dialect="spark")
    return node


def _union_by_position(node: exp.Expression) -> exp.Expression:
    """Unite by position what has the same names in the same order."""
    if isinstance(node, exp.SetOperation) and node.args.get("by_name"):
        left, right = node.left.named_selects, node.right.named_selects
        if left != right:
            raise QueryError(
                "Spark unites by position.", expected=f"the columns {', '.join(left)}", got=", ".join(right)
            )
        node.set("by_name", None)
    return node


def _chosen_outside(select: exp.Expression) -> exp.Expression:
    """Choose by windows in a query around: columns and aliases of one name stay apart, and order and limit come last.

    sqlglot's own way, for dialects without ``qualify``, takes ``g.effect`` in a window for ``round(g.effect, 2) as
    effect``, and limits before it chooses.
    """
    hidden = {"_chosen": select.args["qualify"].this}
    outside = {name: select.args.get(name) for name in ("order", "limit", "offset", "distinct")}
    for name in ("qualify", *outside):
        select.set(name, None)
    for place, ordered in enumerate(outside["order"].expressions if outside["order"] else ()):
        key = ordered.this
        is_selected = isinstance(key, exp.Column) and not key.table and key.name in select.named_selects
        if not is_selected and not isinstance(key, exp.Literal | exp.Var):  # a place, or all
            hidden[f"_order_{place}"] = key
            ordered.set("this", exp.column(f"_order_{place}"))
    for name, expression in hidden.items():
        select.select(exp.alias_(expression, name), copy=False)
    outer = sqlglot.parse_one(f"select * except ({', '.join(hidden)}) from _all where _chosen", read="spark")  # noqa: S608
    outer.find(exp.Table).replace(exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier("_all"))))
    for name, clause in outside.items():
        outer.set(name, clause)
    return outer


RULES: tuple[Callable[[exp.Expression], exp.Expression], ...] = (
    _flat_name,
    _size_of_list,
    _ordered_list,
    _beginning,
    _union_by_position,
)


def _genes(session: SparkSession, files: list[str]) -> DataFrame:
    """Put the genes of all references below each other, each with its rank."""
    united: Any = None
    for rank, file in enumerate(files):
        frame = session.read.parquet(file).selectExpr("*", f"{rank} as reference_rank")
        united = frame if united is None else united.unionByName(frame, allowMissingColumns=True)
    if united is None:
        columns = ", ".join(f"cast(null as string) as {name}" for name in VIEWS["gene"].columns)
        return session.sql(f"select {columns}, 0 as reference_rank where false")
    return united
