"""Which datasets a query can have rows of: it is then planned over their files, however many others there are.

A snapshot of a thousand datasets is ten thousand files, and DuckDB lists them all before it leaves any out. A SELECT
whose WHERE holds ``dataset_id = 'x'``, for every view that it reads, needs those of x alone. Whatever is not understood
here asks all datasets: that is slower, and as right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from featurestore.contract import KEY, SHARED, VIEWS
from featurestore.query.tree import Parameters, parts_of, text_of

_BOTH_WAYS, _ONE_WAY = "INNER", "LEFT"
_OTHERWISE = ("sample", "at_clause", "column_name_alias")
"""What makes a view another table."""


def pinned_datasets(tree: str, parameters: Parameters) -> frozenset[str] | None:
    """Find the datasets that a query is about.

    Parameters
    ----------
    tree
        The query as ``json_serialize_sql`` writes it.
    parameters
        What stands for its ``?`` or ``$name``.

    Returns
    -------
    Their ids, as they are written in the query; None where it may be about any.
    """
    try:
        return _pinned(json.loads(tree).get("statements", []), parameters)
    except RecursionError:
        return None


def _pinned(statements: list[Any], parameters: Parameters) -> frozenset[str] | None:
    nodes = [part for part in parts_of(statements) if str(part.get("type", "")).endswith("_NODE")]
    if any(set(_common(node)) & set(VIEWS) for node in nodes):
        return None  # a WITH that has the name of a view
    ctes = {name for node in nodes for name in _common(node)}
    found: set[str] = set()
    for node in nodes:
        if node.get("type") == "SELECT_NODE":
            datasets = _Select(node, parameters, ctes).datasets()
            if datasets is None:
                return None
            found |= datasets
    return frozenset(found) or None


class _Select:
    """One SELECT: its views by the name they have in it, the joins that keep datasets together, and what pins them."""

    def __init__(self, node: Mapping[str, Any], parameters: Parameters, ctes: set[str]) -> None:
        self._parameters, self._ctes = parameters, ctes
        self._views: set[str] = set()
        self._others: set[str] = set()
        self._joined: list[tuple[str, str]] = []
        self._pins: dict[str, set[str]] = {}
        self._merged: set[str] = set()
        self._is_understood = not node.get("sample")  # it is drawn before WHERE
        self._from(node.get("from_table") or {})
        for part in _conjuncts(node.get("where_clause")):
            self._pin(part)

    def datasets(self) -> set[str] | None:
        """Return the datasets of all views of this SELECT, or None."""
        if not self._is_understood:
            return None
        for _ in self._joined:
            for source, target in self._joined:
                if source in self._pins:
                    self._pins.setdefault(target, self._pins[source])
        if not self._views <= set(self._pins):
            return None
        return set().union(*(self._pins[view] for view in self._views))

    def _from(self, table: Mapping[str, Any]) -> set[str]:
        """Take up a part of FROM, and return the names in it that have a dataset."""
        kind = table.get("type")
        if kind == "BASE_TABLE":
            return self._base(table)
        if kind == "SUBQUERY":
            return self._named(str(table.get("alias", "")), self._others)
        if kind == "JOIN":
            return self._join(table)
        self._is_understood &= kind in {"EMPTY", "EXPRESSION_LIST"} or _is_unnest(table)
        return set()

    def _base(self, table: Mapping[str, Any]) -> set[str]:
        path = table.get("qualified_name", {}).get("path") or [table.get("table_name")]
        name, alias = str(path[-1]).lower(), str(table.get("alias") or path[-1]).lower()
        if len(path) == 1 and name in {each.lower() for each in self._ctes}:
            return self._named(alias, self._others)
        if len(path) != 1 or name not in VIEWS or any(table.get(each) for each in _OTHERWISE):
            self._is_understood = False
            return set()
        return set() if name in SHARED else self._named(alias, self._views)

    def _named(self, alias: str, kind: set[str]) -> set[str]:
        self._is_understood &= alias.lower() not in self._views | self._others
        kind.add(alias.lower())
        return {alias.lower()}

    def _join(self, table: Mapping[str, Any]) -> set[str]:
        left, right = self._from(table.get("left") or {}), self._from(table.get("right") or {})
        how, is_cross = table.get("join_type"), table.get("ref_type") == "CROSS"
        if how not in {_BOTH_WAYS, _ONE_WAY} or table.get("ref_type") not in {"REGULAR", "CROSS"}:
            self._is_understood = False
            return left | right
        if KEY in (str(name).lower() for name in table.get("using_columns") or ()):
            # USING names the left side's merged column: all of the left, if it has but one or merged them before
            if len(left) == 1 or left <= self._merged:
                pairs = [(a, b) for a in left for b in right]
                self._joined += pairs + ([(b, a) for a, b in pairs] if how == _BOTH_WAYS else [])
                self._merged |= left | right
        elif not is_cross:
            for part in _conjuncts(table.get("condition")):
                for a, b in _equal(part):
                    self._relate(a, b, left, right, is_both=how == _BOTH_WAYS)
        return left | right

    def _relate(self, a: Any, b: Any, left: set[str], right: set[str], *, is_both: bool) -> None:
        """Take up that two columns are equal in a join."""
        one, other = self._owner(a), self._owner(b)
        if one in right and other in left:
            one, other = other, one
        if one in left and other in right:
            self._joined.append((one, other))
            if is_both:
                self._joined.append((other, one))

    def _owner(self, expression: Any) -> str:
        """Name the view whose ``dataset_id`` an expression is; nothing where it is something else."""
        names = expression.get("column_names") if isinstance(expression, dict) else None
        if not names or str(names[-1]).lower() != KEY:
            return ""
        return str(names[0]).lower() if len(names) == 2 else ""  # noqa: PLR2004, view and column

    def _pin(self, part: Mapping[str, Any]) -> None:
        """Take up a part of WHERE."""
        if part.get("type") == "COMPARE_IN":
            column, *values = part.get("children") or [{}]
            self._pin_to(column, [text_of(value, self._parameters) for value in values])
        for a, b in _equal(part):
            self._pin_to(a, [text_of(b, self._parameters)])
            self._pin_to(b, [text_of(a, self._parameters)])

    def _pin_to(self, column: Any, values: list[str | None]) -> None:
        names = column.get("column_names") if isinstance(column, dict) else None
        texts = {value for value in values if value is not None}
        if not names or str(names[-1]).lower() != KEY or len(texts) < len(set(values)) or not texts:
            return
        if len(names) == 1:
            every = self._views | self._others
            owners = every if every <= self._merged else self._views if len(self._views) == 1 else set()
        else:
            owners = {self._owner(column)}
        for owner in owners:
            self._pins.setdefault(owner, texts)


def _common(node: Mapping[str, Any]) -> list[str]:
    """Name the queries of a WITH."""
    return [str(each.get("key")).lower() for each in (node.get("cte_map") or {}).get("map") or ()]


def _conjuncts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what all has to hold."""
    if isinstance(part, dict):
        if part.get("type") == "CONJUNCTION_AND":
            for each in part.get("children") or ():
                yield from _conjuncts(each)
        else:
            yield part


def _equal(part: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield expressions that have to be equal, those within rows ``(a, b) = (c, d)`` too."""
    if part.get("type") != "COMPARE_EQUAL":
        return
    a, b = part.get("left") or {}, part.get("right") or {}
    rows = [each.get("arguments") or [] for each in (a, b) if each.get("function_name") == "row"]
    if len(rows) == 2 and len(rows[0]) == len(rows[1]):  # noqa: PLR2004, both sides
        for one, other in zip(*rows, strict=True):
            yield one.get("expression") or {}, other.get("expression") or {}
    else:
        yield a, b


def _is_unnest(table: Mapping[str, Any]) -> bool:
    name = (table.get("function") or {}).get("function_name")
    return table.get("type") == "TABLE_FUNCTION" and name in {"unnest", "range", "generate_series"}
