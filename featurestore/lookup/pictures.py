"""A signature as a volcano, and signatures of one perturbation beside each other as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.lookup.heat_map import surest_genes
from featurestore.storage.whole import beside

if TYPE_CHECKING:
    from featurestore.lookup.agreement import Agreement

_NAMED = 10
_GREY, _UP, _DOWN = "#9aa0a6", "#b2182b", "#2166ac"
_LARGEST = 300.0
"""-log10 of the smallest p-value that is drawn at its place."""


def volcano(signature: pl.DataFrame, title: str) -> Figure:
    """Draw effect against p-value, genes of q < 0.05 in colour, the ten surest of them by name.

    Parameters
    ----------
    signature
        As :func:`featurestore.lookup.cards.signature_of` reads it; genes without a test are left out.
    title
        What stands above it.
    """
    tested = signature.drop_nulls("p_value").with_columns(
        sureness=(-pl.max_horizontal("p_value", pl.lit(10.0**-_LARGEST)).log10())
    )
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.add_subplot()
    beyond = (pl.col("q_value") < FALSE_DISCOVERY_RATE).fill_null(value=False)
    for rows, colour, size in (
        (tested.filter(~beyond), _GREY, 6),
        (tested.filter(beyond & (pl.col("effect") > 0)), _UP, 14),
        (tested.filter(beyond & (pl.col("effect") < 0)), _DOWN, 14),
    ):
        axes.scatter(
            rows["effect"], rows["sureness"], s=size, c=colour, linewidths=0, rasterized=rows.height > _LARGEST
        )
    for effect, sureness, gene in tested.filter(beyond).head(_NAMED).select("effect", "sureness", "gene").iter_rows():
        place, side = ((-4, 2), "right") if effect > 0 else ((4, 2), "left")
        axes.annotate(gene, (effect, sureness), place, textcoords="offset points", ha=side, fontsize=8)
    changed = tested.filter(beyond)
    if changed.height:
        axes.axhline(float(changed["sureness"].min() or 0.0), color=_GREY, linewidth=0.8, linestyle="--")  # type: ignore[arg-type]
    kind = signature["effect_kind"][0] if signature.height else "effect"
    axes.set(xlabel=kind, ylabel="-log10 p", title=title)
    axes.text(
        0.99,
        0.01,
        f"{changed.height:,} of {tested.height:,} genes q < {FALSE_DISCOVERY_RATE}",
        transform=axes.transAxes,
        ha="right",
        fontsize=8,
    )
    return figure


def heat_map(signatures: Sequence[pl.DataFrame], names: Sequence[str], title: str) -> Figure:
    """Draw the z of the surest genes in every signature: a row a gene, a column a condition, grey where there is none.

    Where effects are z-scores themselves, as those of L1000, they are drawn.

    Parameters
    ----------
    signatures
        As :func:`featurestore.lookup.cards.signature_of` reads them.
    names
        What stands below each column.
    title
        What stands above it.
    """
    genes, values = surest_genes(signatures)
    figure = Figure(figsize=(2.5 + 0.5 * len(signatures), 1.8 + 0.2 * len(genes)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#e0e0e0")
    most = float(np.nanmax(np.abs(values), initial=1.0))
    image = axes.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    axes.set_yticks(range(len(genes)), genes, fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="z")
    return figure


def agreement_histogram(agreement: Agreement) -> Figure:
    """Draw how alike shared perturbations are in two datasets, beside how alike different ones are.

    Parameters
    ----------
    agreement
        As :func:`featurestore.lookup.agreement.compare_datasets` finds it.
    """
    is_centred = agreement.rows["centred_r"].is_not_null().any()
    name, words = ("centred_r", "centred Pearson r") if is_centred else ("r", "Pearson r")
    same = agreement.rows[name].drop_nulls().to_numpy()
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    bins = np.linspace(-1, 1, 41)
    for values, colour, label in (
        (agreement.chance, _GREY, "different perturbations"),
        (same, _DOWN, f"the same perturbation ({len(same):,})"),
    ):
        if len(values):
            share = np.full(len(values), 1 / len(values))
            axes.hist(values, bins.tolist(), weights=share, color=colour, alpha=0.7, label=label)
    axes.set(xlabel=f"{words} of the effects", ylabel="share of pairs", title=" and ".join(agreement.datasets))
    axes.legend(frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture: PNG, SVG or PDF, by the ending of the name; all of it or nothing.

    Raises
    ------
    OSError
        The system refuses; the file is as it was.
    """
    form = path.suffix.lower().removeprefix(".")
    drawn = BytesIO()  # on a full disk, what draws a PDF into a file fails in its own clean-up
    figure.savefig(drawn, format=form, dpi=150, metadata={"Software": None} if form == "png" else None)
    with beside(path) as work:
        work.write_bytes(drawn.getvalue())
