"""What a perturbation's page draws: two signatures, one, all of them, and other readouts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.lookup.heat_map import surest_genes
from featurestore.ui.asked import Asked, address
from featurestore.ui.conditions import chosen, conditions_of, signature_of, with_signature
from featurestore.ui.page import Chart

MOST_COMPARED = 30
"""Signatures whose similarity is drawn: those of the largest effects."""
MOST_BESIDE = 20
"""Signatures beside each other, gene by gene."""
FEWEST_GENES = 10
"""Genes below which a correlation says nothing."""
_DRAWN = 4000
"""Points of one chart: those of the largest effects."""


def phenotypes_of(asked: Asked) -> pl.DataFrame:
    """Return what other readouts say of the perturbation, a row each."""
    return asked.questions.ask("phenotypes", perturbation_id=asked.needed("id"))


def both_measured(asked: Asked) -> pl.DataFrame:
    """Effects of two signatures on the genes that both measured."""
    one, other = signature_of(asked, "a", 0), signature_of(asked, "b", 1)
    targets = set(conditions_of(asked)["target_gene_ids"][0])
    columns = ("gene_id", "gene_symbol", "effect")
    return (
        one.select(columns)
        .join(other.select("gene_id", pl.col("effect").alias("effect_b")), on="gene_id")
        .select("gene_id", "gene_symbol", pl.col("effect").alias("effect_a"), "effect_b")
        .with_columns(pl.col("gene_id").is_in(targets).alias("is_own_target"))
    )


def correlation(both: pl.DataFrame) -> float | None:
    """Correlate two signatures over the genes that both measured, own targets left out."""
    others = both.filter(~pl.col("is_own_target"))
    if others.height < FEWEST_GENES:
        return None
    r = others.select(pl.corr("effect_a", "effect_b")).item()
    return None if r is None or not np.isfinite(r) else float(r)


def draw_scatter(asked: Asked) -> Chart:
    """Draw two signatures against each other, gene by gene."""
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked)
    names = [chosen(asked, which, frame, i)["name"] for i, which in enumerate("ab")]
    both = both_measured(asked)
    points = both.sort(pl.max_horizontal(pl.col("effect_a").abs(), pl.col("effect_b").abs()), descending=True)
    drawn = points.head(_DRAWN).select(
        pl.col("gene_symbol").alias("gene"),
        pl.col("effect_a").alias("x"),
        pl.col("effect_b").alias("y"),
        pl.when("is_own_target").then(pl.lit("own target")).otherwise(pl.lit("other gene")).alias("target"),
    )
    return charts.scatter(drawn, names[0], names[1], r=correlation(both))


def draw_volcano(asked: Asked) -> Chart:
    """Draw effect and sureness of the genes of the chosen signature."""
    from featurestore.ui import signature_charts  # noqa: PLC0415, a page needs no chart library

    targets = set(conditions_of(asked)["target_gene_ids"][0])
    signature = signature_of(asked)
    smallest = signature.filter(pl.col("q_value") > 0)["q_value"].min()
    q = pl.max_horizontal("q_value", pl.lit(smallest))
    tested = signature.drop_nulls("q_value")
    points = tested.head(_DRAWN).select(
        pl.coalesce("gene_symbol", "gene_id").alias("gene"),
        "effect",
        pl.col("q_value").alias("q"),
        (-q.log10()).alias("sureness"),
        pl.when(pl.col("gene_id").is_in(targets))
        .then(pl.lit("own target"))
        .when(pl.col("q_value") < FALSE_DISCOVERY_RATE)
        .then(pl.lit("q < 0.05"))
        .otherwise(pl.lit("not significant"))
        .alias("kind"),
        _gene_page().alias("page"),
    )
    return signature_charts.volcano(points, signature["effect_kind"][0] if signature.height else "", tested.height)


def _gene_page() -> pl.Expr:
    return pl.col("gene_id").map_elements(lambda gene: address("gene", id=gene), pl.String)


def draw_heat_map(asked: Asked) -> Chart:
    """Draw the surest genes of each signature in all of them."""
    from featurestore.ui import signature_charts  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked).head(MOST_BESIDE)
    read = asked.questions.ask("signatures", conditions=tuple(frame["key"]))
    signatures = [read.filter(condition=key).explode("genes").unnest("genes") for key in frame["key"]]
    genes, z = surest_genes(signatures)
    ids = {gene: gene_id for each in signatures for gene, gene_id in each.select("gene", "gene_id").iter_rows()}
    pages: list[str | None] = [address("gene", id=ids[gene]) if ids[gene] else None for gene in genes]
    return signature_charts.heat_map(genes, pages, frame["name"].to_list(), z)


def draw_similarity(asked: Asked) -> Chart:
    """Draw how alike the signatures are, two by two."""
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked).head(MOST_COMPARED)
    effects = asked.questions.ask("effects", conditions=tuple(frame["key"]))
    targets = set(frame["target_gene_ids"][0]) if frame.height else set()
    wide = effects.filter(~pl.col("gene_id").is_in(targets)).pivot("condition", index="gene_id", values="effect")
    missing = [key for key in frame["key"] if key not in wide.columns]
    wide = wide.with_columns(pl.lit(None, dtype=pl.Float32).alias(key) for key in missing)
    r, n = _correlations(wide.select(frame["key"].to_list()).to_numpy())
    return charts.similarity(frame["name"].to_list(), r, n)


def _correlations(effects: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Correlate every two columns over the genes that both have.

    Parameters
    ----------
    effects
        Shape (genes, conditions), NaN where a gene was not measured.

    Returns
    -------
    Pearson r, NaN where it cannot be told, and the number of genes; both of shape (conditions, conditions).
    """
    known = np.isfinite(effects)
    size = effects.shape[1]
    r, n = np.full((size, size), np.nan), np.zeros((size, size), np.int64)
    for i in range(size):
        for j in range(i, size):
            both = known[:, i] & known[:, j]
            x, y = effects[both, i].astype(np.float64), effects[both, j].astype(np.float64)
            n[i, j] = n[j, i] = both.sum()
            if both.sum() >= FEWEST_GENES and x.std() > 0 and y.std() > 0:
                r[i, j] = r[j, i] = np.corrcoef(x, y)[0, 1]
    return r, n


def draw_readouts(asked: Asked) -> Chart:
    """Draw every other readout of every cell line."""
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    points = phenotypes_of(asked).select(
        pl.format("{} / {}", "dataset_id", "phenotype").alias("group"),
        pl.col("context_label").alias("label"),
        "value",
        pl.col("phenotype").alias("kind"),
    )
    return charts.strips(points.head(_DRAWN), value="value", title="readout")
