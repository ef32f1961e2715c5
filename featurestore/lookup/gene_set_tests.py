"""Tests of gene sets: gseapy counts (Fang et al. 2023, doi:10.1093/bioinformatics/btac757).

In rank order its port of fgsea's multilevel procedure, whose p-values do not end at one in so many permutations; of
genes that change, the hypergeometric test.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.errors import QueryError
from featurestore.search.null import q_values

_THREADS = 2


def require_gseapy() -> Any:
    """Return gseapy.

    Raises
    ------
    QueryError
        It is not installed.
    """
    try:
        import gseapy  # noqa: PLC0415, an extra
    except ImportError:
        do = "pip install 'perturbation-featurestore[enrichment]'"
        raise QueryError("Gene sets are tested by gseapy, which is not installed.", do=do) from None
    return gseapy


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    """Leave out what gseapy says of ties and of sets without p: both are in the answer."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


@_in_silence()
def by_ranks(ranked: pl.DataFrame, statistic: str, sets: Mapping[str, Sequence[str]], seed: int) -> pl.DataFrame:
    """Test sets in rank order; equal values stay in the order of gene ids.

    Parameters
    ----------
    ranked
        ``gene_id`` and the statistic of every measured gene, by falling statistic.
    statistic
        Its column.
    sets
        Genes by id, by the name of their set.
    seed
        Of the sampling.

    Returns
    -------
    A row for each set: ``gene_set``, ``direction``, ``n_genes``, ``es``, ``nes``, ``p_value``, ``q_value``, and
    ``genes``, the leading edge.
    """
    series = ranked.select("gene_id", pl.col(statistic).cast(pl.Float64)).to_pandas().set_index("gene_id")[statistic]
    found = require_gseapy().prerank(
        rnk=series, gene_sets={name: list(genes) for name, genes in sets.items()}, method="multilevel", min_size=1,
        max_size=len(series), ascending=None, seed=seed, threads=_THREADS, outdir=None, no_plot=True,
    ).res2d  # fmt: skip
    table = pl.DataFrame(
        {
            "gene_set": found["Term"].astype(str).tolist(),
            "es": found["ES"].astype(float).to_numpy(),
            "nes": found["NES"].astype(float).to_numpy(),
            "p_value": found["NOM p-val"].astype(float).to_numpy(),
            "genes": [str(genes).split(";") if genes else [] for genes in found["Lead_genes"]],
        }
    )
    sizes = pl.DataFrame({"gene_set": list(sets), "n_genes": [len(genes) for genes in sets.values()]})
    table = table.join(sizes, on="gene_set", how="left").with_columns(
        direction=pl.when(pl.col("es") > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
        q_value=pl.Series(q_values(table["p_value"].to_numpy())),
    )
    return table.select("gene_set", "direction", "n_genes", "es", "nes", "p_value", "q_value", "genes")


@_in_silence()
def of_changed(ranked: pl.DataFrame, sets: Mapping[str, Sequence[str]], key: tuple[str, str]) -> pl.DataFrame:
    """Count the genes that go up, and those that go down, in each set; a set that shares none has p = 1.

    Parameters
    ----------
    ranked
        Signature of every tested gene: ``gene_id``, ``effect``, ``effect_kind`` and ``q_value``.
    sets
        Genes by id, by the name of their set.
    key
        dataset_id and condition_id, for messages.

    Returns
    -------
    A row for each direction and set: ``gene_set``, ``direction``, ``n_genes``, ``n_shared``, ``odds_ratio``,
    ``p_value``, ``q_value``, and ``genes``, those that are shared.

    Raises
    ------
    QueryError
        No gene changes.
    """
    is_changed = (pl.col("q_value") < FALSE_DISCOVERY_RATE) | (
        (pl.col("effect_kind") == "de_call") & (pl.col("effect") != 0)
    )
    changed = ranked.filter(is_changed)
    if changed.is_empty():
        raise QueryError(f"No gene of {':'.join(key)} changes beyond noise.", do="test the ranking: how = 'ranks'")
    background = ranked["gene_id"].to_list()
    parts = []
    for direction, side in (("up", pl.col("effect") > 0), ("down", pl.col("effect") < 0)):
        genes = changed.filter(side)
        every = pl.DataFrame({"gene_set": list(sets), "n_genes": [len(each) for each in sets.values()]})
        found = {}
        if genes.height:
            result = require_gseapy().enrich(
                gene_list=genes["gene_id"].to_list(), gene_sets={name: list(each) for name, each in sets.items()},
                background=background, outdir=None, no_plot=True, cutoff=1,
            ).results  # fmt: skip
            found = {row["Term"]: row for row in result.to_dict("records")}
        shared = [str(found[name]["Genes"]).split(";") if name in found else [] for name in sets]
        parts.append(
            every.with_columns(
                direction=pl.lit(direction),
                n_shared=pl.Series([len(each) for each in shared], dtype=pl.Int64),
                odds_ratio=pl.Series([float(found[name]["Odds Ratio"]) if name in found else 0.0 for name in sets]),
                p_value=pl.Series([float(found[name]["P-value"]) if name in found else 1.0 for name in sets]),
                genes=pl.Series(shared, dtype=pl.List(pl.String)),
            )
        )
    table = pl.concat(parts)
    table = table.with_columns(q_value=pl.Series(q_values(table["p_value"].to_numpy())))
    return table.select("gene_set", "direction", "n_genes", "n_shared", "odds_ratio", "p_value", "q_value", "genes")
