"""Doses, times, compounds and cell lines from the published row table to conditions and ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureStoreError, SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.layouts import write_gctx, write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.spec import SPECS

GENES = pl.DataFrame({INDEX: ["7157", "1956", "4609", "3845"]})
SPEC = """
[dataset]
id = "plate"
files = ["x.{suffix}"]
values = "{values}"
assay = "drug_seq"
[condition]
perturbation = "compound"
kind = "compound"
controls = ["DMSO"]
context = {{ column = "line" }}
{condition}
[genes]
kind = "entrez"
{more}
"""
KEYS = "select compound_id from compound where regexp_matches(compound_id, '^[A-Z]{14}-[A-Z]{10}-[A-Z]$')"
TRAMETINIB = "LIRYPHYGHXZJBZ-UHFFFAOYSA-N"
DICTIONARY = f"""pert_iname\tInChIKey\tsmiles\tpubchem_cid\tbroad_id\tmoa\ttarget
trametinib\t{TRAMETINIB}\t\t11707110\tBRD-K12343256-001-01-1\tMEK inhibitor\tMAP2K1|MAP2K2
vorinostat\tWAEXFXRVDQXREF-UHFFFAOYSA-N\t\t5311\tBRD-K81418486-001-01-1\tHDAC inhibitor\tHDAC1
"""
CELL_LINES = """ModelID,CellLineName,StrippedCellLineName,CCLEName,RRID,OncotreeLineage,OncotreePrimaryDisease
ACH-009999,LAB-1,LAB1,LAB1_LUNG,CVCL_ZZ99,Lung,Lung Cancer
"""


def plate(folder: Path, condition="", more="", values="moderated_z", **columns) -> Path:
    n = len(next(iter(columns.values())))
    rows = pl.DataFrame({INDEX: [f"w{i}" for i in range(n)], "line": ["A549"] * n} | columns)
    matrix = np.random.default_rng(0).poisson(3.0, (n, 4)).astype(np.float32)
    if values == "counts":
        write_h5ad(folder / "x.h5ad", matrix, rows, GENES)
    else:
        write_gctx(folder / "x.gctx", matrix, rows, GENES)
    spec = folder / "plate.toml"
    suffix = "h5ad" if values == "counts" else "gctx"
    spec.write_text(SPEC.format(suffix=suffix, values=values, condition=condition, more=more))
    return spec


def query(folder: Path, text: str) -> list[tuple]:
    with Warehouse(folder / "warehouse") as store:
        return store.frame(text).rows()


def ledger(folder: Path, entity: str) -> list[tuple]:
    return query(
        folder,
        f"select original, target_id, status, method, note from mapping where entity = '{entity}' order by original",
    )


def test_doses__measured_ones_are_pooled_at_the_nominal_one_and_kept_in_the_ledger(tmp_path):
    dose = ["0.01004", "0.01029", "0.00996", "7", "0.0"] * 4
    compound = ["dilazep", "dilazep", "dilazep", "dilazep", "DMSO"] * 4
    spec = plate(
        tmp_path,
        'dose = { column = "dose", unit = "uM", nominal = true }',
        values="counts",
        dose=dose,
        compound=compound,
    )
    ingest_dataset(spec, tmp_path / "warehouse")
    pooled = query(tmp_path, "select dose_um, n_cells from condition where not is_control order by all")
    assert pooled == [(0.01, 8), (0.01029, 4), (7.0, 4)]
    assert ledger(tmp_path, "dose") == [
        ("0.0", "0.0", "converted", "units", None),
        ("0.00996", "0.01", "converted", "nominal", "measured 0.00996 uM"),
        ("0.01004", "0.01", "converted", "nominal", "measured 0.01004 uM"),
        ("0.01029", "0.01029", "converted", "units", None),
        ("7", "7.0", "converted", "units", None),
    ]


def test_doses__are_as_measured_unless_the_spec_says_nominal(tmp_path):
    spec = plate(tmp_path, 'dose = { column = "dose", unit = "uM" }', dose=["0.01004"], compound=["dilazep"])
    ingest_dataset(spec, tmp_path / "warehouse")
    assert query(tmp_path, "select dose_um from condition") == [(0.01004,)]


def test_nominal__is_for_doses_only(tmp_path):
    spec = plate(tmp_path, 'time = { column = "t", nominal = true }', t=["6 h"], compound=["x"])
    with pytest.raises(SpecError, match="'nominal' is for doses, not for 'time'"):
        ingest_dataset(spec, tmp_path / "warehouse")


def test_times__that_are_several_are_none_and_stay_apart(tmp_path):
    time = ["6 h", "6 h & 4 h", "24 h & 4 h", "-666"] * 2
    compound = ["dilazep"] * 4 + ["DMSO"] * 4
    spec = plate(tmp_path, 'time = { column = "t" }', values="counts", t=time, compound=compound)
    ingest_dataset(spec, tmp_path / "warehouse")
    found = query(tmp_path, "select condition_id, time_h, n_cells from condition where not is_control order by all")
    assert found == [
        ("dilazep/A549/-666", None, 1),
        ("dilazep/A549/24 h & 4 h", None, 1),
        ("dilazep/A549/6 h & 4 h", None, 1),
        ("dilazep/A549/6h", 6.0, 1),
    ]
    assert ledger(tmp_path, "time") == [
        ("-666", None, "missing", "units", "missing"),
        ("24 h & 4 h", None, "unmapped", "units", "several values that differ: '24 h & 4 h'"),
        ("6 h", "6.0", "converted", "units", None),
        ("6 h & 4 h", None, "unmapped", "units", "several values that differ: '6 h & 4 h'"),
    ]


def test_dictionary__gives_structures_to_names(tmp_path):
    (tmp_path / "known.tsv").write_text(DICTIONARY)
    more = '[compound]\ndictionary = "known.tsv"'
    spec = plate(tmp_path, more=more, compound=["Trametinib ", "trametinib (DMSO_TF solvate)", "GSK-J4", "DMSO"])
    ingest_dataset(spec, tmp_path / "warehouse")
    assert ledger(tmp_path, "compound") == [
        ("GSK-J4", "name:gsk-j4", "name", "name", None),
        ("Trametinib", TRAMETINIB, "alias", "name, dictionary", None),
        ("trametinib (DMSO_TF solvate)", TRAMETINIB, "alias", "name without salt, dictionary", None),
    ]
    known = query(tmp_path, "select name, broad_id, moa, targets from compound where compound_id like 'LIRY%'")
    assert known == [("trametinib", "BRD-K12343256", "MEK inhibitor", ["MAP2K1", "MAP2K2"])]


def test_context_table__adds_lines_that_are_not_shipped(tmp_path):
    (tmp_path / "Model.csv").write_text(CELL_LINES)
    columns = {"compound": ["dilazep", "dilazep"], "line": ["lab1", "A549"]}
    ingest_dataset(plate(tmp_path, **columns), tmp_path / "warehouse")
    assert [row[:3] for row in ledger(tmp_path, "context")][-1] == ("lab1", "lab1", "slug")
    spec = plate(tmp_path, 'context_table = "Model.csv"', **columns)
    ingest_dataset(spec, tmp_path / "warehouse")
    rows = {row[0]: row[1:3] for row in ledger(tmp_path, "context")}
    assert rows == {"A549": ("CVCL_0023", "approved"), "lab1": ("CVCL_ZZ99", "alias")}


@pytest.mark.parametrize("name", ["known.tsv", "Model.csv"])
def test_tables__are_inputs_of_the_release(tmp_path, name):
    (tmp_path / "known.tsv").write_text(DICTIONARY)
    (tmp_path / "Model.csv").write_text(CELL_LINES)
    spec = plate(
        tmp_path, 'context_table = "Model.csv"', '[compound]\ndictionary = "known.tsv"', compound=["trametinib"]
    )
    first = ingest_dataset(spec, tmp_path / "warehouse")
    again = ingest_dataset(spec, tmp_path / "warehouse")
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
    changed = ingest_dataset(spec, tmp_path / "warehouse")
    assert again.release_id == first.release_id != changed.release_id
    assert name in {file["name"] for file in first.manifest["inputs"]}


@pytest.mark.parametrize(
    ("condition", "more", "error", "said"),
    [
        ("", '[compound]\ndictionary = "knwon.tsv"', SpecError, "did you mean 'known.tsv'"),
        ('context_table = "models.csv"', "", SpecError, "context_table under [condition]"),
        ("", '[compound]\ndictionary = "plate.toml"', SourceFormatError, "is not a compound dictionary"),
    ],
)
def test_tables__that_are_missing_or_wrong_are_one_clear_error(tmp_path, condition, more, error, said):
    (tmp_path / "known.tsv").write_text(DICTIONARY)
    spec = plate(tmp_path, condition, more, compound=["trametinib"])
    with pytest.raises(error) as caught:
        ingest_dataset(spec, tmp_path / "warehouse")
    assert isinstance(caught.value, FeatureStoreError)
    assert said in str(caught.value)
    assert not (tmp_path / "warehouse").exists()


def test_lincs__times_of_pooled_signatures_are_said_to_be_several(real_data, tmp_path):
    ingest_dataset(
        SPECS / "lincs_modzs_272.toml",
        tmp_path / "warehouse",
        real_data / "lincs",
    )
    unread = [row[:3] for row in ledger(tmp_path, "time") if row[1] is None]
    assert unread == [("24 h & 4 h", None, "unmapped"), ("6 h & 4 h", None, "unmapped")]
    assert query(tmp_path, "select count(*)::int from condition where time_h is null") == [(2,)]


def test_lincs__the_repurposing_hub_gives_structures_to_most_compounds(real_data, tmp_path):
    pytest.importorskip("rdkit")
    for source in ("lincs/modzs_n272x978.gctx", "drug_seq/repurposing_info.tsv"):
        (tmp_path / Path(source).name).symlink_to(real_data / source)
    shipped = SPECS / "lincs_modzs_272.toml"
    spec = tmp_path / shipped.name
    spec.write_text(shipped.read_text().replace("[compound]", '[compound]\ndictionary = "repurposing_info.tsv"'))
    ingest_dataset(spec, tmp_path / "warehouse")
    found = query(tmp_path, "select distinct original, status, method from mapping where entity = 'compound'")
    assert {row[0] for row in found} == {"atorvastatin", "vemurafenib", "venlafaxine"}
    assert {row[1:] for row in found} == {("alias", "Broad id, dictionary"), ("alias", "name, dictionary")}
    assert query(tmp_path, f"select count(*)::int from ({KEYS})") == [(3,)]
    assert query(tmp_path, "select count(distinct compound_id)::int, count(*)::int from condition") == [(3, 272)]


def test_name__of_two_structures_is_two_compounds(tmp_path):
    keys = ["WAEXFXRVDQXREF-UHFFFAOYSA-N", TRAMETINIB, TRAMETINIB, None]
    more = '[compound]\ninchi_key = "key"'
    spec = plate(tmp_path, more=more, values="counts", compound=["a", "a", "b", "DMSO"], key=keys)
    ingest_dataset(spec, tmp_path / "warehouse")
    found = query(tmp_path, "select compound_id, n_cells from condition where not is_control order by all")
    assert found == [(TRAMETINIB, 2), ("WAEXFXRVDQXREF-UHFFFAOYSA-N", 1)]
    assert [(row[0], row[2], row[4]) for row in ledger(tmp_path, "compound")] == [
        ("a", "conflict", "'a' names 2 compounds"),
        ("a", "conflict", "'a' names 2 compounds"),
        ("b", "approved", None),
    ]


def test_mouse__genes_are_translated_only_when_asked(tmp_path):
    rows = pl.DataFrame({INDEX: [f"c{i}" for i in range(12)], "gene": ["ctrl", "Trp53", "Kras"] * 4})
    genes = pl.DataFrame({INDEX: ["Trp53", "Kras", "Egfr", "Stat1", "Nosuchgene1"]})
    write_h5ad(tmp_path / "x.h5ad", np.ones((12, 5), np.float32), rows, genes)
    spec = tmp_path / "mouse.toml"
    text = (
        '[dataset]\nid = "mouse"\nfiles = ["x.h5ad"]\nvalues = "counts"\nassay = "perturb_seq"\norganism = "mouse"\n'
        '[condition]\nperturbation = "gene"\nkind = "crispri"\ncontrols = ["ctrl"]\ncontext = { value = "3T3" }\n'
    )
    spec.write_text(text)
    with pytest.raises(FeatureStoreError, match="5 of 5 gene identifiers have no gene"):
        ingest_dataset(spec, tmp_path / "warehouse")
    spec.write_text(text + "[genes]\ntranslate_mouse = true\n")
    ingest_dataset(spec, tmp_path / "warehouse")
    assert query(tmp_path, "select distinct gene_symbol from signature order by 1") == [
        ("EGFR",), ("KRAS",), ("STAT1",), ("TP53",)
    ]  # fmt: skip
    assert query(tmp_path, "select distinct target_symbols from condition where not is_control order by 1") == [
        (["KRAS"],), (["TP53"],)
    ]  # fmt: skip
    assert query(tmp_path, "select distinct status from mapping where original = 'Kras'") == [("ortholog",)]


def test_tahoe__drugs_lines_and_doses_are_known_through_its_own_tables(real_data, tmp_path):
    pytest.importorskip("rdkit")
    for name in ("drug_metadata.parquet", "cell_line_metadata.parquet"):
        (tmp_path / name).symlink_to(real_data / "tahoe100m" / name)
    wells = pl.read_parquet(real_data / "tahoe100m" / "sample_metadata.parquet")
    lines = pl.read_parquet(tmp_path / "cell_line_metadata.parquet")["cell_name"].unique(maintain_order=True)
    spec = plate(
        tmp_path,
        'dose = { column = "dose" }\ncontext_table = "cell_line_metadata.parquet"',
        '[compound]\ndictionary = "drug_metadata.parquet"',
        values="counts",
        compound=wells["drug"].to_list(),
        dose=wells["drugname_drugconc"].to_list(),
        line=[lines[number % 3] for number in range(wells.height)],
    )
    spec.write_text(spec.read_text().replace('"DMSO"', '"DMSO_TF"'))
    ingest_dataset(spec, tmp_path / "warehouse")
    assert query(tmp_path, "select distinct dose_um from condition where not is_control order by 1") == [
        (0.05,),
        (0.5,),
        (5.0,),
    ]
    contexts = query(tmp_path, "select context_id from context")
    assert len(contexts) == 3
    assert all(context.startswith("CVCL_") for (context,) in contexts)
    drugs = dict(
        query(
            tmp_path, "select status, count(distinct original)::int from mapping where entity = 'compound' group by 1"
        )
    )
    assert drugs["alias"] >= 360
    assert sum(drugs.values()) == 379
    solvate = query(tmp_path, "select is_control from condition where perturbation_label like '%(DMSO_TF solvate)'")
    assert solvate
    assert set(solvate) == {(False,)}
