"""Sameness of perturbations: which conditions did the same thing, and which may not straddle a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from featurestore.errors import FeatureError
from featurestore.features.kinds.options import Combination, Reduce

_RULES = ("same kind", "same direction", "other kind")
"""How near a source condition is to the row, nearest first; only the nearest there are enter the mean."""

_REDUCED: dict[Reduce, str] = {
    "mean": "mean",
    "weighted": "weighted mean",
    "max_cells": "max cells",
    "nearest_dose": "nearest dose",
}
_INCHI_KEY = r"\b([A-Z]{14})-[A-Z]{10}-[A-Z]\b"
_COMPOUND = r"[A-Z]{14}-[A-Z]{10}-[A-Z]\b|CID:|name:"
_PART = rf"\+(ENS[A-Z]*G\d|label:|{_COMPOUND})"
"""Where the next part of a combination begins: compounds by name may hold a plus, as ``name:(+)-jq1`` does."""
_CUT = "\x1f"
_MEASURES = ("n_cells", "dose_um", "time_h")
_DIRECTION = {"crispri": -1, "crispr_knockout": -1, "shrna": -1, "crispra": 1, "overexpression": 1}


def perturbation_key() -> pl.Expr:
    """Return what was perturbed: the sorted target genes, else the compound, else the perturbation as harmonised."""
    genes = pl.col("target_gene_ids").list.sort().list.join("+")
    return pl.when(genes.str.len_bytes() > 0).then(genes).otherwise(pl.coalesce("compound_id", "perturbation_id"))


def structure_key() -> pl.Expr:
    """Return what was perturbed, as :func:`perturbation_key`, but of every InChIKey its skeleton alone.

    The first 14 letters of an InChIKey are the atoms and bonds: stereochemistry, isotopes and charge come after them.
    """
    return _skeleton(perturbation_key())


def directed_key() -> pl.Expr:
    """Return what was perturbed, as :func:`structure_key`, and in which direction: knocking down is not activating."""
    return pl.concat_str(structure_key(), pl.lit("/"), direction().cast(pl.String()))


def direction(kind: str = "perturbation_kind") -> pl.Expr:
    """Return -1 for kinds that lower a gene, 1 for those that raise it, and 0 for all others.

    Parameters
    ----------
    kind
        The column of kinds.
    """
    return pl.col(kind).replace_strict(_DIRECTION, default=0, return_dtype=pl.Int64())


def parts_of(perturbation: pl.Expr) -> pl.Expr:
    """Take a perturbation as harmonised apart into its genes and compounds: one, or those of a combination."""
    return perturbation.str.replace_all(_PART, f"{_CUT}$1").str.split(_CUT)


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


def gene_rows(gene_ids: pl.Series) -> pl.DataFrame:
    """Describe genes as rows that have them for their target, so that each is given its own vector."""
    text = pl.lit(None, pl.String())
    return pl.DataFrame({"perturbation_id": gene_ids}).with_columns(
        target_gene_ids=pl.concat_list("perturbation_id"), compound_id=text, perturbation_kind=text
    )


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


def shared_target_groups(rows: pl.DataFrame) -> pl.Series:
    """Group rows whose perturbations have a target in common, directly or through a combination.

    The combination ``A+B`` shares a group with ``A`` and with ``B``, and so do ``A`` and ``B`` then: the groups are
    the connected components. A dense screen of combinations may become one group; ``where`` can keep single targets.

    Returns
    -------
    Name of each row's group: the first of its perturbation ids, in alphabetical order.
    """
    atoms = target_atoms(rows)
    row, (_, atom) = atoms["row"].to_numpy(), np.unique(atoms["atom"].to_numpy(), return_inverse=True)
    n = rows.height + int(atom.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(row), dtype=np.int8), (row, rows.height + atom)), shape=(n, n))
    component = connected_components(edges, directed=False)[1][: rows.height]
    named = rows.select("perturbation_id", component=pl.Series(component))
    return named.select(group=pl.col("perturbation_id").min().over("component"))["group"]


def target_atoms(rows: pl.DataFrame) -> pl.DataFrame:
    """List what each row acts on: one row per target gene and per compound, of a combination each part.

    Returns
    -------
    ``row`` (position) and ``atom``: a gene, the skeleton of a compound, or the perturbation where it is neither.
    """
    parts = parts_of(pl.coalesce("compound_id", "perturbation_id"))
    compounds = parts.list.eval(pl.element().filter(pl.element().str.contains(rf"^(?:{_COMPOUND})")))
    genes = pl.col("target_gene_ids")
    atoms = pl.when(genes.list.len() > 0).then(genes.list.concat(compounds.fill_null([]))).otherwise(parts)
    found = rows.with_row_index("row").select("row", atom=atoms).explode("atom")
    return found.with_columns(_skeleton(pl.col("atom"))).unique(maintain_order=True)


def _skeleton(key: pl.Expr) -> pl.Expr:
    return key.str.replace_all(_INCHI_KEY, "$1")


def own_targets(rows: pl.DataFrame, genes: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which genes are a row's own targets, shape (rows, genes): their change is the experiment, not its effect.

    Parameters
    ----------
    rows
        Conditions, with ``target_gene_ids``.
    genes
        Genes, with ``gene_id``.
    """
    position = genes.select("gene_id").with_row_index("gene")
    targets = rows.with_row_index("row").select("row", gene_id="target_gene_ids").explode("gene_id")
    found = targets.join(position, on="gene_id", how="inner")
    own = np.zeros((rows.height, genes.height), dtype=bool)
    own[found["row"].to_numpy(), found["gene"].to_numpy()] = True
    return own


def assign_folds(groups: pl.Series, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal whole groups to folds, the largest first, each to the fold that has the fewest rows so far.

    The order among groups of one size is drawn with the seed; the order of the rows has no influence.

    Returns
    -------
    Fold of each row, 0 to folds - 1.
    """
    names, index, sizes = np.unique(groups.to_numpy(), return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[index]
