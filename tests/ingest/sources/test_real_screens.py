"""Real screens through their shipped specs, and Tahoe's real tables; skipped where they are absent."""

from __future__ import annotations

import polars as pl
import pytest
import scipy.io

from featurestore.query.warehouse import Warehouse
from ingest.conditions.axis import read_axis
from ingest.conditions.given import gather_rows
from ingest.conditions.label import label_rows
from ingest.conditions.lookups import Lookups
from ingest.conditions.rows import RowTables
from ingest.conditions.side_tables import open_side_tables
from ingest.harmonise.genes import map_genes
from ingest.pipeline import ingest_dataset
from ingest.readers.tokens import TokensFormat
from ingest.sections import TableSection
from ingest.spec import SPECS, read_spec
from layouts.tokens import write_tokens


def ingested(name, folder, root):
    ingest_dataset(SPECS / f"{name}.toml", root, folder)
    return Warehouse(root)


def test_datlinger__counts_of_guides_add_up_to_their_genes(real_data, tmp_path):
    folder = real_data / "perturb_seq"
    with ingested("datlinger_2017_jurkat_subset", folder, tmp_path) as store:
        conditions = store.frame("select * from condition")
        mapping = store.frame("select original, target_id from mapping where entity = 'gene'")
        total = store.frame("select sum(count)::int from statistics").item()
        zap70 = store.frame(
            "select sum(n_cells)::int, count(distinct context_id) from condition where target_symbols = ['ZAP70']"
        )
    cells = pl.read_csv(folder / "datlinger2017" / "seurat_metadata.csv")
    genes = pl.read_csv(folder / "datlinger2017" / "genes.csv")["x"]
    matrix = scipy.io.mmread(folder / "datlinger2017" / "matrix.mtx", spmatrix=False).tocsr()
    guides = cells["perturbation"].str.replace(r"_\d+$", "").n_unique()
    assert conditions.filter(~pl.col("is_control")).height == 2 * (guides - 1)
    assert conditions["n_cells"].sum() == cells.height
    assert zap70.row(0) == (cells["perturbation"].str.starts_with("ZAP70_").sum(), 2)
    assert conditions.filter("is_control")["n_cells"].sum() == (cells["perturbation"] == "control").sum()
    assert mapping["target_id"].is_not_null().mean() > 0.95
    mapped = genes.is_in(mapping.drop_nulls("target_id")["original"].implode()).to_numpy()
    assert total == matrix[mapped].sum()


def test_zhao__one_dose_of_one_compound_against_the_patients_own_controls(real_data, tmp_path):
    with ingested("zhao_2021_glioblastoma", real_data / "drug_seq", tmp_path) as store:
        rows = store.frame(
            "select is_control, dose_um, compound_id, n_cells, n_batches from condition order by all"
        ).rows()
        share = store.frame("select avg((target_id is not null)::int) from mapping where entity = 'gene'").item()
        verdict = store.frame("select is_responder, n_significant from quality").row(0)
    assert rows == [(False, 0.2, "name:panobinostat", 2500, 5), (True, None, None, 2500, 5)]
    assert share > 0.99
    assert verdict[0]
    assert verdict[1] > 50


@pytest.fixture(scope="module")
def tahoe(real_data, tmp_path_factory):
    """One cell of every well of Tahoe-100M, of one gene, among the real tables."""
    folder = tmp_path_factory.mktemp("tahoe")
    (folder / "metadata").mkdir()
    for name in ("gene_metadata", "sample_metadata"):
        (folder / "metadata" / f"{name}.parquet").symlink_to(real_data / "tahoe100m" / f"{name}.parquet")
    wells = pl.read_parquet(folder / "metadata" / "sample_metadata.parquet")
    drugs = pl.read_parquet(real_data / "tahoe100m" / "drug_metadata.parquet")
    chemistry = drugs.select(
        pl.col("drug"),
        "canonical_smiles",
        "moa-fine",
        pl.col("pubchem_cid").cast(pl.Int64, strict=False).cast(pl.String),
    )
    rows = wells.select(pl.col("sample").alias("index"), "sample", "drug", "plate", cell_line_id=pl.lit("CVCL_0023"))
    rows = rows.with_columns(key=pl.col("drug").str.strip_chars())
    rows = rows.join(chemistry, left_on="key", right_on="drug", how="left", maintain_order="left").drop("key")
    path = folder / "data" / "train-00000-of-03388.parquet"
    write_tokens(path, pl.DataFrame({"g": [1] * rows.height}).to_numpy(), rows)
    return folder, path, wells


def test_tahoe__all_wells_have_a_condition_and_only_dmso_is_control(tahoe):
    folder, path, wells = tahoe
    spec = read_spec(SPECS / "tahoe_100m.toml")
    reader = TokensFormat.open(path)
    rows = RowTables(spec, open_side_tables(spec.rows, spec.rows.join, [folder]), folder).read(reader)
    labels = label_rows(gather_rows([rows], spec), spec, Lookups(), where="tahoe")
    condition = labels.condition
    assert labels.rejected.is_empty()
    control = condition.filter("is_control")
    assert control.select("perturbation_label", "n_cells", "n_batches").rows() == [("DMSO_TF", 28, 14)]
    treated = condition.filter(~pl.col("is_control"))
    # names of one active compound are one perturbation
    assert treated.height == 1137 - (379 - treated["perturbation_id"].n_unique()) * 3
    assert treated["dose_um"].null_count() == 0
    assert set(treated["dose_um"]) == {0.05, 0.5, 5.0}
    solvate = treated.filter(pl.col("perturbation_label").str.contains("DMSO_TF solvate"))
    assert solvate.height == 3
    assert condition["n_cells"].sum() == wells.height == 1344


def test_tahoe__nearly_all_tokens_are_genes_of_today(tahoe):
    _, path, _ = tahoe
    spec = read_spec(SPECS / "tahoe_100m.toml")
    axis = read_axis(TokensFormat.open(path), (), spec)
    assert axis.slots.size == 62_710
    assert axis.mapping["target_id"].is_not_null().mean() > 0.95


def test_challenge__the_list_without_a_header_has_all_its_genes(real_data):
    section = TableSection(table="gene_names.csv", key="gene_name", columns=["gene_name"])
    (table,) = open_side_tables(section, (), [real_data / "vcc2025"])
    names = table.read(["gene_name"])["gene_name"]
    assert (len(names), names[0], names[-1]) == (18_080, "SAMD11", "MT-CYB")
    assert map_genes(names).table["gene_id"].is_not_null().mean() > 0.99
