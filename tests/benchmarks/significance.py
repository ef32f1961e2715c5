"""The tests of cells against independent versions: a table of the largest differences, and of agreement on cells.

    python tests/benchmarks/significance.py

p of counts, p of Student's t and z against scipy, q against scipy and statsmodels; then, on the same simulated cells,
how alike p of counts is to that of a negative binomial regression (statsmodels), pysceptre and Wilcoxon (scanpy). These
have models of their own: what is asked is that genes come in the same order.
"""

import subprocess
import tempfile
from pathlib import Path

import anndata
import click
import numpy as np
import pandas as pd
import polars as pl
from calibration import P_VALUES, PEERS, SPEC, by_peer, draw, symbols
from scipy import sparse, stats

from featurestore.query.warehouse import Warehouse
from ingest.pipeline import ingest_dataset
from ingest.signatures.count_test import count_test
from ingest.signatures.false_discovery import benjamini_hochberg
from ingest.signatures.moderated_t import log_two_sided
from ingest.signatures.normal import signed_z
from ingest.signatures.rates import Expected

N_GENES, N_CONTROLS, N_CELLS = 400, 600, 60
LEAST_COUNT = 100
"""Counts of a gene among all cells, from which on tools can agree on it."""
LEAST_ALIKE = {"statsmodels": 0.95, "pysceptre": 0.7, "scanpy": 0.7}
"""Rank correlation of p with that of each tool, at least."""
FDR_BH = "import sys, numpy; from statsmodels.stats.multitest import multipletests as m; t = sys.argv[1]; "
FDR_BH += "numpy.save(t, [m(row, method='fdr_bh')[1] for row in numpy.load(t)])"


def same_model(rng):
    """Yield what is compared, with what, values of both, and the tolerance of their relative difference."""
    mean, dispersion = np.exp(rng.uniform(-3, 7, 20_000)), np.exp(rng.uniform(-6, 1, 20_000))
    count = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion)).astype(float)
    log_p, sign, _ = count_test(count[None, :], Expected(mean[None, :], (mean + dispersion * mean**2)[None, :]))
    law = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    half = law.pmf(count) / 2
    yield (
        "p of counts",
        "scipy",
        np.exp(log_p[0]),
        np.minimum(2 * np.minimum(law.cdf(count) - half, law.sf(count) + half), 1),
        1e-6,
    )
    t, freedom = rng.standard_t(3, 20_000), rng.uniform(2, 500, 20_000)
    yield "p of t", "scipy", np.exp(log_two_sided(t, freedom)), 2 * stats.t.sf(np.abs(t), freedom), 1e-9
    yield "z", "scipy", signed_z(log_p, sign)[0], stats.norm.isf(np.exp(log_p[0]) / 2) * sign[0], 1e-6
    p_value = rng.uniform(size=(20, 2000)) ** 3
    q_value = benjamini_hochberg(p_value)
    yield "q", "scipy", q_value, stats.false_discovery_control(p_value, axis=1), 1e-12
    if PEERS.exists():
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "p.npy", p_value)
            subprocess.run([PEERS, "-c", FDR_BH, Path(folder) / "p.npy"], check=True)
            yield "q", "statsmodels", q_value, np.load(Path(folder) / "p.npy"), 1e-12


def on_cells(rng):
    """Yield each tool and the rank correlation of its p with ours, and how many tests both have."""
    change = np.ones(N_GENES)
    change[rng.choice(N_GENES, N_GENES // 5, replace=False)] = 2.0
    parts = [draw(rng, N_CONTROLS, N_GENES)[0], *(draw(rng, N_CELLS, N_GENES, changed=change)[0] for _ in range(2))]
    values, labels = np.vstack(parts), ["control"] * N_CONTROLS + ["one"] * N_CELLS + ["two"] * N_CELLS
    with tempfile.TemporaryDirectory() as place:
        folder, names = Path(place), [f"cell{at}" for at in range(len(labels))]
        obs = pd.DataFrame({"label": labels, "line": "K562"}, index=names)
        table = anndata.AnnData(sparse.csr_matrix(values), obs, pd.DataFrame(index=symbols(N_GENES + 1)))
        table.write_h5ad(folder / "planted.h5ad")
        (folder / "planted.toml").write_text(SPEC.format(name="planted", values="counts", batch=""))
        ingest_dataset(folder / "planted.toml", folder / "warehouse")
        with Warehouse(folder / "warehouse") as store:
            ours = store.frame(P_VALUES).drop_nulls("p_value")
        common = [name for name, n in zip(symbols(N_GENES + 1), values.sum(axis=0), strict=True) if n >= LEAST_COUNT]
        ours = ours.filter(pl.col("gene_id").is_in(common))
        for peer in LEAST_ALIKE:
            found = by_peer(peer, folder)
            if found is not None:
                both = ours.join(found, on=["label", "gene_id"], suffix="_theirs").drop_nulls().drop_nans()
                yield peer, float(stats.spearmanr(both["p_value"], both["p_value_theirs"]).statistic), both.height


def main():
    """Print both tables; end with an error where a difference is above its tolerance."""
    rng, is_right = np.random.default_rng(0), True
    click.echo(f"{'what':<14}{'against':<14}{'values':>8}{'difference':>12}{'tolerance':>11}")
    for what, tool, ours, theirs, tolerance in same_model(rng):
        known = np.abs(theirs) > 1e-10  # smaller ones are differences of numbers near 1 there
        gap = float((np.abs(ours - theirs)[known] / np.abs(theirs)[known]).max())
        click.echo(f"{what:<14}{tool:<14}{known.sum():>8,}{gap:>12.1e}{tolerance:>11.0e}")
        is_right &= gap <= tolerance
    if not PEERS.exists():
        click.echo("statsmodels, pysceptre and scanpy are left out: make .venv-peers/.ready makes their environment")
        raise SystemExit(not is_right)
    click.echo(f"\n{'p on cells':<28}{'tests':>8}{'rank corr.':>12}{'at least':>11}")
    for peer, alike, n_tests in on_cells(rng):
        click.echo(f"{'counts and ' + peer:<28}{n_tests:>8,}{alike:>12.3f}{LEAST_ALIKE[peer]:>11}")
        is_right &= alike >= LEAST_ALIKE[peer]
    raise SystemExit(not is_right)


if __name__ == "__main__":
    main()
