"""What was perturbed, as a key, however a source names it; and which perturbations may not straddle a split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_INCHI_KEY = r"\b([A-Z]{14})-[A-Z]{10}-[A-Z]\b"
_COMPOUND = r"[A-Z]{14}-[A-Z]{10}-[A-Z]\b|CID:|name:"
_PART = rf"\+(ENS[A-Z]*G\d|label:|{_COMPOUND})"
"""Where the next part of a combination begins: compounds by name may hold a plus, as ``name:(+)-jq1`` does."""
_CUT = "\x1f"
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


def gene_rows(gene_ids: pl.Series) -> pl.DataFrame:
    """Describe genes as rows that have them for their target, so that each is given its own vector."""
    text = pl.lit(None, pl.String())
    return pl.DataFrame({"perturbation_id": gene_ids}).with_columns(
        target_gene_ids=pl.concat_list("perturbation_id"), compound_id=text, perturbation_kind=text
    )


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


def assign_folds(groups: pl.Series, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal whole groups to folds, the largest first, each to the fold that has the fewest rows so far.

    The order among groups of one size is drawn with the seed; the order of the rows has no influence.

    Returns
    -------
    Fold of each row, 0 to folds - 1. Shape (rows,).
    """
    names, index, sizes = np.unique(groups.to_numpy(), return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[index]
