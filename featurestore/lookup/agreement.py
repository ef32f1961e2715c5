"""Do two datasets agree? The effects of the perturbations that both have, against chance and against noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import EFFECT_KINDS
from featurestore.errors import QueryError
from featurestore.features.effects.similarity import FEWEST_GENES, encoded, similarities
from featurestore.features.perturbations import direction
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

Matrix = npt.NDArray[np.float64]
FEWEST_TO_CENTRE = 3
"""Shared perturbations below which their mean is too much of each."""
_DIRECTED = "\x1f"
_KINDS = "select distinct effect_kind from signature where dataset_id = $dataset_id"


@dataclass(frozen=True)
class Agreement:
    """How alike two datasets are, perturbation by perturbation.

    Parameters
    ----------
    datasets, effect_kinds
        The two, and the scale of each one's effects; a correlation does not depend on it.
    rows
        One row a perturbation that responds in both: ``r`` (Pearson, over genes that both measured, own targets left
        out), ``centred_r`` (after the mean of the shared perturbations is taken from each dataset), ``chance_r`` and
        ``centred_chance_r`` (the mean with all other perturbations of the other dataset), ``rank`` (the share of those
        that are less alike, by ``centred_r`` where that is known: 0.5 is chance), ``ceiling`` (the r that noise in both
        lets one expect of equal effects, from the agreement of halves or replicates; NULL where it is unknown).
    chance
        ``centred_r`` of every perturbation with every other one; ``r`` where too few are shared to be centred.
    n_responders
        Perturbations that respond, in each dataset.
    shared_experiments
        Experiments that both are of: the same cells agree with themselves.
    is_of_wells
        Whether either is of L1000, whose wells' agreement is told as its upper quartile: ``ceiling`` is then rather too
        high than too low.
    """

    datasets: tuple[str, str]
    effect_kinds: tuple[str, str]
    rows: pl.DataFrame
    chance: Matrix
    n_responders: tuple[int, int]
    shared_experiments: tuple[str, ...] = ()
    is_of_wells: bool = False

    @property
    def summary(self) -> dict[str, float | None]:
        """Medians over the perturbations, and the mean ``rank``."""
        medians = {name: _float(self.rows[name].median()) for name in ("r", "centred_r", "ceiling")}
        chances = {name: _float(self.rows[name].mean()) for name in ("chance_r", "centred_chance_r", "rank")}
        return medians | chances

    def __repr__(self) -> str:
        return f"Agreement of {' and '.join(self.datasets)}, {self.rows.height:,} shared responders: {self.summary}"

    def _repr_html_(self) -> str:
        return str(self.rows._repr_html_())


def compare_datasets(
    store: Warehouse, one: str, other: str, *, report: Callable[[str], None] = lambda _: None
) -> Agreement:
    """Compare what the same perturbations do in two datasets, where they respond in both.

    A perturbation's effect is the mean over its responding conditions of the dataset: contexts, doses and times alike.
    Where both lower a gene, or both raise it, conditions that do the opposite are no part of the mean: a row of their
    own, or none.

    Raises
    ------
    UnknownDatasetError
        The snapshot has no such dataset.
    QueryError
        The two are one, or share no perturbation that responds, or no ten genes.
    """
    names = (one, other)
    for name in names:
        store.snapshot.release_of(name)
    if one == other:
        raise QueryError("A dataset agrees with itself.", got=f"'{one}' twice", do="name another")
    report("looking for shared perturbations")
    sides = [store.frame(sql_files("lookup")["responders"], {"dataset_id": name}) for name in names]
    n_responders = (sides[0]["perturbation_id"].n_unique(), sides[1]["perturbation_id"].n_unique())
    sides = _directed(sides)
    shared = sides[0].join(sides[1], on="perturbation_id", how="semi")["perturbation_id"].unique().sort()
    if shared.is_empty():
        counts = " and ".join(f"{n:,} in {name}" for n, name in zip(n_responders, names, strict=True))
        untold = [f"{n:,} conditions of {name}" for name in names if (n := _n_untold(store, name))]
        unknown = f"; whether they respond is not known of {' and '.join(untold)}" if untold else ""
        raise QueryError(f"No perturbation responds in both {one} and {other}.", got=f"responders: {counts}{unknown}")
    kinds = _kinds(store, names)
    query, effects = sql_files("lookup")["mean_effects"], []
    for name, side, kind in zip(names, sides, kinds, strict=True):
        report(f"reading {len(shared):,} perturbations of {name}")
        used = side.filter(pl.col("perturbation_id").is_in(shared.implode()))
        asked = {"conditions": used["condition_id"].to_list(), "keys": used["perturbation_id"].to_list()}
        effects.append(store.frame(query, asked | {"dataset_id": name, "effect_kind": kind}))
    genes = effects[0].join(effects[1], on="gene_id", how="semi")["gene_id"].unique().sort()
    if len(genes) < FEWEST_GENES:
        raise QueryError(
            f"{one} and {other} measured {len(genes)} of the same genes.", expected=f"{FEWEST_GENES} or more"
        )
    report("comparing")
    matrices = [_matrix(each, shared, genes) for each in effects]
    own = _own(sides, shared, genes)
    rows, chance = _scored(matrices, own)
    facts = [_facts(side, shared) for side in sides]
    table = pl.DataFrame(
        {
            "perturbation": facts[0]["perturbation"],
            "perturbation_id": shared.str.split(_DIRECTED).list.first(),
            "perturbation_kind": facts[0]["kind"],
            "perturbation_kind_other": facts[1]["kind"],
            "n_conditions": facts[0]["n"],
            "n_conditions_other": facts[1]["n"],
            "n_genes": np.isfinite(np.where(own, np.nan, matrices[0] + matrices[1])).sum(axis=1),
            **rows,
            "ceiling": (facts[0]["reliability"] * facts[1]["reliability"]).sqrt(),
        }
    )
    by = "centred_r" if len(shared) >= FEWEST_TO_CENTRE else "r"
    table = table.with_columns(pl.selectors.float().fill_nan(None)).sort(by, descending=True, nulls_last=True)
    same = sorted(set(sides[0]["experiment_id"].drop_nulls()) & set(sides[1]["experiment_id"].drop_nulls()))
    is_of_wells = any(bool(side["is_of_wells"].any()) for side in sides)
    return Agreement(names, kinds, table, chance, n_responders, tuple(same), is_of_wells)


def _directed(sides: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Keep apart, by their key, conditions that lower a gene and those that raise it, where both datasets have either.

    A perturbation that the datasets only did in opposite directions is compared all the same.
    """
    named = ["perturbation_id", "direction"]
    sides = [side.with_columns(direction=direction()) for side in sides]
    common = sides[0].join(sides[1], on=named, how="semi").select(named).unique()
    found = []
    for side in sides:
        opposite = side.join(common, on="perturbation_id", how="anti")
        alike = side.join(common, on=named, how="semi")
        key = pl.concat_str("perturbation_id", pl.lit(_DIRECTED), "direction")
        found.append(pl.concat([opposite, alike.with_columns(perturbation_id=key)]))
    return found


def _kinds(store: Warehouse, names: tuple[str, str]) -> tuple[str, str]:
    """Take a scale that both have, else the first that each has."""
    one, other = (set(store.frame(_KINDS, {"dataset_id": name})["effect_kind"]) for name in names)
    order = EFFECT_KINDS.index
    both = sorted(one & other, key=order)
    return (both[0], both[0]) if both else (min(one, key=order), min(other, key=order))


def _n_untold(store: Warehouse, dataset_id: str) -> int:
    """Count the conditions of which it is not known whether they respond, as where no p-value was published."""
    query = "select count(*) from condition left join quality using (dataset_id, condition_id) "
    where = "where dataset_id = $dataset_id and not is_control and is_responder is null"
    return int(store.frame(query + where, {"dataset_id": dataset_id}).item())


def _matrix(effects: pl.DataFrame, shared: pl.Series, genes: pl.Series) -> Matrix:
    """Lay mean effects out, shape (perturbations, genes); NaN is missing."""
    known = effects.filter(pl.col("gene_id").is_in(genes.implode()))
    values = np.full((len(shared), len(genes)), np.nan)
    row, column = shared.search_sorted(known["perturbation_id"]), genes.search_sorted(known["gene_id"])
    values[np.asarray(row), np.asarray(column)] = known["effect"].to_numpy()
    return values


def _own(sides: list[pl.DataFrame], shared: pl.Series, genes: pl.Series) -> npt.NDArray[np.bool_]:
    """Say which genes a perturbation acts on itself, shape (perturbations, genes)."""
    own = np.zeros((len(shared), len(genes)), dtype=np.bool_)
    rows, columns = {key: i for i, key in enumerate(shared)}, {key: i for i, key in enumerate(genes)}
    for side in sides:
        for key, targets in side.select("perturbation_id", "target_gene_ids").iter_rows():
            for gene in targets or ():
                if key in rows and gene in columns:
                    own[rows[key], columns[gene]] = True
    return own


def _scored(matrices: list[Matrix], own: npt.NDArray[np.bool_]) -> tuple[dict[str, Matrix], Matrix]:
    """Correlate every perturbation with itself and with all others of the other dataset."""
    r = _correlations(matrices, own)
    found = {"r": np.diagonal(r).copy(), "chance_r": _others(r)}
    used = r
    if len(own) >= FEWEST_TO_CENTRE:
        used = _correlations([_centred(np.where(own, np.nan, each)) for each in matrices], own)
        found |= {"centred_r": np.diagonal(used).copy(), "centred_chance_r": _others(used)}
    else:
        found |= {"centred_r": np.full(len(own), np.nan), "centred_chance_r": np.full(len(own), np.nan)}
    chance = np.where(np.eye(len(own), dtype=np.bool_), np.nan, used)
    with np.errstate(invalid="ignore"):
        less = (chance < found["r" if used is r else "centred_r"][:, None]).sum(axis=1)
        n = np.isfinite(chance).sum(axis=1)
        found["rank"] = np.where((n > 0) & np.isfinite(np.diagonal(used)), less / np.maximum(n, 1), np.nan)
    return found, chance[np.isfinite(chance)]


def _correlations(matrices: list[Matrix], own: npt.NDArray[np.bool_]) -> Matrix:
    one, other = (encoded(np.where(own, np.nan, each)) for each in matrices)
    return similarities(one, other, "pearson").astype(np.float64)


def _centred(effects: Matrix) -> Matrix:
    """Take away what the shared perturbations have in common, gene by gene; too few to tell leave the gene missing."""
    known = np.isfinite(effects)
    n = known.sum(axis=0)
    mean = np.where(known, effects, 0.0).sum(axis=0) / np.maximum(n, 1)
    return np.where(n >= FEWEST_TO_CENTRE, effects - mean, np.nan)


def _others(r: Matrix) -> Matrix:
    """Average each row without its diagonal."""
    others = np.where(np.eye(len(r), dtype=np.bool_), np.nan, r)
    n = np.isfinite(others).sum(axis=1)
    return np.where(n > 0, np.nansum(others, axis=1) / np.maximum(n, 1), np.nan)


def _facts(side: pl.DataFrame, shared: pl.Series) -> pl.DataFrame:
    """Count the conditions of each shared perturbation, and say how far their mean is no noise (Spearman and Brown).

    The reliability of the mean of k conditions is that of k times as many cells; that of one of L1000 is of its wells.
    """
    each = side.with_columns(r=pl.col("r").clip(0.0, 1.0))
    each = each.with_columns(one=pl.col("n") * pl.col("r") / (1 + (pl.col("n") - 1) * pl.col("r")))
    found = each.group_by("perturbation_id").agg(
        pl.first("perturbation"),
        kind=pl.col("perturbation_kind").unique().sort().str.join(", "),
        reliability=pl.when(pl.col("one").is_null().any()).then(None).otherwise(pl.col("one").mean()),
        n=pl.len(),
    )
    k, one = pl.col("n"), pl.col("reliability")
    found = found.with_columns(reliability=k * one / (1 + (k - 1) * one))
    return pl.DataFrame({"perturbation_id": shared}).join(found, on="perturbation_id", maintain_order="left")


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) else None
