"""Papalexi 2021 against plain numpy and scipy on the whole matrix, and scanpy where it is installed."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

DATASET = "papalexi_2021_thp1"
SUMS = """
    select c.perturbation_label as label, m.original as gene, s.* exclude (dataset_id, condition_id, gene_id), n_cells
    from statistics s
    join condition c using (dataset_id, condition_id)
    join mapping m on m.dataset_id = s.dataset_id and m.entity = 'gene' and m.target_id = s.gene_id
"""
SIGNATURES = """
    select c.perturbation_label as label, m.original as gene, s.effect, s.standard_error, s.z, s.p_value
    from signature s
    join condition c using (dataset_id, condition_id)
    join mapping m on m.dataset_id = s.dataset_id and m.entity = 'gene' and m.target_id = s.gene_id
"""
INTERFERON = """
    select c.target_symbols[1] as target, avg(s.z) as mean_z, count(*) as genes
    from signature s
    join condition c using (dataset_id, condition_id)
    where s.gene_symbol in ('PSMB9', 'UBE2L6', 'STAT1', 'STAT2', 'CXCL10', 'GBP4', 'TAP1', 'IFI6', 'WARS1', 'PSMB8')
      and not list_contains(c.target_symbols, s.gene_symbol)
    group by all
    order by mean_z
"""


@pytest.fixture(scope="module")
def store(real_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("papalexi")
    ingest_dataset(find_spec(Path(DATASET)), root, real_data / "perturb_seq")
    with Warehouse(root) as store:
        yield store


@pytest.fixture(scope="module")
def cells(real_data):
    return anndata.read_h5ad(real_data / "perturb_seq" / "papalexi2021_thp1_raw.h5ad")


@pytest.fixture(scope="module")
def logs(cells):
    counts = cells.X.toarray().astype(np.float64)
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)


def one_column_genes(store):
    """Published names that are the only one of their gene: the others are sums of columns."""
    mapping = store.frame("select original, target_id from mapping where entity = 'gene' and target_id is not null")
    return set(mapping.filter(~pl.col("target_id").is_duplicated())["original"])


def test_sums__equal_numpy_on_the_whole_matrix(store, cells, logs):
    sums = store.frame(SUMS)
    position = {gene: i for i, gene in enumerate(cells.var_names)}
    single = one_column_genes(store)
    assert len(single) > 280
    counts = cells.X.toarray()
    for label, table in sums.filter(pl.col("gene").is_in(list(single))).group_by("label"):
        pool = (cells.obs["perturbation"] == label[0]).to_numpy()
        columns = [position[gene] for gene in table["gene"]]
        assert table["n_cells"].unique().to_list() == [pool.sum()]
        np.testing.assert_array_equal(table["count"], counts[pool][:, columns].sum(axis=0))
        np.testing.assert_array_equal(table["n_expressing"], (counts[pool][:, columns] > 0).sum(axis=0))
        np.testing.assert_allclose(table["sum_log1p"], logs[pool][:, columns].sum(axis=0), rtol=1e-9)
        np.testing.assert_allclose(table["sum_log1p_square"], (logs[pool][:, columns] ** 2).sum(axis=0), rtol=1e-9)


def test_effect__and_its_error_follow_from_the_cells(store, cells, logs):
    table = store.frame(SIGNATURES).filter(pl.col("gene").is_in(list(one_column_genes(store))))
    position = {gene: i for i, gene in enumerate(cells.var_names)}
    control = logs[(cells.obs["perturbation"] == "non-targeting").to_numpy()]
    for label in ("STAT1", "SPI1", "CD86"):
        rows = table.filter(pl.col("label") == label).drop_nulls("standard_error")
        columns = [position[gene] for gene in rows["gene"]]
        treated, own = logs[(cells.obs["perturbation"] == label).to_numpy()][:, columns], control[:, columns]
        variance = [group.var(axis=0, ddof=1) for group in (treated, own)]
        error = np.sqrt(np.maximum(*variance) / len(treated) + variance[1] / len(own))
        np.testing.assert_allclose(rows["effect"], treated.mean(axis=0) - own.mean(axis=0), rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(rows["standard_error"], error, rtol=2e-5)


def test_biology__losing_the_receptor_or_its_kinase_lowers_interferon_response_genes(store):
    lowest = store.frame(INTERFERON).head(4)
    assert set(lowest["target"]) == {"IFNGR1", "IFNGR2", "JAK2", "STAT1"}
    assert lowest["mean_z"].max() < -10


def test_quality__knock_outs_that_silence_their_transcript_are_seen(store):
    ratios = dict(store.frame("select condition_id, knockdown_ratio from quality where knockdown_ratio < 0.1").rows())
    assert set(ratios) == {"STAT1/THP-1", "JAK2/THP-1"}
