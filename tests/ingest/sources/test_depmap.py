"""DepMap, in every generation of its files: gene effect as phenotypes, expression as the state of lines at rest."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset
from layouts.tables import write_chronos, write_depmap

SPECS = shipped_specs()
RELEASES = ("18q3", "22q2", "23q2", "24q4", "25q3")
MODELS = ["ACH-000551", "ACH-000219", "ACH-999999"]
LABELS = ["TP53 (7157)", "MYC (4609)", "QARS1 (5859)", "NOSUCH9 (999999999)"]
EFFECT = np.array([[0.5, -2.0, -1.5, 0.0], [0.25, np.nan, -1.0, 0.125], [-0.5, -1.0, np.nan, 1.0]])
MODEL_TABLE = """ModelID,CellLineName,StrippedCellLineName,OncotreeLineage,OncotreePrimaryDisease,RRID,CCLEName
ACH-000551,K-562,K562,Myeloid,Acute Myeloid Leukemia,CVCL_0004,K562_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE
ACH-000219,A-375,A375,Skin,Melanoma,CVCL_0132,A375_SKIN
ACH-999999,NEW-1,NEW1,Lung,"Carcinoma, small cell",,
"""


def ingested(name, folder, tmp_path):
    (folder / "Model.csv").write_text(MODEL_TABLE)
    ingest_dataset(SPECS[name], tmp_path / "warehouse", folder)
    return Warehouse(tmp_path / "warehouse")


def phenotypes(store):
    return store.frame(
        "select perturbation_label, context_label, phenotype, value from phenotype "
        "join condition using (dataset_id, condition_id) order by all"
    )


@pytest.mark.parametrize("release", RELEASES)
def test_gene_effect__is_the_same_from_every_release(tmp_path, release):
    write_depmap(tmp_path / "CRISPRGeneEffect.csv", EFFECT, MODELS, LABELS, release)
    with ingested("depmap_24q4", tmp_path, tmp_path) as store:
        found = phenotypes(store)
        assert found["phenotype"].unique().to_list() == ["gene_effect"]
        given = {
            (label, model): EFFECT[i, j]
            for i, model in enumerate(MODELS)
            for j, label in enumerate(LABELS)
            if np.isfinite(EFFECT[i, j])
        }
        assert {(label, model): value for label, model, _, value in found.rows()} == given
        rejected = store.frame("select label, reason, n_cells from rejected")
        assert rejected.rows() == ([("ACH-000551", "where: is_default", 1)] if release == "25q3" else [])


def test_conditions__are_target_and_line(tmp_path):
    write_depmap(tmp_path / "CRISPRGeneEffect.csv", EFFECT, MODELS, LABELS, "24q4")
    with ingested("depmap_24q4", tmp_path, tmp_path) as store:
        conditions = store.frame("select * from condition order by condition_id")
        assert conditions.height == 10
        first = conditions.row(0, named=True)
        assert first["condition_id"] == "MYC (4609)/ACH-000551"
        assert (first["target_symbols"], first["perturbation_kind"]) == (["MYC"], "crispr_knockout")
        assert (first["context_id"], first["experiment_id"]) == ("CVCL_0004", "depmap_crispr:CVCL_0004")
        unknown = conditions.filter(pl.col("perturbation_label") == "NOSUCH9 (999999999)")
        assert unknown["target_gene_ids"].to_list() == [[], [], []]
        contexts = store.frame("select context_id, name, depmap_id, tissue from context order by depmap_id")
        assert contexts.rows()[1:] == [
            ("CVCL_0004", "K562", "ACH-000551", "Myeloid"),
            ("new_1", "NEW-1", "ACH-999999", "Lung"),
        ]
        assert store.frame("select n_conditions, n_genes, n_controls from dataset").row(0) == (10, 0, 0)
        unmapped = store.frame("select original from mapping where entity = 'perturbation' and target_id is null")
        assert unmapped["original"].to_list() == ["NOSUCH9 (999999999)"]


def test_chronos__gives_the_same_phenotypes(tmp_path):
    write_chronos(tmp_path / "gene_effect.hdf5", EFFECT, MODELS, LABELS)
    (tmp_path / "Model_24Q2.csv").write_text(MODEL_TABLE)
    with ingested("depmap_chronos_44_lines", tmp_path, tmp_path) as store:
        values = phenotypes(store)["value"].sort().to_list()
        assert values == sorted(EFFECT[np.isfinite(EFFECT)].tolist())


def test_duplicates__that_no_filter_takes_out_are_told(tmp_path):
    write_depmap(tmp_path / "CRISPRGeneEffect.csv", EFFECT, MODELS, LABELS, "25q3")
    (tmp_path / "Model.csv").write_text(MODEL_TABLE)
    spec = tmp_path / "all.toml"
    spec.write_text(SPECS["depmap_24q4"].read_text().replace('where = "is_default"\n', ""))
    with pytest.raises(SourceFormatError, match="Two rows are of one cell line") as caught:
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)
    assert "ACH-000551" in str(caught.value)
    assert "is_default" in str(caught.value)
    assert not (tmp_path / "warehouse").exists()


def test_several_files__are_refused(tmp_path):
    write_depmap(tmp_path / "CRISPRGeneEffect.csv", EFFECT, MODELS, LABELS, "24q4")
    write_depmap(tmp_path / "other.csv", EFFECT, MODELS, LABELS, "24q4")
    (tmp_path / "Model.csv").write_text(MODEL_TABLE)
    spec = tmp_path / "two.toml"
    spec.write_text(
        SPECS["depmap_24q4"].read_text().replace('"CRISPRGeneEffect.csv"', '"CRISPRGeneEffect.csv", "other.csv"')
    )
    with pytest.raises(SpecError, match="one file"):
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)


@pytest.mark.parametrize("release", ["24q4", "25q3"])
def test_expression__is_a_control_of_each_line_in_transcripts_per_ten_thousand(tmp_path, release):
    expression = np.abs(np.nan_to_num(EFFECT)) * 4
    write_depmap(tmp_path / "OmicsExpressionProteinCodingGenesTPMLogp1.csv", expression, MODELS, LABELS, release)
    with ingested("depmap_24q4_expression", tmp_path, tmp_path) as store:
        table = store.frame(
            "select context_label, gene_symbol, sum_log1p, count, n_cells, is_control from statistics "
            "join condition using (dataset_id, condition_id) join gene using (gene_id)"
        )
        assert table.height == 9
        assert table.select(pl.col("is_control").all(), (pl.col("n_cells") == 1).all()).row(0) == (True, True)
        assert table["count"].null_count() == 9
        k562 = dict(table.filter(pl.col("context_label") == MODELS[0]).select("gene_symbol", "sum_log1p").rows())
        for symbol, value in zip(("TP53", "MYC", "QARS1"), expression[0], strict=False):
            assert k562[symbol] == pytest.approx(np.log1p((2**value - 1) / 100), abs=2e-9)
        assert store.frame("select n_conditions, n_controls, value_kind from dataset").row(0) == (0, 3, "log2tpm1")
        assert store.frame("select count(*) from signature").item() == 0


def test_real_chronos__44_lines_by_883_genes(real_data, tmp_path):
    ingest_dataset(SPECS["depmap_chronos_44_lines"], tmp_path / "warehouse", real_data / "depmap")
    with Warehouse(tmp_path / "warehouse") as store:
        counts = "select count(*), count(distinct perturbation_id), count(distinct context_id) from condition"
        assert store.frame(counts).row(0) == (44 * 883, 883, 44)
        assert (
            store.frame("select count(*) from context where context_id like 'CVCL_%' and tissue is not null").item()
            == 44
        )
        assert store.frame("select count(*) from mapping where target_id is null").item() == 0
        value = "select value from phenotype where condition_id = 'A1CF (29974)/ACH-000004'"
        assert store.frame(value).item() == pytest.approx(0.31897231, abs=1e-8)
