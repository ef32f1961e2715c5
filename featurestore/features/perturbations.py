"""Sameness of perturbations: which conditions did the same thing, and which may not straddle a split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SAME_KIND, SAME_DIRECTION, OPPOSITE_OR_OTHER = "same kind", "same direction", "other kind"
RULES = (SAME_KIND, SAME_DIRECTION, OPPOSITE_OR_OTHER)
"""How near a source condition is to the row, nearest first; only the nearest there are enter the mean."""

_DIRECTION = {"crispri": -1, "crispr_knockout": -1, "shrna": -1, "crispra": 1, "overexpression": 1}


def perturbation_key() -> pl.Expr:
    """Return what was perturbed: the sorted target genes, else the compound, else the perturbation as harmonised."""
    genes = pl.col("target_gene_ids").list.sort().list.join("+")
    return pl.when(genes.str.len_bytes() > 0).then(genes).otherwise(pl.coalesce("compound_id", "perturbation_id"))


def match_conditions(rows: pl.DataFrame, source: pl.DataFrame) -> pl.DataFrame:
    """Pair rows with the source conditions of the same perturbation.

    Of several source conditions of one perturbation, those of the row's own ``perturbation_kind`` are taken; where
    there are none, those that act in the same direction (knock-outs, CRISPRi and shRNA lower a gene, CRISPRa and
    overexpression raise it); else all. Doses, times and clusters are not told apart.

    Parameters
    ----------
    rows, source
        Conditions, with ``target_gene_ids``, ``compound_id``, ``perturbation_id`` and ``perturbation_kind``.

    Returns
    -------
    ``row`` and ``source_row`` (positions), and the ``rule`` that let the pair in; in order of row and source_row.
    """
    left, right = (
        frame.select(
            perturbation_key().alias("key"),
            pl.col("perturbation_kind").alias("kind"),
            pl.col("perturbation_kind").replace_strict(_DIRECTION, default=0).alias("direction"),
        ).with_row_index(name)
        for frame, name in ((rows, "row"), (source, "source_row"))
    )
    same_kind = pl.col("kind") == pl.col("kind_right")
    same_direction = (pl.col("direction") == pl.col("direction_right")) & (pl.col("direction") != 0)
    rank = pl.when(same_kind).then(0).when(same_direction).then(1).otherwise(2)
    return (
        left.join(right, on="key", how="inner")
        .with_columns(rank=rank)
        .filter(pl.col("rank") == pl.col("rank").min().over("row"))
        .select("row", "source_row", rule=pl.col("rank").replace_strict(dict(enumerate(RULES))))
        .sort("row", "source_row")
    )


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
    """List what each row acts on: one line per target gene; the compound or perturbation where there are no genes.

    Returns
    -------
    ``row`` (position) and ``atom``.
    """
    genes = rows.with_row_index("row").select("row", "target_gene_ids", key=perturbation_key())
    atoms = pl.when(pl.col("target_gene_ids").list.len() > 0).then("target_gene_ids").otherwise(pl.concat_list("key"))
    return genes.select("row", atom=atoms).explode("atom")


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
