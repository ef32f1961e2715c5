"""Donors from a file to signatures: tests over replicates, paired and not, where cells alone would mislead."""

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.release import release_files
from ingest import reference
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.signatures.recompute import recompute
from ingest.spec import read_spec

N_GENES, N_CELLS = 250, 30
KNOWN = reference.table("gene").filter(pl.col("gene_id").str.starts_with("ENSG"), biotype="protein_coding")
GENES = KNOWN.sort("gene_id").head(N_GENES)
TARGETS = GENES["gene_symbol"].tail(6).to_list()
CHANGED = slice(20, 40)
SPEC = """
[dataset]
id = "donors"
files = ["donors.h5ad"]
values = "{values}"
assay = "perturb_seq"
licence = "CC0-1.0"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["non-targeting"]
context = {{ value = "K562" }}
{more}
"""


def donors(rng, n):
    """How each donor strays: between genes, by e to the 0.3."""
    return np.exp(rng.normal(0.0, 0.3, (n, N_GENES)))


def drawn(rng, profile, donor, change=1.0, n_cells=N_CELLS):
    size = rng.lognormal(0.0, 0.3, (n_cells, 1))
    return rng.poisson(size * profile * donor * change)


def write_donors(folder, *, paired, values="counts", lost=(), few=()):
    """Six perturbations and controls in four donors each, the same or others; in the first, 20 genes are doubled.

    ``lost`` are perturbations of one donor only; ``few`` those of which one donor has a handful of cells.
    """
    rng = np.random.default_rng(4)
    profile = rng.lognormal(0.0, 0.7, N_GENES)
    profile *= 2_500.0 / profile.sum()
    labels = ["non-targeting", *TARGETS]
    strays = donors(rng, 4 if paired else 4 * len(labels))
    change = np.ones(N_GENES)
    change[CHANGED] = 2.0
    counts, rows = [], []
    for at, label in enumerate(labels):
        for number in range(1 if label in lost else 4):
            donor = number if paired else 4 * at + number
            n_cells = 5 if label in few and number == 3 else N_CELLS
            interaction = donors(rng, 1) ** 0.5
            cells = drawn(rng, profile, strays[donor] * interaction, change if at == 1 else 1.0, n_cells)
            counts.append(cells)
            rows += [(label, f"D{donor}", f"plate {at} well {cell // 15}") for cell in range(n_cells)]
    matrix = np.vstack(counts).astype(np.float32)
    if values == "log1p":
        matrix = np.log1p(1e4 * matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
    table = pl.DataFrame(rows, schema=["gene", "donor", "well"], orient="row")
    table = table.select(pl.format("CELL{}", pl.int_range(pl.len())).alias("index"), pl.all())
    write_h5ad(folder / "donors.h5ad", matrix, table, GENES.select(index="gene_id"))
    return matrix, table


def ingested(folder, more='replicate = "donor"', **options):
    values = options.get("values", "counts")
    matrix, table = write_donors(folder, **options)
    (folder / "donors.toml").write_text(SPEC.format(values=values, more=more))
    outcome = ingest_dataset(folder / "donors.toml", folder / "warehouse")
    return matrix, table, outcome


def signatures(store):
    frame = store.frame(
        "select c.perturbation_label as label, s.*, g.gene_symbol from signature as s"
        " join condition as c using (dataset_id, condition_id) join gene as g using (gene_id) order by label, gene_id"
    )
    return {label: part for (label,), part in frame.partition_by("label", as_dict=True).items()}


def quality(store):
    rows = store.frame(
        "select c.perturbation_label as label, q.* from quality as q"
        " join condition as c using (dataset_id, condition_id)"
    )
    return {row["label"]: row for row in rows.iter_rows(named=True)}


def null_p(found):
    """p of all genes of perturbations that change nothing, targets left out."""
    parts = [found[label] for label in TARGETS[1:]]
    p = np.concatenate([part.filter(~pl.col("gene_symbol").is_in(TARGETS))["p_value"].drop_nulls() for part in parts])
    assert p.size > 1_000
    return p


@pytest.mark.parametrize("paired", [True, False], ids=["same donors", "other donors"])
@pytest.mark.parametrize("values", ["counts", "log1p"])
def test_replicates__tests_over_donors_hold_where_tests_over_cells_do_not(tmp_path, paired, values):
    (tmp_path / "cells").mkdir()
    ingested(tmp_path, paired=paired, values=values)
    ingested(tmp_path / "cells", "", paired=paired, values=values)
    with Warehouse(tmp_path / "warehouse") as store:
        over_donors, said = signatures(store), quality(store)
    with Warehouse(tmp_path / "cells" / "warehouse") as store:
        over_cells = signatures(store)
        assert quality(store)[TARGETS[0]]["test"] != "replicates"
    p = null_p(over_donors)
    assert (p < 0.05).mean() <= 0.065
    assert (p < 0.001).mean() <= 0.003
    assert (null_p(over_cells) < 0.05).mean() > 0.15
    for label in TARGETS:
        assert said[label]["test"] == "replicates"
        assert said[label]["n_replicates"] == 4
        assert said[label]["is_responder"] == (label == TARGETS[0])
    assert "over 4 replicates: q = " in said[TARGETS[0]]["reason"]
    changed = GENES["gene_id"][CHANGED].to_list()
    first = over_donors[TARGETS[0]].filter(pl.col("q_value") < 0.05)
    assert first["gene_id"].is_in(changed).sum() >= (12 if paired else 3)
    assert first.filter(~pl.col("gene_id").is_in(changed)).height <= 2


def test_replicates__agreement_and_errors_are_those_of_donors(tmp_path):
    matrix, table, _ = ingested(tmp_path, paired=True)
    logs = np.log1p(1e4 * matrix.astype(float) / matrix.sum(axis=1, keepdims=True))
    means = {
        key: logs[rows["at"].to_numpy()].mean(axis=0)
        for key, rows in table.with_row_index("at").partition_by("gene", "donor", as_dict=True).items()
    }
    label = TARGETS[0]
    own = ~(GENES["gene_symbol"] == label).to_numpy()
    effects = [np.where(own, means[label, f"D{i}"] - means["non-targeting", f"D{i}"], 0.0) for i in range(4)]
    pairs = np.corrcoef(effects)[np.triu_indices(4, 1)]
    with Warehouse(tmp_path / "warehouse") as store:
        said, found = quality(store)[label], signatures(store)[label]
    assert said["replicate_correlation"] == pytest.approx(pairs.mean(), abs=1e-5)
    spread = np.std(effects, axis=0, ddof=1) / 2.0  # unmoderated, of this condition's four differences alone
    ours = found.sort("gene_id")["standard_error"].to_numpy()
    assert np.median(ours[own] / spread[own]) == pytest.approx(1.0, abs=0.2)
    strong = found.filter(pl.col("gene_id").is_in(GENES["gene_id"][CHANGED].to_list()))["log2fc"]
    assert strong.median() == pytest.approx(1.0, abs=0.25)


def test_replicates__a_condition_of_one_donor_is_tested_over_cells(tmp_path):
    ingested(tmp_path, paired=True, lost=TARGETS[2:3], few=TARGETS[3:4])
    with Warehouse(tmp_path / "warehouse") as store:
        said = quality(store)
    assert said[TARGETS[2]]["test"] == "counts"
    assert said[TARGETS[2]]["n_replicates"] is None
    assert said[TARGETS[3]]["test"] == "replicates"
    assert said[TARGETS[3]]["n_replicates"] == 3  # the fourth has 5 cells


def test_replicates__several_columns_name_one_together(tmp_path):
    ingested(tmp_path, 'replicate = ["donor", "well"]', paired=True)
    with Warehouse(tmp_path / "warehouse") as store:
        names = store.frame("select distinct replicate from release.condition_replicate order by all")["replicate"]
        assert names[0] == "D0 / plate 0 well 0"
        said = quality(store)
    assert said[TARGETS[0]]["test"] == "replicates"
    assert said[TARGETS[0]]["n_replicates"] == 8  # wells of 15 cells, none shared with the control


def test_replicates__are_of_cells_in_batches_with_a_control(tmp_path):
    """One donor of one perturbation was on a plate of its own: its cells are not compared, in no test."""
    matrix, table = write_donors(tmp_path, paired=True)
    alone = (pl.col("gene") == TARGETS[0]) & (pl.col("donor") == "D3")
    table = table.with_columns(plate=pl.when(alone).then(pl.lit("P2")).otherwise(pl.lit("P1")))
    write_h5ad(tmp_path / "donors.h5ad", matrix, table, GENES.select(index="gene_id"))
    (tmp_path / "donors.toml").write_text(SPEC.format(values="counts", more='replicate = "donor"\nbatch = "plate"'))
    outcome = ingest_dataset(tmp_path / "donors.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        said = quality(store)
    assert said[TARGETS[0]]["n_replicates"] == 3
    assert said[TARGETS[1]]["n_replicates"] == 4
    assert list(recompute(tmp_path / "warehouse", "donors", outcome.release_id)) == []


def test_replicates__a_low_memory_limit_changes_no_digit(tmp_path):
    (tmp_path / "low").mkdir()
    ingested(tmp_path, paired=True)
    write_donors(tmp_path / "low", paired=True)
    spec = tmp_path / "low" / "donors.toml"
    spec.write_text((tmp_path / "donors.toml").read_text())
    ingest_dataset(spec, tmp_path / "low" / "warehouse", memory_limit=20 * N_GENES * 28)
    found = []
    for folder in (tmp_path, tmp_path / "low"):
        with Warehouse(folder / "warehouse") as store:
            found.append(signatures(store))
    for label in TARGETS:
        assert found[0][label].equals(found[1][label])


def test_replicates__are_recomputed_by_verify(tmp_path):
    *_, outcome = ingested(tmp_path, paired=True)
    assert list(recompute(tmp_path / "warehouse", "donors", outcome.release_id)) == []
    files = release_files(tmp_path / "warehouse", "donors", outcome.release_id)
    path = next(path for table, path in files if table == "replicate_statistics")
    frame = pl.read_parquet(path)
    path.unlink()
    frame.with_columns(count=pl.col("count") * (1 + pl.col("gene_index") % 2)).write_parquet(path)
    faults = list(recompute(tmp_path / "warehouse", "donors", outcome.release_id))
    assert any("Table 'signature'" in fault.what for fault in faults)


def test_spec__replicates_are_of_cells(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.format(values="log2_fold_change", more='replicate = "donor"'))
    with pytest.raises(SpecError, match=r"condition\.replicate: of cells or samples"):
        read_spec(path)
