"""Every dataset of cells, wells or pseudobulks that a shipped spec describes, as a miniature in its layout."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset
from ingest.readers.open import open_source
from ingest.spec import SPECS, read_spec
from layouts.collections import PARTS
from layouts.crispr_screens import contexts
from layouts.miniature import GENES, shuffled
from layouts.miniatures import MINIATURES
from layouts.replogle_screens import POPULATIONS, populations
from layouts.tahoe import TAHOE_WELLS

UNASSIGNED = "no perturbation assigned"
SHAPES = {
    **dict.fromkeys(("replogle_2022_k562_essential", "replogle_2022_k562_gwps", "replogle_2022_rpe1"), (4, 1, 23, {})),
    **{f"replogle_2022_{name}_bulk": (3, 1, 23, {}) for name in ("k562_essential", "k562_gwps", "rpe1")},
    **{f"replogle_2022_{name}_normalised_bulk": (4, 3, 23, {}) for name in ("k562_essential", "k562_gwps", "rpe1")},
    **dict.fromkeys(("nadig_2025_hepg2", "nadig_2025_jurkat"), (4, 1, 23, {})),
    **{f"vcc_2025_h1_{name}": (3, 1, 23, {}) for name in ("training", "validation", "test")},
    **dict.fromkeys(("vcc_2026_controls", "vcc_2026_controls_final"), (0, 3, 23, {})),
    "arc_support_h1": (2, 1, 23, {}),
    "arc_support_k562": (2, 1, 18, {}),
    "arc_support_k562_gwps": (2, 1, 17, {}),
    "arc_support_rpe1": (2, 1, 19, {}),
    "arc_support_hepg2": (2, 1, 20, {}),
    "arc_support_jurkat": (2, 1, 21, {}),
    "norman_2019_k562": (4, 1, 23, {}),
    **{f"adamson_2016_{name}": (5, 1, 23, {"*": 5, None: 4}) for name in ("pilot", "epistasis", "upr")},
    **{f"dixit_2016_{name}": (1, 1, 23, {"nan": 9}) for name in ("7_days", "13_days")},
    "dixit_2016_high_moi": (1, 1, 23, {"nan": 9, "p-sgSTAT1-2_p-sgJAK2-1": 11}),
    **dict.fromkeys(("datlinger_2017_jurkat", "datlinger_2017_jurkat_subset"), (4, 2, 23, {})),
    "frangieh_2021_melanoma": (3, 3, 23, {"control": 7, "STAT1": 3}),
    **dict.fromkeys(("tian_2019_ipsc", "tian_2019_neuron"), (2, 1, 23, {"STAT1_JAK2": 12})),
    **dict.fromkeys(("tian_2021_crispri", "tian_2021_crispra", "xu_2023_hek293"), (2, 1, 23, {})),
    "sunshine_2023_calu3": (2, 1, 23, {"STAT1_JAK2": 12, "<NA>": 15}),
    "shifrut_2018_t_cells": (4, 2, 23, {"<NA>": 30}),
    "datlinger_2021_jurkat": (4, 2, 23, {}),
    "mcfarland_2020_crispr": (
        1, 1, 23, {"Trametinib": 8, "control": 8, "sgLACZ": 7, "sgOR2J2": 1, "sgSTAT1-1": 1}
    ),
    **{name: (3, 1, 23, {}) for name in MINIATURES if name.endswith("_scperturb")},
    **{name: (3, 1, 21, {}) for name in MINIATURES if name.startswith("gears_")},
    **dict.fromkeys(("xatlas_orion_hct116", "xatlas_orion_hek293t"), (2, 1, 23, {"KLF1": 16})),
    "jiang_2025_pathways": (8, 4, 23, {}),
    "zhu_2026_cd4_t": (4, 2, 23, {"multi-guide": 4, "JAK2": 2, "STAT1": 2, "NTC-1": 1, "NTC-2": 1}),
    "viperturb_2026_k562": (3, 1, 23, {}),
    **dict.fromkeys(("southard_2025_rpe1", "southard_2025_hs27", "liu_2026_a549"), (2, 1, 23, {})),
    "nourreddine_2026_kolf2": (2, 1, 23, {}),
    **dict.fromkeys(("tahoe_100m", "tahoe_100m_plates"), (8, 2, 23, {})),
    "sciplex2": (2, 1, 23, {"control": 12}),
    "sciplex3": (4, 2, 23, {None: 12}),
    "sciplex4": (5, 1, 23, {}),
    "sciplex2_triplets": (1, 1, 23, {None: 9}),
    "sciplex3_triplets": (8, 2, 23, {None: 12, "Vehicle": 3, "ENMD-2076 L-(+)-Tartaric acid": 2, "(+)-JQ1": 1}),
    "sciplex4_triplets": (2, 1, 23, {}),
    "op3_2023_pbmc": (4, 2, 23, {}),
    "drugseq_2022_pilot": (4, 1, 23, {"Water": 4}),
    "macseq_pmmsq033": (4, 1, 23, {}),
    "zhao_2021_glioblastoma": (1, 1, 23, {}),
    **dict.fromkeys(PARTS, (2, 1, 23, {})),
    "cigs_mce": (4, 2, 22, {"Blank": 4}),
    "parse_10m_pbmc_cytokines": (4, 2, 23, {}),
}  # fmt: skip
"""Conditions, controls, genes, and rejected rows by label."""

ALIKE = {
    "vcpi_0002": "vcpi_0001",
    "temp_op3": "temp_sciplex3",
    "tian_2019_neuron": "tian_2019_ipsc",
    "dixit_2016_13_days": "dixit_2016_7_days",
    "southard_2025_hs27": "southard_2025_rpe1",
    "tian_2021_crispra": "tian_2021_crispri",
    "replogle_2022_k562_essential_scperturb": "replogle_2022_k562_gwps_scperturb",
    "replogle_2022_rpe1_scperturb": "replogle_2022_k562_gwps_scperturb",
    "nadig_2025_hepg2_scperturb": "nadig_2025_jurkat_scperturb",
}
"""Datasets whose file and spec differ from those of another by names and values alone: the other is ingested."""


@pytest.fixture(scope="module")
def published(shipped):
    """A function that gives the warehouse of a miniature, open, and its folder."""
    opened = {}

    def open_once(name):
        if name not in opened:
            root, folder = shipped(name)
            opened[name] = (Warehouse(root), folder)
        return opened[name]

    yield open_once
    for store, _ in opened.values():
        store.close()


@pytest.mark.parametrize("name", ALIKE)
def test_specs_alike__differ_by_names_alone(name):
    one, other = (read_spec(SPECS / f"{spec}.toml") for spec in (name, ALIKE[name]))
    names = {"context", "time", "batch", "kind"}
    assert one.condition.model_dump(exclude=names) == other.condition.model_dump(exclude=names)
    assert (one.genes, one.rows, one.compound) == (other.genes, other.rows, other.compound)
    assert (one.dataset.values, one.dataset.matrix) == (other.dataset.values, other.dataset.matrix)
    assert SHAPES[name] == SHAPES[ALIKE[name]]


@pytest.mark.parametrize("name", [name for name in MINIATURES if name not in ALIKE])
def test_dataset__has_the_conditions_genes_and_rejected_rows_of_its_file(published, name):
    store, folder = published(name)
    dataset = store.frame("select n_conditions, n_controls, n_genes, n_cells, value_kind from dataset").row(
        0, named=True
    )
    rejected = dict(store.frame("select label, sum(n_cells)::int from rejected group by all").rows())
    shape = (dataset["n_conditions"], dataset["n_controls"], dataset["n_genes"])
    assert (*shape, rejected) == SHAPES[name]
    spec = read_spec(SPECS / f"{name}.toml")
    paths = [path for pattern in spec.dataset.files for path in folder.glob(pattern)]
    readers = [open_source(path, matrix=spec.dataset.matrix, layout=spec.layout) for path in paths]
    if not spec.is_relative:
        assert dataset["n_cells"] + sum(rejected.values()) == sum(reader.n_rows for reader in readers)
    for reader in readers:
        reader.close()


def test_miniatures__there_is_one_for_every_spec_of_cells_wells_or_pseudobulks():
    cells = {path.stem for path in SPECS.glob("*.toml") if read_spec(path).dataset.assay in {"perturb_seq", "drug_seq"}}
    real = {"papalexi_2021_thp1", "norman_mcfaline_four_lines"}
    assert set(MINIATURES) == set(SHAPES) == cells - real


def frame(published, name, query):
    return published(name)[0].frame(query)


def cells_of(published, name):
    """Cells of every condition that is no control, by its label."""
    rows = frame(published, name, "select perturbation_label, n_cells from condition where not is_control")
    return dict(rows.rows())


@pytest.mark.parametrize("name", ["replogle_2022_rpe1", "nadig_2025_jurkat"])
def test_replogle__targets_without_an_id_and_retired_ids_keep_their_gene(published, name):
    targets = frame(published, name, "select perturbation_label, target_symbols from condition where not is_control")
    assert dict(targets.rows()) == {
        "STAT1": ["STAT1"], "JAK2": ["JAK2"], "MTRNR2L1": ["MTRNR2L1"], "AC118549.1": ["ZZZ3"],
    }  # fmt: skip
    retired = frame(
        published, name, "select original, target_id, status from mapping where target_id = 'ENSG00000291237'"
    )
    assert retired.rows() == [("ENSG00000112096", "ENSG00000291237", "retired_replaced")]
    assert frame(published, name, "select max(n_batches) from condition where is_control").item() == 3


def test_bulk__means_become_sums_of_all_populations_of_a_gene(published):
    sums, _ = populations()
    store, _ = published("replogle_2022_k562_gwps_bulk")
    found = store.frame(
        "select c.perturbation_label as label, m.original as gene, s.count, c.n_cells as rows, q.n_cells as cells "
        "from statistics s join condition c using (dataset_id, condition_id) "
        "join mapping m on m.target_id = s.gene_id and m.entity = 'gene' "
        "left join quality q using (dataset_id, condition_id)"
    )
    ids = GENES["index"].to_list()
    for label in ("STAT1", "JAK2", "MTRNR2L1", "non-targeting"):
        members = [at for at, (target, *_) in enumerate(POPULATIONS.values()) if target == label]
        table = found.filter(pl.col("label") == label)
        assert table["rows"].unique().to_list() == [len(members)]
        expected = dict(zip(ids, sums[members].sum(axis=0).tolist(), strict=True))
        assert dict(table.select("gene", "count").rows()) == expected
    cells = dict(found.drop_nulls("cells").select("label", "cells").unique().rows())
    assert cells == {"STAT1": 300, "JAK2": 33, "MTRNR2L1": 12}
    verdicts = store.frame("select n_cells, test, reason from quality order by n_cells").rows()
    assert [row[:2] for row in verdicts] == [(12, "counts"), (33, "counts"), (300, "counts")]
    assert all("controls are too few to compare with" in reason for _, _, reason in verdicts)


def test_normalised_bulk__is_a_signature_each_infinite_values_null(published):
    store, _ = published("replogle_2022_k562_gwps_normalised_bulk")
    kinds = store.frame("select effect_kind, count(*), count(*) - count(effect) from signature group by all")
    assert kinds.rows() == [("zscore", 7 * 23, 3)]
    ids = store.frame("select condition_id from condition where is_control order by all")["condition_id"].to_list()
    assert ids == [f"{number}_non-targeting_non-targeting_non-targeting" for number in range(3)]
    assert store.frame("select n_cells from quality where condition_id like '4360%'").item() is None


@pytest.mark.parametrize("name", ["training", "validation", "test"])
def test_h1__files_that_share_their_controls_and_a_mirror_are_one_experiment(published, name):
    author = frame(published, f"vcc_2025_h1_{name}", "select distinct experiment_id from condition")
    mirror = frame(published, "arc_support_h1", "select distinct experiment_id from condition")
    assert author.rows() == mirror.rows() == [("vcc_2025_h1:CVCL_9771",)]


def test_challenge__cells_are_those_that_pert_counts_gives(published):
    store, folder = published("vcc_2025_h1_training")
    given = dict(pl.read_csv(folder / "pert_counts_Training.csv").select("target_gene", "n_cells").rows())
    assert dict(store.frame("select perturbation_label, n_cells from condition").rows()) == given


@pytest.mark.parametrize("with_header", [True, False])
def test_gene_names__with_a_header_or_without_lose_no_gene(tmp_path, with_header):
    contexts(with_header=with_header)(tmp_path)
    ingest_dataset(find_spec(SPECS / "vcc_2026_controls.toml"), tmp_path / "warehouse", tmp_path)
    with Warehouse(tmp_path / "warehouse") as store:
        mapped = store.frame("select original, target_id from mapping where entity = 'gene'")
        assert dict(mapped.rows())["SAMD11"] == "ENSG00000187634"
        assert mapped["target_id"].null_count() == 0
        labels = store.frame("select context_label, n_cells from condition order by all").rows()
    assert labels == [(f"VCC 2026 context {letter}", 40) for letter in "ABC"]


def test_padded_genes__are_absent_not_zero(published):
    store, _ = published("arc_support_k562")
    absent = store.frame("select original, candidates, note from mapping where status = 'absent'")
    assert absent["original"].to_list() == ["HSPA14_ENSG00000284024", "SOD2", "GAPDH", "ACTB", "MT-ND6"]
    assert set(absent["note"]) == {"zero in every row of the file: taken as not measured"}
    assert store.frame("select count(*) from signature where gene_symbol = 'GAPDH'").item() == 0
    assert store.frame("select min(n) from (select sum(n_expressing) as n from statistics group by gene_id)").item() > 0


def test_norman__splits_combinations_of_known_symbols_and_knows_activation(published):
    rows = frame(
        published, "norman_2019_k562", "select perturbation_label, target_symbols, perturbation_kind from condition"
    )
    targets = {label: symbols for label, symbols, _ in rows.rows()}
    assert targets["SET_KLF1"] == ["KLF1", "SET"]
    assert set(rows["perturbation_kind"]) == {"control", "crispra"}
    ratio = frame(published, "norman_2019_k562", "select knockdown_ratio from quality where condition_id like 'KLF1/%'")
    assert ratio.item() > 4


def test_adamson__guides_are_genes_and_some_are_controls(published):
    rows = frame(published, "adamson_2016_upr", "select perturbation_label, target_symbols, is_control from condition")
    assert {label: symbols for label, symbols, _ in rows.rows()} == {
        "3x_neg_ctrl_pMJ144-1 | 62(mod)_pBA581 | 63(mod)_pBA580": [],
        "CREB1_pDS269": ["CREB1"],
        "XBP1_pBA578": ["XBP1"],
        "PERK_only_pMJ146": ["EIF2AK3"],
        "PERK_IRE1_pMJ154": ["EIF2AK3", "ERN1"],
        "ATF6_PERK_IRE1_pMJ158": ["ATF6", "EIF2AK3", "ERN1"],
    }


@pytest.mark.parametrize("name", ["dixit_2016_7_days", "dixit_2016_high_moi", "mcfarland_2020_crispr"])
def test_guides__of_one_gene_are_its_cells(published, name):
    rows = frame(published, name, "select perturbation, n_cells from condition where not is_control")
    assert rows.rows() == [("STAT1", 39 if name.startswith("mcfarland") else 24)]


@pytest.mark.parametrize("name", ["replogle_2022_k562_gwps", "nadig_2025_jurkat"])
def test_copies_in_scperturb__are_of_the_experiment_whose_cells_they_are(published, name):
    first, copy = (
        frame(published, of, "select distinct experiment_id, context_id from condition").rows()
        for of in (name, f"{name}_scperturb")
    )
    assert first == copy


def test_tian__cells_of_several_guides_are_left_out_with_the_reason(published):
    rows = frame(published, "tian_2019_ipsc", "select label, n_cells, reason from rejected")
    assert rows.rows() == [("STAT1_JAK2", 12, "where: nperts <= 1")]


def test_southard__what_is_left_of_guides_without_a_target_is_the_control(published):
    rows = frame(
        published, "southard_2025_rpe1", "select perturbation_label, n_cells, perturbation_kind from condition"
    )
    assert sorted(rows.rows()) == [("MYC", 20, "crispra"), ("STAT1", 24, "crispra"), ("non", 60, "control")]


def test_liu__counts_are_those_of_the_layer(published):
    store, folder = published("liu_2026_a549")
    reader = open_source(folder / "GSE345058_SC_raw_normalized_counts.h5ad", matrix="layers/raw_counts")
    total = sum(float(block.data.sum()) for block in reader.blocks())
    reader.close()
    assert store.frame("select sum(count)::double from statistics").item() == total


def test_dixit__the_text_nan_is_no_perturbation(published):
    rejected = frame(published, "dixit_2016_7_days", "select label, reason from rejected")
    assert rejected.rows() == [("nan", UNASSIGNED)]


@pytest.mark.parametrize("name", ["datlinger_2017_jurkat", "datlinger_2017_jurkat_subset"])
def test_datlinger__guides_of_a_gene_meet_and_stimuli_do_not(published, name):
    library = "" if name.endswith("subset") else "Tcrlibrary_"
    rows = frame(
        published, name, "select perturbation_label, context_id, target_symbols from condition where not is_control"
    )
    assert sorted(rows.rows()) == [
        (" | ".join(f"{library}{guide}" for guide in guides), f"jurkat_cells_{stimulus}", [symbol])
        for guides, symbol in ((["LCK_1"], "LCK"), (["ZAP70_1", "ZAP70_2"], "ZAP70"))
        for stimulus in ("stimulated", "unstimulated")
    ]


def test_gears__the_control_may_be_on_either_side(published):
    assert cells_of(published, "gears_norman") == {"STAT1+ctrl | ctrl+STAT1": 24, "KIAA1804+ctrl": 20, "SET+KLF1": 20}
    rows = frame(
        published, "gears_norman", "select target_symbols from condition where perturbation_label like 'KIAA%'"
    )
    assert rows.item().to_list() == ["MAP3K21"]


def test_orion__controls_have_capitals_and_the_line_is_in_the_sample(published):
    rows = frame(published, "xatlas_orion_hct116", "select is_control, n_cells, n_batches, context_id from condition")
    assert rows.filter("is_control").rows() == [(True, 80, 2, "CVCL_0291")]


def test_jiang__the_stimulus_of_the_file_name_is_part_of_the_context(published):
    rows = frame(
        published, "jiang_2025_pathways", "select context_label, sum(n_cells)::int from condition group by all"
    )
    assert dict(rows.rows()) == {
        f"{line}, {stimulus}": 40 for line in ("A549", "MCF7") for stimulus in ("IFNB", "TGFB")
    }
    kind = frame(published, "jiang_2025_pathways", "select distinct value_kind from dataset").item()
    assert kind == "counts"


def test_zhu__rows_are_sums_of_donors_and_guides_of_no_target_are_controls(published):
    rows = frame(
        published,
        "zhu_2026_cd4_t",
        "select perturbation_label, is_control, c.n_cells as samples, q.n_cells as cells, is_responder "
        "from condition c left join quality q using (dataset_id, condition_id) order by all",
    ).rows()
    assert [row[0] for row in rows if row[1]] == ["NTC-1 | NTC-2"] * 2
    assert all(row[3] >= 20 * row[2] and row[4] is not None for row in rows if not row[1])


def test_kolf__a_gene_that_holds_the_control_label_is_a_gene(published):
    assert cells_of(published, "nourreddine_2026_kolf2") == {"KNTC1": 20, "STAT1": 20}


@pytest.mark.parametrize("name", ["tahoe_100m", "tahoe_100m_plates"])
def test_tahoe__only_dmso_tf_is_control_and_doses_come_from_the_tuple(published, name):
    rows = frame(
        published, name, "select distinct perturbation_label, dose_um, compound_id from condition where not is_control"
    )
    wells = TAHOE_WELLS.filter(pl.col("drug") != "DMSO_TF").with_columns(pl.col("drug").str.strip_chars())
    assert {row[:2] for row in rows.rows()} == set(wells.select("drug", "dose").rows())
    assert rows["compound_id"].n_unique() == 2
    compounds = frame(published, name, "select pubchem_cid, smiles from compound where name like 'Erda%'")
    assert compounds.rows() == [("11462310", "CC(C)NCCN")]
    control = frame(published, name, "select distinct perturbation_label, n_batches from condition where is_control")
    assert control.rows() == [("DMSO_TF", 2)]


def test_tahoe__tokens_without_a_gene_are_in_the_ledger(published):
    rows = frame(published, "tahoe_100m", "select note from mapping where original = '62713' and status = 'unmapped'")
    assert rows.rows() == [("180 values left out: not in the gene table",)]
    hit = frame(
        published, "tahoe_100m",
        "select avg(effect) from signature join condition using (dataset_id, condition_id) "
        "where perturbation_label = 'Erdafitinib' and gene_symbol = 'STAT1'",
    )  # fmt: skip
    assert hit.item() == pytest.approx(np.log(0.5), abs=0.15)


def test_sciplex3__mouse_genes_are_dropped_and_counted(published):
    rows = frame(
        published, "sciplex3_triplets", "select original, status, target_id from mapping where original like 'ENSMUSG%'"
    )
    assert len(rows) == 2
    assert set(rows["status"]) == {"unmapped"}
    assert rows["target_id"].null_count() == 2
    doses = frame(
        published, "sciplex3_triplets", "select distinct dose_um from condition where not is_control order by 1"
    )
    assert doses["dose_um"].to_list() == [0.01, 10.0]
    reasons = frame(published, "sciplex3_triplets", "select reason from rejected where label is null")
    assert reasons.rows() == [(UNASSIGNED,)]


@pytest.mark.parametrize("name", ["vcpi_0001", "temp_tahoe", "cigs_mce"])
def test_collections__what_is_not_known_is_missing(published, name):
    store, _ = published(name)
    doses = store.frame("select distinct is_control, dose_um, time_h from condition order by all").rows()
    assert doses == [(False, 10.0, 24.0), (True, None, None if name == "cigs_mce" else 24.0)]
    known = dict(store.frame("select name, pubchem_cid from compound").rows())
    assert "-666" not in {str(cid) for cid in known.values()}
    if name != "cigs_mce":
        assert known == {"Trametinib": "11707110", "Belinostat": None}
    sums = store.frame("select sum(n_cells)::int from quality where n_cells is not null").item()
    drugs = shuffled({"DMSO_TF": 12, "Trametinib": 6, "Belinostat": 6}, 70)
    wells = 12 * (2 if name == "cigs_mce" else 1)
    assert sums == (
        sum(20 + at for at, drug in enumerate(drugs) if drug != "DMSO_TF") if name == "temp_tahoe" else wells
    )


def test_sciplex2__the_control_is_the_vehicle_not_cells_whose_hash_was_not_read(published):
    rows = frame(published, "sciplex2", "select perturbation, n_cells, is_control from condition order by all").rows()
    assert rows == [("Dex", 30, False), ("Dex", 30, False), ("control", 30, True)]
    assert frame(published, "sciplex2", "select label, n_cells, reason from rejected").rows() == [
        ("control", 12, UNASSIGNED)
    ]


def test_sciplex4__both_doses_tell_conditions_apart(published):
    rows = frame(published, "sciplex4", "select perturbation, dose_um, n_cells from condition where not is_control")
    assert len(rows.filter(pl.col("perturbation").str.contains("+", literal=True))) == 2


def test_sciplex4__pairs_are_one_condition_whatever_their_order(published):
    rows = frame(
        published, "sciplex4_triplets", "select perturbation_label, perturbation_id, dose_um, n_cells from condition"
    )
    assert {row[0]: row[2:] for row in rows.rows()} == {
        "DMSO": (None, 40), "Trametinib": (0.1, 24), "Belinostat + Trametinib": (None, 36),
    }  # fmt: skip
    pair = rows.filter(pl.col("perturbation_label").str.contains("+", literal=True))["perturbation_id"].item()
    assert pair == "name:belinostat+name:trametinib"


def test_op3__counts_are_those_of_the_layer(published):
    store, folder = published("op3_2023_pbmc")
    reader = open_source(folder / "sc_counts.h5ad", matrix="layers/counts")
    total = sum(float(block.data.sum()) for block in reader.blocks())
    reader.close()
    assert store.frame("select sum(count)::double from statistics").item() == total
    rows = store.frame("select distinct perturbation_label, dose_um, time_h, n_batches from condition where is_control")
    assert rows.rows() == [("Dimethyl Sulfoxide", None, 24.0, 2)]


def test_drugseq__measured_doses_are_the_doses_that_were_meant(published):
    store, _ = published("drugseq_2022_pilot")
    rows = store.frame("select perturbation_label, dose_um, n_batches, is_control from condition order by all")
    assert rows.rows() == [
        ("Belinostat", 0.01, 2, False),
        ("Belinostat", 0.1, 2, False),
        ("DMSO", None, 2, True),
        ("Trametinib", 0.01, 2, False),
        ("Trametinib", 0.1, 2, False),
    ]
    notes = store.frame("select note from mapping where entity = 'dose' and original = '0.01004'")["note"].to_list()
    assert notes == ["measured 0.01004 uM"]


def test_macseq__the_same_barcode_is_another_well_on_another_plate(published):
    store, folder = published("macseq_pmmsq033")
    sheets = pl.concat([pl.read_csv(path) for path in sorted(folder.glob("*_metadata.csv"))])
    wells = sheets.group_by("Treatment_1", "Concentration_1").len().rows()
    expected = {(drug, None if drug == "DMSO" else dose): n for drug, dose, n in wells}
    found = store.frame("select perturbation_label, dose_um, n_cells from condition").rows()
    assert {row[:2]: row[2] for row in found} == expected
    assert store.frame("select n_batches from condition where is_control").item() == 2


def test_zhao__dose_and_compound_are_read_from_one_text(published):
    rows = frame(
        published, "zhao_2021_glioblastoma", "select perturbation_label, dose_um, compound_id, n_batches from condition"
    )
    assert sorted(rows.rows()) == [
        ("0.2 uM panobinostat", 0.2, "name:panobinostat", 3),
        ("vehicle (DMSO)", None, None, 3),
    ]


def test_parse__cytokines_are_ligands(published):
    rows = frame(
        published, "parse_10m_pbmc_cytokines",
        "select distinct perturbation_label, perturbation_kind from condition order by all",
    )  # fmt: skip
    assert rows.rows() == [("4-1BBL", "ligand"), ("IFN-gamma", "ligand"), ("PBS", "control")]
