"""Which source conditions did the same thing as a row, and with what weight each enters its mean."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.kinds.options import Combination, Reduce
from featurestore.features.perturbations import direction, perturbation_key, structure_key

_RULES = ("same kind", "same direction", "other kind")
"""How near a source condition is to the row, nearest first; only the nearest there are enter the mean."""

_REDUCED: dict[Reduce, str] = {
    "mean": "mean",
    "weighted": "weighted mean",
    "max_cells": "max cells",
    "nearest_dose": "nearest dose",
}
_MEASURES = ("n_cells", "dose_um", "time_h")


def match_conditions(
    rows: pl.DataFrame, source: pl.DataFrame, combination: Combination = "exact", reduce: Reduce = "mean"
) -> pl.DataFrame:
    """Pair rows with the source conditions of the same perturbation.

    Of several source conditions of one perturbation, those of the row's own ``perturbation_kind`` are taken; where
    there are none, those that act in the same direction (knock-outs, CRISPRi and shRNA lower a gene, CRISPRa and
    overexpression raise it); else all. Compounds of the very structure come before those of the same skeleton.

    Parameters
    ----------
    rows, source
        Conditions, with ``target_gene_ids``, ``compound_id``, ``perturbation_id`` and ``perturbation_kind``; where
        they have ``n_cells``, ``dose_um`` and ``time_h``, a rule may ask for them.
    combination
        ``sum``: a combination that the source lacks is matched by its parts, if the source has them all.
    reduce
        Which of several conditions are kept, and with what weight; see
        :class:`featurestore.features.kinds.signature.SignatureFeature`.

    Returns
    -------
    ``row`` and ``source_row`` (positions), ``part`` of the row's combination and ``n_parts`` (0 and 1 where it is
    matched as a whole), ``weight`` of the condition in the mean of its part, the ``rule`` that let the pair in and
    reduced so many candidates (``same kind, mean of 3``), and ``is_alike``: of the same kind or direction. In order of
    row, part and source_row.

    Raises
    ------
    FeatureError
        The source lowers and raises a gene, and no condition of it is of the row's kind or direction: their mean would
        be of nothing.
    """
    wanted, offered = _described(rows, "row"), _described(source, "source_row")
    whole = wanted.drop("targets").with_columns(part=pl.lit(0, pl.Int64()), n_parts=pl.lit(1, pl.Int64()))
    found = _nearest(whole, offered)
    if combination == "sum":
        apart = (
            wanted.filter(pl.col("targets").list.len() > 1, ~pl.col("row").is_in(found["row"].implode()))
            .with_columns(
                key="targets",
                exact="targets",
                part=pl.int_ranges(pl.col("targets").list.len(), dtype=pl.Int64()),
                n_parts=pl.col("targets").list.len().cast(pl.Int64()),
            )
            .drop("targets")
            .explode("key", "exact", "part")
        )
        parts = _nearest(apart, offered)
        has_all = pl.col("part").n_unique().over("row") == pl.col("n_parts")
        found = pl.concat([found, parts.filter(has_all)])
    check_one_direction(found.select("row", kind="kind_right"), rows)
    alike, structure = pl.col("rank") // 2, pl.col("rank") % 2
    rule = pl.concat_str(
        alike.replace_strict(dict(enumerate(_RULES)), return_dtype=pl.String()),
        pl.when(structure == 1).then(pl.lit(", same skeleton")).otherwise(pl.lit("")),
        pl.when(pl.col("n_parts") > 1).then(pl.lit(", sum of parts")).otherwise(pl.lit("")),
        pl.when(pl.len().over("row", "part") > 1)
        .then(pl.lit(f", {_REDUCED[reduce]} of ") + pl.len().over("row", "part").cast(pl.String()))
        .otherwise(pl.lit("")),
    )
    return (
        _reduced(found.with_columns(rule=rule), reduce)
        .select("row", "source_row", "part", "n_parts", "weight", "rule", is_alike=alike < len(_RULES) - 1)
        .sort("row", "part", "source_row")
    )


def check_one_direction(found: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Refuse to average what lowers a gene with what raises it, for rows that do not say which they do.

    Parameters
    ----------
    found
        ``row`` and ``kind`` of each condition that is to be averaged for a row.
    rows
        As of :func:`match_conditions`.

    Raises
    ------
    FeatureError
        A row is matched in both directions.
    """
    signs = found.with_columns(sign=direction("kind"))
    both = signs.filter(pl.col("sign").min().over("row") < 0, pl.col("sign").max().over("row") > 0)
    if both.is_empty():
        return
    first = both.filter(pl.col("row") == both["row"].min())
    row = rows.row(first["row"][0], named=True)
    name = row.get("perturbation_label") or row["perturbation_id"]
    kinds = first["kind"].unique().sort().to_list()
    raise FeatureError(
        f"A source both lowers and raises '{name}', and nothing says which is meant.",
        where=f"{both['row'].n_unique()} of the perturbations to describe",
        expected="conditions that act in one direction, or a perturbation of their kind",
        got=f"{', '.join(kinds)} for a perturbation of kind {row['perturbation_kind'] or 'unknown'}",
        do=f"say how they are perturbed (perturbation_kind = '{kinds[0]}'), or choose among the source's conditions: "
        f"where = \"perturbation_kind = '{kinds[0]}'\"",
    )


def match_keys(rows: pl.DataFrame, keys: Sequence[str], combination: Combination = "sum") -> pl.DataFrame:
    """Pair rows with a table keyed by gene or compound, such as an embedding; a key may be a combination, ``A+B``.

    Returns
    -------
    As of :func:`match_conditions`; ``source_row`` is the position of the key.
    """
    text = pl.lit(None, pl.String())
    named = pl.DataFrame({"perturbation_id": keys}, schema={"perturbation_id": pl.String()}).with_columns(
        target_gene_ids=pl.lit(None, pl.List(pl.String())), compound_id=text, perturbation_kind=text
    )
    matches = match_conditions(rows, named, combination)
    return matches.with_columns(pl.col("rule").str.replace("same kind", "same target", literal=True))


def _described(conditions: pl.DataFrame, position: str) -> pl.DataFrame:
    """Select what matching asks of conditions, with their position; what they lack is NULL."""
    lacking = [name for name in _MEASURES if name not in conditions.columns]
    return (
        conditions.with_columns(pl.lit(None, pl.Float64()).alias(name) for name in lacking)
        .select(
            key=structure_key(),
            exact=perturbation_key(),
            targets="target_gene_ids",
            kind=pl.col("perturbation_kind"),
            direction=direction(),
            **{name: pl.col(name).cast(pl.Float64()) for name in _MEASURES},
        )
        .with_row_index(position)
    )


def _nearest(wanted: pl.DataFrame, offered: pl.DataFrame) -> pl.DataFrame:
    """Join on the key and keep, for each part of a row, the conditions of the lowest rank."""
    same_kind = (pl.col("kind") == pl.col("kind_right")) | pl.col("kind").is_null() | pl.col("kind_right").is_null()
    same_direction = (pl.col("direction") == pl.col("direction_right")) & (pl.col("direction") != 0)
    kind = pl.when(same_kind).then(0).when(same_direction).then(1).otherwise(2)
    structure = (pl.col("exact") != pl.col("exact_right")).cast(pl.Int32())
    return (
        wanted.join(offered.drop("targets"), on="key", how="inner")
        .with_columns(rank=2 * kind + structure)
        .filter(pl.col("rank") == pl.col("rank").min().over("row", "part"))
    )


def _reduced(found: pl.DataFrame, reduce: Reduce) -> pl.DataFrame:
    """Keep the candidates that a rule takes, with their weights; of equals the first."""
    slot, cells = ["row", "part"], pl.col("n_cells_right")
    if reduce == "max_cells":
        order = found.sort("row", "part", cells, "source_row", descending=[False, False, True, False], nulls_last=True)
        found = order.unique(slot, keep="first", maintain_order=True)
    if reduce == "nearest_dose":
        for name, scale in (("dose_um", pl.Expr.log), ("time_h", pl.Expr.abs)):
            wanted, offered = pl.col(name), pl.col(f"{name}_right")
            apart = (scale(wanted) - scale(offered)).abs().fill_null(float("inf")).fill_nan(float("inf"))
            rounded = pl.when(wanted == offered).then(0.0).otherwise(apart).round(9)
            found = found.filter(rounded == rounded.min().over(slot))
    weight = pl.coalesce(cells, cells.median().over(slot), 1.0) if reduce == "weighted" else pl.lit(1.0)
    return found.with_columns(weight=weight)
