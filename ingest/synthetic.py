"""A small simulated world with planted effects, written in published layouts: for the demonstration and the tests.

Every perturbation has a latent effect that its cell lines share to a known degree, so external signatures help by
construction and by how much is known. Counts are negative-binomial draws around a profile of log-normal expression,
with log-normal depth per cell; a perturbed gene is itself silenced to a fifth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest import reference
from ingest.layouts import replogle_genes, replogle_rows, write_gctx, write_replogle
from ingest.reader import INDEX

NON_TARGETING = "non-targeting"
LATENT = 6
DISPERSION = 0.5
"""Squared coefficient of variation of a gene's expression between cells alike."""
SILENCED = np.log(0.2)
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """What is true: genes, targets, and the effect of each perturbation in each line.

    ``genes`` has gene_id, gene_symbol and entrez_id; the first ``n_targets`` of them are perturbed. ``effects`` maps a
    line to natural log fold changes of shape (targets, genes). ``profile`` is expression at rest, shape (genes,).
    """

    genes: pl.DataFrame
    n_targets: int
    profile: Doubles
    effects: dict[str, Doubles]


def make_world(lines: dict[str, float], *, n_targets: int, n_genes: int, seed: int = 0) -> World:
    """Draw a world.

    Parameters
    ----------
    lines
        Cell line to the correlation of its latent effects with the shared ones, 0 to 1.
    n_targets, n_genes
        Perturbed genes, and measured genes, of which the targets are the first.
    seed
        The same seed gives the same world.
    """
    rng = np.random.default_rng(seed)
    known = reference.table("gene").filter(
        (pl.col("biotype") == "protein_coding")
        & pl.col("entrez_id").is_not_null()
        & pl.col("gene_id").str.starts_with("E")
    )
    genes = known.sort("gene_id").gather_every(known.height // n_genes).head(n_genes)
    shared = rng.normal(size=(n_targets, LATENT))
    loadings = rng.normal(size=(LATENT, n_genes)) * (rng.random((LATENT, n_genes)) < 0.25)  # noqa: PLR2004
    common = rng.normal(size=n_genes) * 0.15
    strength = rng.gamma(1.5, 0.6, size=(n_targets, 1))
    effects = {}
    for line, correlation in lines.items():
        own = rng.normal(size=shared.shape)
        latent = correlation * shared + np.sqrt(1 - correlation**2) * own
        spread = loadings * rng.normal(1.0, 0.2, size=loadings.shape)
        effect = strength * (common + 0.25 * latent @ spread)
        np.fill_diagonal(effect, SILENCED)
        effects[line] = effect
    profile = np.exp(rng.normal(0.0, 1.0, size=n_genes))
    return World(genes, n_targets, profile / profile.sum(), effects)


def write_cells(
    world: World, line: str, path: Path, *, cells: int = 40, controls: int = 600, depth: float = 4000.0, seed: int = 1
) -> Path:
    """Write one line's cells as Replogle et al. publish theirs.

    Parameters
    ----------
    cells
        Mean number of cells a perturbation; the numbers are log-normal.
    controls
        Number of control cells.
    depth
        Median counts a cell.
    """
    rng = np.random.default_rng(seed)
    numbers = np.maximum(rng.lognormal(np.log(cells), 0.4, world.n_targets).astype(int), 4)
    target = np.concatenate([np.full(controls, -1), np.repeat(np.arange(world.n_targets), numbers)])
    rng.shuffle(target)
    effect = np.vstack([world.effects[line], np.zeros(len(world.profile))])[target]
    rate = world.profile * np.exp(effect)
    rate *= rng.lognormal(np.log(depth), 0.3, (len(target), 1)) / rate.sum(axis=1, keepdims=True)
    counts = rng.poisson(rate * rng.gamma(1 / DISPERSION, DISPERSION, rate.shape)).astype(np.float32)
    symbols = [*world.genes["gene_symbol"], NON_TARGETING]
    ids = [*world.genes["gene_id"], NON_TARGETING]
    batches = rng.integers(1, 5, len(target)).tolist()
    rows = replogle_rows(counts, [symbols[t] for t in target], [ids[t] for t in target], batches)
    return write_replogle(path, counts, rows, replogle_genes(counts, ids[:-1], symbols[:-1]))


def write_signatures(world: World, lines: dict[str, str], path: Path, *, n_genes: int, seed: int = 2) -> Path:
    """Write knock-out signatures of every target as LINCS level 5 publishes its own: z-scores, Entrez ids as text.

    Parameters
    ----------
    lines
        The world's line to its name in the file.
    n_genes
        How many genes are measured: the last of the world's.
    """
    rng = np.random.default_rng(seed)
    measured = world.genes.tail(n_genes)
    blocks, tables = [], []
    for line, name in lines.items():
        effect = world.effects[line][:, -n_genes:]
        blocks.append(4.0 * effect + rng.normal(size=effect.shape))
        symbols = world.genes["gene_symbol"].head(world.n_targets)
        tables.append(
            pl.DataFrame(
                {
                    INDEX: [f"XPR001_{name}_96H:{symbol}" for symbol in symbols],
                    "cell_id": name,
                    "pert_iname": symbols,
                    "pert_type": "trt_xpr",
                    "pert_itime": "96 h",
                    "distil_cc_q75": rng.uniform(0.1, 0.8, world.n_targets),
                    "ss_ngene": (np.abs(blocks[-1]) >= 2).sum(axis=1) * 978.0 / n_genes,  # noqa: PLR2004
                }
            )
        )
    genes = pl.DataFrame({INDEX: measured["entrez_id"], "pr_gene_symbol": measured["gene_symbol"]})
    return write_gctx(path, np.vstack(blocks).astype(np.float32), pl.concat(tables), genes)
