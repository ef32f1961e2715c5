"""The files that are written for tests and demonstrations have the published layouts."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import polars as pl
import pytest
import scipy.io

from ingest.layouts import replogle_genes, replogle_rows, write_gctx, write_replogle
from ingest.layouts.replogle import barcodes
from layouts.gct import write_gct
from layouts.mtx import write_10x, write_scperturb

COUNTS = np.random.default_rng(0).poisson(2, (12, 5))
GENE = ["STAT1", "RPL3", "non-targeting"] * 4
GENE_ID = ["ENSG00000115415", "ENSG00000100316", "non-targeting"] * 4
TABLES = (
    pl.DataFrame({"index": [f"c{n}" for n in range(12)], "dose": ["10 µM", None] * 6, "is_ok": [True, False] * 6}),
    pl.DataFrame({"index": [f"ENSG{n}" for n in range(5)], "symbol/name": list("ABCDE")}),
)


@pytest.fixture
def replogle(tmp_path):
    rows = replogle_rows(COUNTS, GENE, GENE_ID, [1, 2] * 6, unresolved=["RPL3"])
    genes = replogle_genes(COUNTS, [f"ENSG{n}" for n in range(5)], ["HSPA14", "HSPA14", "TBCE", "TBCE", "ACTB"])
    return write_replogle(tmp_path / "a.h5ad", COUNTS, rows, genes)


def test_replogle__has_the_published_members_and_columns(replogle):
    with h5py.File(replogle) as file:
        assert set(file) == {"X", "obs", "var"}
        assert file["X"].chunks is None
        assert file["X"].compression is None
        assert file["X"].dtype == np.float32
        assert file["X"].id.get_storage_size() == COUNTS.size * 4
        assert file["obs"].attrs["_index"] == "cell_barcode"
        assert file["var"].attrs["_index"] == "gene_id"
        assert list(file["obs"].attrs["column-order"]) == [
            *("gem_group", "gene", "gene_id", "transcript", "gene_transcript", "sgID_AB"),
            *("mitopercent", "UMI_count", "z_gemgroup_UMI", "core_scale_factor", "core_adjusted_UMI_count"),
        ]
        assert list(file["var"].attrs["column-order"]) == [
            *("gene_name", "chr", "start", "end", "class", "strand", "length", "in_matrix", "mean", "std", "cv", "fano")
        ]
        codes = file["obs/gene"]
        assert codes.dtype == np.int16
        assert file[codes.attrs["categories"]].name == "/obs/__categories/gene"


def test_replogle__rows_follow_from_the_counts():
    rows = replogle_rows(COUNTS, GENE, GENE_ID, [1, 2] * 6, unresolved=["RPL3"])
    np.testing.assert_array_equal(rows["UMI_count"], COUNTS.sum(axis=1))
    assert rows["index"].n_unique() == 12
    assert rows["index"].str.contains(r"^[ACGT]{16}-[12]$").all()
    by_gene = dict(rows.select("gene", "gene_id").iter_rows())
    assert by_gene == {"STAT1": "ENSG00000115415", "RPL3": "nan", "non-targeting": "non-targeting"}
    controls = rows.filter(pl.col("gene") == "non-targeting")
    assert controls["gene_transcript"].str.ends_with("_non-targeting_non-targeting_non-targeting").all()
    assert rows.filter(pl.col("gene") == "RPL3")["gene_transcript"].str.ends_with("_RPL3_P1P2_nan").all()
    assert (rows["sgID_AB"].str.split("|").list.len() == 2).all()
    means = rows.group_by("gem_group").agg(pl.col("z_gemgroup_UMI").mean())
    np.testing.assert_allclose(means["z_gemgroup_UMI"], 0, atol=1e-6)


def test_barcodes__differ():
    assert len(set(barcodes(50_000))) == 50_000


def test_gctx__is_signatures_by_genes_with_fixed_width_text(tmp_path):
    path = write_gctx(tmp_path / "a.gctx", COUNTS.astype("f4"), *TABLES, version_in_array=True)
    with h5py.File(path) as file:
        assert file.attrs["version"].tolist() == [b"GCTX1.0"]
        assert file["0/DATA/0/matrix"].shape == COUNTS.shape
        assert file["0/META/COL/dose"][:2].tolist() == [b"10 \xb5M", b"-666"]
        assert set(file["0/META/ROW"]) == {"id", "symbol|name"}


def test_gct__is_genes_by_signatures_with_the_sizes_it_says(tmp_path):
    lines = write_gct(tmp_path / "a.gct", COUNTS.astype("f4"), *TABLES).read_text("latin-1").splitlines()
    assert lines[:2] == ["#1.3", "5\t12\t1\t2"]
    assert len(lines) == 3 + 2 + 5
    assert {len(line.split("\t")) for line in lines[2:]} == {1 + 1 + 12}
    assert lines[3].split("\t")[:4] == ["dose", "na", "10 µM", "-666"]


def test_mtx__is_genes_by_cells_with_the_tables_of_its_publisher(tmp_path):
    path = write_10x(tmp_path / "10x", COUNTS, *TABLES)
    np.testing.assert_array_equal(scipy.io.mmread(path, spmatrix=False).toarray(), COUNTS.T)
    with gzip.open(path.with_name("features.tsv.gz"), "rt") as file:
        assert file.readline() == "ENSG0\tA\tGene Expression\n"
    path = write_scperturb(tmp_path / "r", COUNTS, *TABLES)
    np.testing.assert_array_equal(scipy.io.mmread(path, spmatrix=False).toarray(), COUNTS.T)
    assert path.with_name("genes.csv").read_text().splitlines()[:2] == ['"","x"', '"1","ENSG0"']
    assert path.with_name("seurat_metadata.csv").read_text().splitlines()[1:3] == [
        '"c0","10 µM",TRUE',
        '"c1",NA,FALSE',
    ]
