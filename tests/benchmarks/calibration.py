"""Do the tests hold where nothing happened, and do they find what was planted: ``python calibration.py --data DIR``.

Control cells of real files, and simulated ones, are dealt into pretend perturbations of 2 to 200 cells, ingested as a
dataset of their own, and asked for through the public views. Right: 5 % of p < 0.05, 0.1 % of p < 0.001, next to no
gene at q < 0.05, no responder. Then 20 conditions of 50 simulated cells in which 40 of 2,000 genes changed two-fold:
how many are found at q < 0.05, how many of those found are false, and the average precision of genes ordered by p,
beside tests over cells on the same counts: by scipy, and by scanpy, pdex and pysceptre from the peers' environment.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import anndata
import click
import numpy as np
import pandas as pd
import polars as pl
from scipy import io, sparse, stats
from sklearn.metrics import average_precision_score

from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.pipeline import ingest_dataset

SIZES = ((2, 30), (3, 20), (5, 20), (10, 16), (20, 12), (50, 6), (100, 3))
"""Cells of pretend conditions, and how many of each."""
LARGE = ((200, 3),)
"""Those dealt by themselves: the others leave too few cells for them."""
PEERS = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
SPEC = """\
[dataset]
id = "{name}"
files = ["{name}.h5ad"]
values = "{values}"
assay = "perturb_seq"

[condition]
perturbation = "label"
kind = "compound"
controls = ["control"]
context = {{ column = "line" }}
{batch}
"""
CONDITIONS = """
select n_cells, condition_id, count(p_value) as tests,
    count(*) filter (p_value < 0.05) as p_05,
    count(*) filter (p_value < 0.001) as p_001,
    count(*) filter (q_value < 0.05) as significant,
    any_value(is_responder) as responders
from signature join condition using (dataset_id, condition_id) join quality using (dataset_id, condition_id, n_cells)
group by n_cells, condition_id
"""


P_VALUES = """
select perturbation_label as label, gene_id, p_value, q_value
from signature join condition using (dataset_id, condition_id)
"""


@dataclass(frozen=True)
class Cells:
    """Cells in which nothing happened: values (cells, genes), names of genes, batch and line of each cell."""

    name: str
    values: np.ndarray
    genes: list[str]
    batch: np.ndarray | None = None
    line: np.ndarray | None = None
    kind: str = "counts"


def simulated(name: str, seed: int, n_cells: int = 2500, **kinds: object) -> Cells:
    """Draw cells of about 9,000 counts: genes of mean 0.005 to 2, sizes that differ by sd 0.35, and batches."""
    counts, batch = draw(np.random.default_rng(seed), n_cells, 1500, **kinds)
    return Cells(name, counts, symbols(counts.shape[1]), batch)


def draw(rng, n_cells, n_genes, dispersion=0.1, n_batches=1, strays=0.0, depths=(1.0,), changed=None):
    """Draw counts, with one more gene that has what a cell has besides; ``changed`` (cells, genes) multiplies means."""
    fixed = np.random.default_rng(7)
    mean = np.exp(fixed.uniform(np.log(0.005), np.log(2.0), n_genes))
    of_batch = mean * np.exp(fixed.normal(0, strays, (n_batches, n_genes)))
    batch = rng.integers(0, n_batches, n_cells)
    size = np.exp(rng.normal(0, 0.35, n_cells)) * np.resize(depths, n_batches)[batch]
    expected = size[:, None] * of_batch[batch] * (1.0 if changed is None else changed)
    counts = rng.poisson(expected * rng.gamma(1 / dispersion, dispersion, expected.shape) if dispersion else expected)
    rest = rng.poisson(np.maximum(9000 * size - expected.sum(axis=1), 0))
    return np.column_stack([counts, rest]).astype(np.float32), batch.astype(str)


def symbols(n_genes: int) -> list[str]:
    """Names of genes, from the reference."""
    return reference.table("gene").filter(pl.col("gene_symbol").is_not_null())["gene_id"].head(n_genes).to_list()


def real(data: Path) -> Iterator[Cells]:
    """Read the control cells of four real files."""
    papalexi = anndata.read_h5ad(data / "perturb_seq" / "papalexi2021_thp1_raw.h5ad")
    papalexi = papalexi[(papalexi.obs["perturbation"] == "non-targeting").to_numpy()]
    yield Cells(
        "papalexi", papalexi.X.toarray(), list(papalexi.var_names), papalexi.obs["bio_rep"].astype(str).to_numpy()
    )
    zhao = anndata.read_h5ad(data / "drug_seq" / "zhao2021_gbm_panobinostat_raw.h5ad")
    zhao = zhao[(zhao.obs["treatment"] == "vehicle (DMSO)").to_numpy()]
    yield Cells("zhao", zhao.X.toarray(), list(zhao.var_names), zhao.obs["patient_id"].astype(str).to_numpy())
    folder = data / "perturb_seq" / "datlinger2017"
    meta = pd.read_csv(folder / "seurat_metadata.csv")
    is_control = (meta["perturbation"] == "control").to_numpy()
    genes = pd.read_csv(folder / "genes.csv")["x"].tolist()
    counts = io.mmread(folder / "matrix.mtx").T.tocsr()[is_control].toarray()
    yield Cells("datlinger", counts, genes, None, meta["perturbation_2"][is_control].astype(str).to_numpy())
    norman = anndata.read_h5ad(data / "perturb_seq" / "norman2019_mcfaline2023_lognorm.h5ad")
    norman = norman[(norman.obs["perturbation"] == "control").to_numpy()]
    line = norman.obs["cell_type"].astype(str).to_numpy()
    yield Cells("four_lines", norman.X.toarray(), list(norman.var_names), None, line, "log1p")


def simulations() -> Iterator[Cells]:
    """Simulate batches of other depths, conditions from one batch each, and cells that stray little and far."""
    yield simulated("plain", 1)
    yield simulated("poisson", 2, dispersion=0.0)
    yield simulated("dispersed", 3, dispersion=1.0)
    yield simulated("batches", 4, n_batches=6, strays=0.2, depths=(0.3, 0.6, 1.0, 1.0, 1.5, 3.0))
    yield simulated("lanes", 5, n_batches=40, strays=0.2)
    yield simulated("confounded", 6, n_cells=4000, n_batches=6, strays=0.2, depths=(0.3, 0.6, 1.0, 1.0, 1.5, 3.0))


def dealt(cells: Cells, seed: int, sizes: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Label cells: some are dealt into pretend perturbations, at least half of a line's cells stay controls."""
    rng = np.random.default_rng(seed)
    labels = np.full(len(cells.values), "control", dtype=object)
    lines = cells.line if cells.line is not None else np.full(len(labels), "K562")
    number = 0
    for line in np.unique(lines):
        pool = rng.permutation(np.flatnonzero(lines == line))
        if cells.name == "confounded":
            parts = [pool[cells.batch[pool] == batch] for batch in np.unique(cells.batch)]
            pool = np.concatenate([part[: len(part) // 2] for part in parts])
        room = len(pool) if cells.name == "confounded" else len(pool) // 2
        n_lines, taken = len(np.unique(lines)), 0
        for size, n in sizes:
            for _ in range(max(1, n // n_lines)):
                if taken + size <= room:
                    labels[pool[taken : taken + size]] = f"sham {number} of {size}"
                    taken, number = taken + size, number + 1
    return labels


def sizes_of(cells: Cells, deals: int) -> pl.DataFrame:
    """Deal, ingest and ask, and average over the conditions of all deals."""
    tables = []
    for seed, sizes in product(range(deals), (SIZES, LARGE)):
        label = dealt(cells, seed, sizes).astype(str)
        if (label == "control").all():
            continue
        folder = Path(tempfile.mkdtemp(prefix="calibration-"))
        line = cells.line if cells.line is not None else np.full(len(cells.values), "K562")
        obs = pd.DataFrame({"label": label, "line": line})
        if cells.batch is not None:
            obs["batch"] = cells.batch
        obs.index = [f"cell{i}-{seed}" for i in range(len(obs))]
        table = anndata.AnnData(sparse.csr_matrix(cells.values), obs, pd.DataFrame(index=cells.genes))
        table.write_h5ad(folder / f"{cells.name}.h5ad")
        batch = 'batch = "batch"' if cells.batch is not None else ""
        spec = folder / f"{cells.name}.toml"
        spec.write_text(SPEC.format(name=cells.name, values=cells.kind, batch=batch))
        ingest_dataset(spec, folder / "warehouse")
        with Warehouse(folder / "warehouse") as store:
            tables.append(store.frame(CONDITIONS))
        shutil.rmtree(folder)
    return (
        pl.concat(tables)
        .group_by("n_cells")
        .agg(
            pl.col("responders").sum(),
            *(pl.col(name).sum() / pl.col("tests").sum() for name in ("p_05", "p_001")),
            conditions=pl.len(),
            significant=pl.col("significant").mean(),
            error=pl.col("significant").std() / pl.len().sqrt(),  # genes come together: many in few conditions
        )
        .sort("n_cells")
    )


def planted(
    seed: int, n_control: int = 2000, n_cells: int = 50, n_conditions: int = 20, peers: tuple[str, ...] = ()
) -> dict[str, tuple[float, ...]]:
    """Plant two-fold changes; found, false among them, and average precision, of ours and of others' tests."""
    rng = np.random.default_rng(seed)
    n_genes, n_changed = 2000, 40
    mean = np.exp(np.random.default_rng(7).uniform(np.log(0.005), np.log(2.0), n_genes))
    control, _ = draw(rng, n_control, n_genes)
    blocks, is_changed, labels = [control], [], ["control"] * n_control
    for condition in range(n_conditions):
        change = np.ones(n_genes)
        genes = rng.choice(np.flatnonzero(mean > 0.2), n_changed, replace=False)
        change[genes] = rng.choice([0.5, 2.0], n_changed)
        blocks.append(draw(rng, n_cells, n_genes, changed=change)[0])
        is_changed.append(change != 1.0)
        labels += [f"sham {condition}"] * n_cells
    values, names = np.vstack(blocks), symbols(n_genes + 1)
    folder = Path(tempfile.mkdtemp(prefix="planted-"))
    obs = pd.DataFrame({"label": labels, "line": "K562"}, index=[f"cell{i}" for i in range(len(values))])
    anndata.AnnData(sparse.csr_matrix(values), obs, pd.DataFrame(index=names)).write_h5ad(folder / "planted.h5ad")
    (folder / "planted.toml").write_text(SPEC.format(name="planted", values="counts", batch=""))
    ingest_dataset(folder / "planted.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        answers = {"featurestore": store.frame(P_VALUES)}
    answers |= {peer: found for peer in peers if (found := by_peer(peer, folder)) is not None}
    shutil.rmtree(folder)
    conditions = [f"sham {condition}" for condition in range(n_conditions)]
    tested = {name: _in_order(found, conditions, names[:n_genes]) for name, found in answers.items()}
    logs = np.log1p(values / values.sum(axis=1, keepdims=True) * 1e4)[:, :n_genes].astype(np.float64)
    control = logs[:n_control]
    groups = [logs[n_control + at * n_cells : n_control + (at + 1) * n_cells] for at in range(n_conditions)]
    by_scipy = {
        "Welch's t": lambda group: stats.ttest_ind(group, control, equal_var=False).pvalue,
        "pooled t": lambda group: stats.ttest_ind(group, control).pvalue,
        "Wilcoxon": lambda group: stats.mannwhitneyu(group, control, method="asymptotic").pvalue,
    }
    for name, test in by_scipy.items():
        p_value = np.array([test(group) for group in groups])
        tested[name] = p_value, _adjusted(p_value)
    return {name: _scored(*both, np.array(is_changed)) for name, both in tested.items()}


def by_peer(peer: str, folder: Path) -> pl.DataFrame | None:
    """Test the cells by another tool in its own environment; say why where it cannot."""
    script, target = Path(__file__).with_name("peer_tests.py"), folder / f"{peer}.parquet"
    done = subprocess.run(
        [PEERS, script, peer, folder / "planted.h5ad", target], check=False, capture_output=True, text=True
    )
    if done.returncode:
        click.echo(f"{peer} is left out: {(done.stderr.strip().splitlines() or ['it ended without a word'])[-1]}")
        return None
    return pl.read_parquet(target)


def _in_order(found: pl.DataFrame, labels: list[str], genes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Bring p and q of a table into rows of conditions and columns of genes; NaN where there is none."""
    axis = pl.DataFrame({"gene_id": genes})
    p_value, q_value = (
        found.pivot("label", index="gene_id", values=name)
        .join(axis, on="gene_id", how="right", maintain_order="right")
        .select(pl.col(labels).cast(pl.Float64))
        .to_numpy()
        .T
        for name in ("p_value", "q_value")
    )
    return p_value, q_value


def _adjusted(p_value: np.ndarray) -> np.ndarray:
    """Adjust each condition's p-values by Benjamini and Hochberg, those that are there."""
    q_value = np.full_like(p_value, np.nan)
    for row, values in enumerate(p_value):
        known = np.isfinite(values)
        q_value[row, known] = stats.false_discovery_control(values[known])
    return q_value


def _scored(p_value: np.ndarray, q_value: np.ndarray, is_changed: np.ndarray) -> tuple[float, ...]:
    called, tested = q_value < 0.05, np.isfinite(p_value)
    false = (called & ~is_changed).sum() / max(called.sum(), 1)
    return called[is_changed].mean(), false, average_precision_score(is_changed[tested], -p_value[tested])


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the real files.")
@click.option("--deals", default=3, show_default=True, help="How often cells are dealt.")
@click.option("--seeds", default=3, show_default=True, help="How often changes are planted.")
@click.option("--conditions", default=20, show_default=True, help="Conditions in which they are.")
@click.option("--sceptre", default=1, show_default=True, help="In how many of these pysceptre, of minutes, has a part.")
def main(data: Path | None, deals: int, seeds: int, conditions: int, sceptre: int) -> None:
    """Print both tables."""
    click.echo(
        "cells in which nothing happened  size  conditions  p < 0.05  p < 0.001  genes at q < 0.05 (s.e.)  responders"
    )
    for cells in (*(real(data) if data else ()), *simulations()) if deals else ():
        for row in sizes_of(cells, deals).rows(named=True):
            shares = f"{row['p_05']:8.4f}  {row['p_001']:9.5f}  {row['significant']:15.3f} ({row['error']:.3f})"
            click.echo(f"{cells.name:31}  {row['n_cells']:4}  {row['conditions']:10}  {shares}  {row['responders']:10}")
    if seeds and not PEERS.exists():
        click.echo("scanpy, pdex and pysceptre are left out: make .venv-peers/.ready makes their environment")
    scores: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(seeds):
        peers = ("scanpy", "pdex", *(("pysceptre",) if seed < sceptre else ())) if PEERS.exists() else ()
        for name, score in planted(seed, n_conditions=conditions, peers=peers).items():
            scores.setdefault(name, []).append(score)
    for name, of_seeds in scores.items():
        found, false, precision = np.mean(of_seeds, axis=0)
        times = f"({len(of_seeds)} times)"
        click.echo(f"{name:14} found {found:.3f}  false {false:.3f}  average precision {precision:.3f}  {times}")


if __name__ == "__main__":
    main()
