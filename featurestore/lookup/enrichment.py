"""Which gene sets are enriched in a signature: genes in rank order, or those that change, and sets of one's own.

Genes that were not measured, and the perturbation's own targets, are in no set and in no background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import numpy as np
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.errors import QueryError, did_you_mean, first_of
from featurestore.features.identifiers import harmonise
from featurestore.gene_sets import read_gmt
from featurestore.lookup.cards import conditions_named, signature_of
from featurestore.lookup.gene_set_tests import by_ranks, of_changed, require_gseapy
from featurestore.search.enrichment import running_sum

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

How: TypeAlias = Literal["ranks", "changed"]
GeneSets: TypeAlias = Mapping[str, Sequence[str]]
FEWEST, MOST = 10, 500
"""Measured genes of a set that is tested."""


class EnrichmentOptions(TypedDict, total=False):
    """What may be said of a test of gene sets, by name; see :func:`enrich`."""

    how: How
    dataset_id: str | None
    context: str | None
    condition_id: str | None
    fewest: int
    most: int
    seed: int


_MOST_TIED = 0.5
"""Share of genes of one value above which there is no order."""


@dataclass(frozen=True)
class Enrichment:
    """The gene sets tested in a signature.

    Parameters
    ----------
    condition
        dataset_id and condition_id of the signature.
    statistic
        What orders its genes, or says which change.
    table
        One row a set, the surest first: ``gene_set``, ``direction`` (up or down), ``n_genes`` (of it that were
        measured), ``p_value``, ``q_value`` (Benjamini-Hochberg over the lines) and ``genes``. In rank order ``es``,
        ``nes`` and the leading edge; of genes that change ``n_shared``, ``odds_ratio`` and those that are shared.
    n_genes
        Genes that were measured; of those that change, that were tested.
    n_left_out
        Sets of too few or too many measured genes.
    unknown
        Names of the sets' genes that are none of the warehouse's, or could be several.
    ranked, sets
        The signature by falling statistic, and the genes by id of each set that was tested.
    """

    condition: tuple[str, str]
    statistic: str
    table: pl.DataFrame
    n_genes: int
    n_left_out: int
    unknown: tuple[str, ...]
    ranked: pl.DataFrame = field(repr=False)
    sets: GeneSets = field(repr=False)

    def __repr__(self) -> str:
        n = int((self.table["q_value"] < FALSE_DISCOVERY_RATE).sum())
        return f"Enrichment of {':'.join(self.condition)} by {self.statistic}: {n:,} of {self.table.height:,} q < 0.05"

    def _repr_html_(self) -> str:
        return str(self.table._repr_html_())

    def running_sum(self, gene_set: str) -> pl.DataFrame:
        """Walk down the signature: the curve of an enrichment plot, as columns ``rank`` and ``sum``.

        Raises
        ------
        QueryError
            No set of that name was tested.
        """
        if gene_set not in self.sets:
            raise QueryError(f"No set '{gene_set}' was tested.", do=did_you_mean(gene_set, self.sets))
        members = np.flatnonzero(self.ranked["gene_id"].is_in(list(self.sets[gene_set])).to_numpy())
        sums = running_sum(self.ranked[self.statistic].to_numpy(), members)
        return pl.DataFrame({"rank": np.arange(1, len(sums) + 1), "sum": sums})


def enrich(
    store: Warehouse,
    name: str,
    gene_sets: GeneSets | str | Path,
    *,
    how: How = "ranks",
    dataset_id: str | None = None,
    context: str | None = None,
    condition_id: str | None = None,
    fewest: int = FEWEST,
    most: int = MOST,
    seed: int = 0,
) -> Enrichment:
    """Test gene sets in the signature of a perturbation.

    Parameters
    ----------
    store
        The warehouse.
    name
        A gene that is perturbed, or a compound, by any of its names.
    gene_sets
        A GMT file, or genes by the name of their set; genes by any identifier.
    how
        ``ranks``: all genes in the order of z, or of effect where there is no test. ``changed``: those of q < 0.05
        that go up, and those that go down, each against all that were tested.
    dataset_id, context, condition_id
        Which condition: of one dataset, in one cell line, or that one. The one that changes most genes by default.
    fewest, most
        Measured genes of a set that is tested.
    seed
        Of the sampling.

    Raises
    ------
    QueryError
        gseapy is not installed, there is no such signature, its genes have no order, none changes, or no set is of a
        size to be tested.
    """
    conditions = conditions_named(store, name, dataset_id=dataset_id, context=context)
    if condition_id is not None:
        known = conditions["condition_id"].to_list()
        conditions = conditions.filter(pl.col("condition_id") == condition_id)
        if conditions.is_empty():
            raise QueryError(f"'{name}' has no condition '{condition_id}'.", do=did_you_mean(condition_id, known))
    first = conditions.row(0, named=True)
    sets = read_gmt(Path(gene_sets)) if isinstance(gene_sets, str | Path) else gene_sets
    return enrich_condition(store, first, sets, how=how, fewest=fewest, most=most, seed=seed)


def enrich_condition(
    store: Warehouse,
    condition: Mapping[str, Any],
    gene_sets: GeneSets,
    *,
    how: How = "ranks",
    fewest: int = FEWEST,
    most: int = MOST,
    seed: int = 0,
) -> Enrichment:
    """Test gene sets in the signature of one condition: its ``dataset_id``, ``condition_id`` and ``target_gene_ids``.

    Other parameters are those of :func:`enrich`, and so is what is raised.
    """
    require_gseapy()
    key = (condition["dataset_id"], condition["condition_id"])
    signature = signature_of(store, *key).filter(~pl.col("gene_id").is_in(condition["target_gene_ids"] or []))
    sets, unknown = _known_sets(store, gene_sets)
    statistic = _statistic(signature, how)
    known = signature.drop_nulls(statistic)
    if how == "changed":
        known = known.filter(pl.col("q_value").is_not_null() | (pl.col("effect_kind") == "de_call"))
    ranked = known.sort(statistic, "gene_id", descending=[True, False])
    _check_order(ranked, statistic, how, key)
    measured = set(ranked["gene_id"])
    sets = {each: [gene for gene in genes if gene in measured] for each, genes in sets.items()}
    used = {each: genes for each, genes in sets.items() if fewest <= len(genes) <= most}
    if not used:
        sizes = first_of([f"{each} ({len(genes)})" for each, genes in sets.items()])
        expected = f"{fewest} to {most} of the {len(measured):,} genes that {':'.join(key)} measured"
        raise QueryError("No gene set is of a size to be tested.", expected=expected, got=sizes)
    table = by_ranks(ranked, statistic, used, seed) if how == "ranks" else of_changed(ranked, used, key)
    named, n_left_out = _named(table, ranked), len(sets) - len(used)
    return Enrichment(key, statistic, named, len(measured), n_left_out, unknown, ranked, used)


def _known_sets(store: Warehouse, sets: GeneSets) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Bring the genes of sets to the warehouse's ids; what did not map is returned beside them."""
    names = sorted({gene for genes in sets.values() for gene in genes})
    ledger = harmonise(store, names).filter((pl.col("entity") == "gene") & pl.col("target_id").is_not_null())
    ids = dict(ledger.select("original", "target_id").iter_rows())
    known = {name: list(dict.fromkeys(ids[gene] for gene in genes if gene in ids)) for name, genes in sets.items()}
    return known, tuple(name for name in names if name not in ids)


def _statistic(signature: pl.DataFrame, how: How) -> str:
    if how == "changed":
        return "effect"
    return "z" if signature["z"].is_not_null().any() else "effect"


def _check_order(ranked: pl.DataFrame, statistic: str, how: How, key: tuple[str, str]) -> None:
    if ranked.is_empty() and how == "changed":
        raise QueryError(
            f"No gene of {':'.join(key)} was tested, so none is known to change.", do="test the ranking: how = 'ranks'"
        )
    if ranked.is_empty():
        raise QueryError(f"{':'.join(key)} has no signature.", do="see quality.reason of it")
    most = max(ranked[statistic].value_counts()["count"].to_list())
    if how == "ranks" and most > _MOST_TIED * ranked.height:
        raise QueryError(
            f"The genes of {':'.join(key)} have no order.",
            got=f"{most:,} of {ranked.height:,} have the same {ranked['effect_kind'][0]}",
            do="test those that change: how = 'changed'",
        )


def _named(table: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """Call genes by their symbols, and put the surest sets first; what has no p comes last."""
    symbols = dict(ranked.select("gene_id", pl.coalesce("gene", "gene_id")).iter_rows())
    genes = pl.Series([[symbols[gene] for gene in each] for each in table["genes"]], dtype=pl.List(pl.String))
    named = table.with_columns(genes=genes).with_columns(pl.selectors.float().fill_nan(None))
    size = "nes" if "nes" in table.columns else "odds_ratio"
    return named.sort("p_value", pl.col(size).abs(), "gene_set", descending=[False, True, False], nulls_last=True)
