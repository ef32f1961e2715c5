"""LINCS L1000 level 5, in both generations of its tables, from the specs that come with the package."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset
from layouts.lincs import draw_signatures, write_gse92742, write_lincs_2020

NAMES = ("lincs2020_trt_cp", "lincs2020_trt_sh", "lincs2020_trt_xpr", "lincs2020_trt_oe", "lincs2020_trt_misc")
SPECS = shipped_specs()


@pytest.fixture(scope="module")
def signatures():
    genes = reference.table("gene").filter(
        pl.col("biotype") == "protein_coding", pl.col("entrez_id").is_not_null(), pl.col("gene_id").str.starts_with("E")
    )
    return draw_signatures(genes.sort("gene_id").gather_every(300).head(60), n=72)


@pytest.fixture(scope="module")
def folder(signatures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lincs")
    unlisted = signatures.rows.filter(pl.col("pert_type") == "trt_cp")["index"][-1]
    write_lincs_2020(folder, signatures, unlisted=unlisted)
    write_gse92742(folder, signatures)
    return write_gse92742(folder, signatures, prefix="GSE70138_Broad_LINCS", suffix="_2017-03-06")


@pytest.fixture(scope="module")
def store(folder):
    for name in (*NAMES, "lincs_gse92742", "lincs_gse70138"):
        ingest_dataset(SPECS[name], folder / "warehouse", folder)
    with Warehouse(folder / "warehouse") as store:
        yield store


def edited(tmp_path, name, **replaced):
    """Copy a shipped spec, with some of its text replaced."""
    text = SPECS[name].read_text()
    for old, new in replaced.values():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "edited.toml"
    path.write_text(text)
    return path


def effects(store, dataset):
    table = store.frame(
        "select condition_id, entrez_id, effect from signature join gene using (gene_id) where dataset_id = $1",
        [dataset],
    )
    return table.pivot("entrez_id", index="condition_id", values="effect").sort("condition_id")


@pytest.mark.parametrize("dataset", ["lincs2020_trt_xpr", "lincs_gse92742", "lincs_gse70138"])
def test_values__are_those_of_the_matrix_under_its_ids(store, signatures, dataset):
    found = effects(store, dataset)
    rows = signatures.rows.with_row_index("at").filter(pl.col("index").is_in(found["condition_id"].implode()))
    assert rows.height == (12 if dataset == "lincs2020_trt_xpr" else 72)
    expected = signatures.matrix[rows.sort("index")["at"].to_list()]
    np.testing.assert_array_equal(found.select(signatures.genes["index"].to_list()).to_numpy(), expected)


def test_types__become_kinds_and_targets(store):
    kinds = store.frame(
        "select dataset_id, perturbation_kind, bool_and(len(target_symbols) = 1) as has_target, "
        "count(*)::int as n from condition where not is_control group by all order by all"
    )
    assert kinds.filter(pl.col("dataset_id") == "lincs_gse92742").select("perturbation_kind", "n").rows() == [
        ("compound", 12),
        ("crispr_knockout", 12),
        ("ligand", 12),
        ("overexpression", 12),
        ("shrna", 12),
    ]
    genetic = kinds.filter(pl.col("perturbation_kind").is_in(["crispr_knockout", "shrna", "overexpression"]))
    assert genetic["has_target"].all()
    assert store.frame("select sum(n_controls)::int from dataset").item() == 24


def test_compounds__of_several_lines_are_one(store):
    compounds = store.frame(
        "select name, compound_id, broad_id, moa from compound where broad_id is not null order by name"
    )
    assert compounds["compound_id"].to_list() == [
        "KKGQTZUTZRNORY-UHFFFAOYSA-N",
        "LIRYPHYGHXZJBZ-UHFFFAOYSA-N",
        "WAEXFXRVDQXREF-UHFFFAOYSA-N",
    ]
    assert compounds["moa"][0] == "S1PR1 modulator|S1PR2 modulator|S1PR3 modulator"


def test_doses__that_are_no_molar_are_null_and_in_the_ledger(store):
    doses = store.frame("select distinct dose_um from condition where dataset_id = 'lincs2020_trt_cp' order by 1")
    assert doses["dose_um"].to_list() == [0.12, 10.0, None]
    note = "select note from mapping where dataset_id = 'lincs2020_trt_cp' and original = '300 ng|300 ng'"
    assert store.frame(note).item() == "unit 'ng' is not molar"


@pytest.mark.parametrize("dataset", ["lincs2020_trt_cp", "lincs_gse92742"])
def test_quality__is_the_published_one_and_missing_is_null(store, signatures, dataset):
    found = store.frame("select * from quality where dataset_id = $1", [dataset]).sort("condition_id")
    given = signatures.rows.filter(pl.col("index").is_in(found["condition_id"].implode())).sort("index")
    assert found["tas"].to_list() == given["tas"].to_list()
    assert found["n_cells"].to_list() == given["n"].to_list()
    assert found["replicate_correlation"].null_count() == (given["cc"] == -666).sum() > 0
    assert found["is_responder"].to_list() == (given["tas"] >= 0.2).to_list()
    passed = (given["tas"] > 0.2).to_list() if dataset == "lincs2020_trt_cp" else [None] * found.height
    assert found["has_passed_qc"].to_list() == passed


def test_contexts__come_from_the_table_of_cell_lines(store):
    contexts = store.frame("select context_id, name, tissue from context order by 1")
    assert contexts.rows() == [("CVCL_0132", "A-375", "Skin"), ("hap1_tp53", "HAP1.TP53", "skin")]


def test_signature_without_a_line__is_rejected(store):
    rejected = store.frame("select dataset_id, label, reason, n_cells from rejected")
    assert rejected.rows() == [("lincs2020_trt_cp", None, "no perturbation assigned", 1)]


def test_feature_space__is_in_the_ledger(store, signatures):
    notes = store.frame("select original, note from mapping where dataset_id = 'lincs2020_trt_xpr' and entity = 'gene'")
    assert dict(notes.rows()) == {
        entrez: f"feature_space = {space}" for entrez, space in signatures.genes.select("index", "space").rows()
    }


def test_slice__of_genes_and_signatures_is_the_same_as_of_the_whole(folder, signatures, tmp_path):
    spec = edited(
        tmp_path,
        "lincs_gse92742",
        genes=('notes = ["pr_is_lm"', 'where = "pr_is_lm = 1"\nnotes = ["pr_is_lm"'),
        rows=(
            'time = { column = "pert_itime" }',
            'time = { column = "pert_itime" }\nwhere = "pert_type = \'trt_xpr\'"',
        ),
    )
    ingest_dataset(spec, tmp_path / "warehouse", folder)
    with Warehouse(tmp_path / "warehouse") as store:
        found = effects(store, "lincs_gse92742")
        left_out = store.frame("select count(*)::int from mapping where status = 'left_out' and note like 'where:%'")
        rejected = store.frame("select sum(n_cells)::int from rejected where reason like 'where:%'").item()
    landmarks = signatures.genes.with_row_index("at").filter(pl.col("space") == "landmark")
    rows = signatures.rows.with_row_index("at").filter(pl.col("pert_type") == "trt_xpr").sort("index")
    assert found.shape == (12, 21)
    expected = signatures.matrix[np.ix_(rows["at"].to_list(), landmarks["at"].to_list())]
    np.testing.assert_array_equal(found.select(landmarks["index"].to_list()).to_numpy(), expected)
    assert (left_out.item(), rejected) == (40, 60)


def test_tables__that_are_missing_or_misnamed_are_told(folder, tmp_path):
    absent = edited(tmp_path, "lincs2020_trt_xpr", table=("siginfo_beta.txt", "siginfo_bta.txt"))
    with pytest.raises(SpecError, match="no table 'siginfo_bta") as caught:
        ingest_dataset(absent, tmp_path / "warehouse", folder)
    assert "siginfo_beta.txt" in str(caught.value)
    no_key = edited(tmp_path, "lincs2020_trt_xpr", key=('key = "sig_id"', 'key = "sig"'))
    with pytest.raises(SpecError, match="no key column 'sig'"):
        ingest_dataset(no_key, tmp_path / "warehouse", folder)
    wrong = edited(tmp_path, "lincs2020_trt_xpr", column=('"cmap_name"', '"pert_iname"'))
    with pytest.raises(SpecError, match="no column 'pert_iname'"):
        ingest_dataset(wrong, tmp_path / "warehouse", folder)
    note = edited(tmp_path, "lincs2020_trt_xpr", note=('notes = ["feature_space"]', 'notes = ["feature_spaces"]'))
    with pytest.raises(SourceFormatError, match="no column 'feature_spaces'"):
        ingest_dataset(note, tmp_path / "warehouse", folder)
    filtered = edited(tmp_path, "lincs2020_trt_xpr", note=("notes = [", 'where = "feature_space >"\nnotes = ['))
    with pytest.raises(SpecError, match="cannot be evaluated"):
        ingest_dataset(filtered, tmp_path / "warehouse", folder)


def test_real_geo_matrix__is_joined_with_its_tables(real_data, tmp_path):
    lincs = real_data / "lincs"
    sig_info = "sig_id\tpert_id\tpert_iname\tpert_type\tcell_id\tpert_idose\tpert_itime\n"
    sig_info += "ASG001_MCF7_24H:BRD-A79768653-001-01-3:10\tBRD-A79768653\tsirolimus\ttrt_cp\tMCF7\t10 um\t24 h\n"
    sig_info += "CPC012_SKB_24H:BRD-K81418486:10\tBRD-K81418486\tvorinostat\ttrt_cp\tSKB\t10 um|10.0 um\t24 h\n"
    (tmp_path / "sig_info.txt").write_text(sig_info)
    spec = edited(
        tmp_path,
        "lincs_gse92742",
        files=("GSE92742_Broad_LINCS_Level5_COMPZ.MODZ_n*.gctx", "level5_gse92742_n2x12328.gctx"),
        rows=("GSE92742_Broad_LINCS_sig_info.txt.gz", "sig_info.txt"),
        genes=("gene_info.txt.gz", "gene_info.txt"),
    )
    text = spec.read_text()
    text = text[: text.index("[[rows.join]]")] + text[text.index("[genes]") : text.index("[compound]")]
    join = '[[rows.join]]\ntable = "GSE92742_Broad_LINCS_pert_metrics.txt"\nkey = "pert_id"\n'
    spec.write_text(f'{text}{join}[quality]\ntas = "tas_q75"\n')
    ingest_dataset(spec, tmp_path / "warehouse", lincs)
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select n_conditions, n_genes from dataset").row(0) == (2, 12320)
        spaces = store.frame(
            "select note, count(*)::int as n from mapping where entity = 'gene' group by all order by n"
        )
        assert spaces.filter(pl.col("note").str.starts_with("pr_is_lm = 1"))["n"].sum() == 978
        tas = store.frame("select tas from quality order by condition_id")
        assert tas["tas"].null_count() == 0
        assert store.frame("select dose_um from condition").to_series().to_list() == [10.0, 10.0]


def test_real_consensus__1170_drugs_by_landmarks(real_data, tmp_path):
    ingest_dataset(SPECS["lincs_consensus_drugbank"], tmp_path / "warehouse", real_data / "lincs")
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select n_conditions, n_genes from dataset").row(0) == (1170, 978)
        one = "condition_id = 'DB00014' and entrez_id = '10007'"
        value = store.frame(f"select effect from signature join gene using (gene_id) where {one}")
        assert value.item() == pytest.approx(0.649)
