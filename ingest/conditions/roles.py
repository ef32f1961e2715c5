"""The roles that columns of a row table play in a condition: label, kind, context, dose, time, and what else there is.

A spec names columns, puts them together, or fixes a value; here each role becomes one expression over the row table.
"""

from __future__ import annotations

import re

import polars as pl

from ingest.given import FIELD, Context, Dose, Fixed, FromColumn, FromColumns, FromTemplate
from ingest.harmonise.combinations import control_words, unassigned_words
from ingest.harmonise.perturbation_kinds import CONTROL
from ingest.harmonise.perturbations import COMPOUND_COLUMNS
from ingest.harmonise.words import ABSENT
from ingest.reader import INDEX
from ingest.spec import DatasetSpec

ROLES = ("perturbation_label", "kind", "context", "dose", "time", "cluster", "published_split", *COMPOUND_COLUMNS)
"""What a row's condition depends on, all of it text."""

UNKNOWN = "?"
"""What stands for a dose that is missing beside others, and in names that would be of two conditions without it."""

NAMED_BY = ("perturbation_label", "kind", "context", "dose", "time", "cluster")
"""What names a row that has no key, beside its batch."""

IS_CONTROL = "is taken by control_where"
"""The column that says which rows are controls whatever their label."""


def role_expressions(spec: DatasetSpec) -> list[pl.Expr]:
    """Return one expression for each of `ROLES`; null is missing.

    They are over a row table that has the column `IS_CONTROL`, where the spec has a ``control_where``.
    """
    condition = spec.condition
    columns = {"cluster": condition.cluster, "published_split": condition.split, **spec.compound.columns()}
    roles = {
        "perturbation_label": _label(spec),
        "kind": _kind(spec),
        "context": _given(condition.context),
        "dose": _doses(spec, condition.dose) if isinstance(condition.dose, FromColumns) else _given(condition.dose),
        "time": _given(condition.time),
    }
    roles |= {name: _text(column) if column else pl.lit(None) for name, column in columns.items()}
    return [roles[name].cast(pl.String).alias(name) for name in ROLES]


def named_rows(rows: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
    """Name rows that have no key by what is published of them: ``label/context/dose/time/cluster/batch``."""
    roles = dict(zip(ROLES, role_expressions(spec), strict=True))
    rows = rows.with_columns(pl.lit(value=False).alias(IS_CONTROL))
    parts = [_without_zero(roles[name]) for name in NAMED_BY]
    parts += [_text(spec.condition.batch)] if spec.condition.batch else []
    return rows.with_columns(pl.concat_str(parts, separator="/", ignore_nulls=True).alias(INDEX)).drop(IS_CONTROL)


def naming_parts(roles: pl.DataFrame, batch: pl.Series) -> pl.DataFrame:
    """Return what `named_rows` joins, each part a column; missing is null.

    Parameters
    ----------
    roles
        The roles of rows, as `role_expressions` gives them: of a control that ``control_where`` takes, the kind is so.
    batch
        The batch of each row.
    """
    return roles.select(_without_zero(pl.col(name)) for name in NAMED_BY).with_columns(
        batch.str.strip_chars().alias("batch")
    )


def spelled_out(parts: pl.DataFrame) -> pl.Series:
    """Name rows by the same parts with a sign for doses, times, clusters and batches that some rows lack."""
    given = [name for name in parts.columns if parts[name].null_count() < parts.height]
    texts = [
        pl.col(name) if name in {"perturbation_label", "kind", "context"} else pl.col(name).fill_null(UNKNOWN)
        for name in given
    ]
    return parts.select(pl.concat_str(texts, separator="/", ignore_nulls=True).alias(INDEX)).to_series()


def _without_zero(part: pl.Expr) -> pl.Expr:
    return part.str.strip_suffix(".0")


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars()


def _given(quantity: Context | Dose | None) -> pl.Expr:
    """Read a value from a column or a template; a template with a missing part is missing."""
    if isinstance(quantity, FromColumn):
        return _text(quantity.column)
    if isinstance(quantity, FromTemplate):
        return pl.format(re.sub(FIELD, "{}", quantity.template), *map(_text, quantity.columns))
    return pl.lit(_written(quantity.value) if isinstance(quantity, Fixed) else None)


def _written(value: str | float) -> str:
    """Write a value of a spec as it is there: the cell line 697 is none that is called 697.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _kind(spec: DatasetSpec) -> pl.Expr:
    column = spec.condition.kind_column
    kind = _text(column) if column is not None else pl.lit(None, pl.String)
    return kind if spec.condition.control_where is None else pl.when(IS_CONTROL).then(pl.lit(CONTROL)).otherwise(kind)


def _label(spec: DatasetSpec) -> pl.Expr:
    """Join the components of a combination that are no control; of controls alone, the first control label.

    A row with a component that is not assigned has that word for its label: nothing else is known of its cells. A row
    whose perturbations are the columns of the matrix has no label.
    """
    condition = spec.condition
    if isinstance(condition.perturbation, Fixed):
        return _given(condition.perturbation)
    if not condition.components:
        return pl.lit(None)
    if len(condition.components) == 1:
        return _text(condition.components[0])
    first, *others = map(_text, condition.components)
    words, joined = unassigned_words(condition), _joined(spec, condition.components)
    meant = [(first, words), *((other, words - ABSENT) for other in others)]
    unassigned = pl.coalesce(pl.when(part.is_in(sorted(these))).then(part) for part, these in meant)
    only_controls = pl.when(joined == "").then(pl.lit(condition.controls[0])).otherwise(joined)
    return pl.when(first.is_not_null()).then(pl.coalesce(unassigned, only_controls))


def _doses(spec: DatasetSpec, given: FromColumns) -> pl.Expr:
    """Join the doses of the components that are no control."""
    joined = _joined(spec, given.columns)
    return pl.when(joined != "").then(joined)


def _joined(spec: DatasetSpec, columns: list[str]) -> pl.Expr:
    """Join a column of each component, in the order of their names, without those that are missing or a control."""
    condition = spec.condition
    left_out = sorted(control_words(condition) | unassigned_words(condition))
    pairs = [
        pl.struct(
            pl.when(~_text(component).is_in(left_out)).then(_text(component)).alias("name"),
            _text(column).fill_null(UNKNOWN).alias("value"),
        )
        for component, column in zip(condition.components, columns, strict=True)
    ]
    name, value = (pl.element().struct.field(field) for field in ("name", "value"))
    values = pl.concat_list(pairs).list.eval(value.filter(name.is_not_null()).sort_by(name.drop_nulls()))
    return values.list.join(condition.separator or "")
