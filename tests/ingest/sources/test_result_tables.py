"""Published results: effects, calls and gene sets; what a table does not list is unknown, and has no row."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.signatures.false_discovery import benjamini_hochberg
from layouts.tables import write_wide_parquet

SPECS = shipped_specs()
SPEC = """
[dataset]
id = "listed"
files = {files}
values = "log2_fold_change"
assay = "de_table"
[condition]
perturbation = "target"
kind = "crispri"
context = {{ column = "line" }}
[table]
gene = "gene"
effect = "lfc"
{more}
"""


def ingested(spec, folder):
    ingest_dataset(spec, folder / "warehouse", folder)
    return Warehouse(folder / "warehouse")


def listed(folder, files=("t.csv",), more=""):
    path = folder / "listed.toml"
    path.write_text(SPEC.format(files=json.dumps(list(files)), more=more))
    return path


def rows(store, columns="condition_id, gene_symbol, effect"):
    return store.frame(f"select {columns} from signature order by all").rows()


def test_pairs__that_are_not_listed_have_no_row(tmp_path):
    (tmp_path / "t.csv").write_text("target,line,gene,lfc\nMYC,K562,TP53,0\nMYC,K562,STAT1,-1.5\nJAK2,K562,TP53,2\n")
    with ingested(listed(tmp_path), tmp_path) as store:
        assert rows(store) == [("JAK2/K562", "TP53", 2.0), ("MYC/K562", "STAT1", -1.5), ("MYC/K562", "TP53", 0.0)]
        assert store.frame("select n_conditions, n_controls, n_genes, n_cells from dataset").row(0) == (2, 0, 2, None)
        reason = store.frame("select distinct is_responder, reason from quality").row(0)
        assert reason == (None, "the source reports neither activity score nor q-values")


def test_values__missing_and_infinite_are_null_and_text_is_refused(tmp_path):
    lines = ["target,line,gene,lfc", "MYC,K562,TP53,NA", "MYC,K562,STAT1,inf", "MYC,K562,JAK2,", "MYC,K562,IRF1,1e-3"]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with ingested(listed(tmp_path), tmp_path) as store:
        found = {gene: effect for _, gene, effect in rows(store)}
        assert found == {"TP53": None, "STAT1": None, "JAK2": None, "IRF1": pytest.approx(1e-3)}
    (tmp_path / "t.csv").write_text("\n".join([*lines, "MYC,K562,ABL1,<0.1"]) + "\n")
    with pytest.raises(SourceFormatError, match="as the spec says") as caught:
        ingest_dataset(listed(tmp_path), tmp_path / "other", tmp_path)
    assert "<0.1" in str(caught.value)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", ["csv", "tsv.gz", "parquet"])
def test_file__is_read_whatever_it_is(tmp_path, kind):
    table = pl.DataFrame(
        {
            "target": ["MYC", "007"],
            "line": ["K562", "K562"],
            "gene": ["TP53", "1-Mar"],
            "lfc": [0.5, 1.0],
            "p": [0.01, None],
        }
    )
    name = f"t.{kind}"
    if kind == "parquet":
        table.write_parquet(tmp_path / name)
    else:
        text = table.write_csv(separator="\t" if "tsv" in kind else ",").encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if "gz" in kind else text)
    with ingested(listed(tmp_path, [name], 'p_value = "p"'), tmp_path) as store:
        assert rows(store, "condition_id, gene_symbol, effect, p_value") == [("MYC/K562", "TP53", 0.5, 0.01)]
        assert store.frame("select perturbation_label from condition order by 1")["perturbation_label"].to_list() == [
            "007",
            "MYC",
        ]
        assert store.frame("select status from mapping where original = '1-Mar'").item() == "excel_date"


def test_significance__is_counted_without_the_targets_and_judged(tmp_path):
    genes = ["MYC", "TP53", "STAT1", "JAK2", "IRF1", "ABL1", "TYK2", "GAPDH", "ACTB", "EGFR"]
    table = pl.DataFrame(
        {
            "target": ["MYC"] * 10 + ["JAK2"] * 10,
            "line": "K562",
            "gene": genes * 2,
            "lfc": 1.0,
            "q": [0.001] + [0.2] * 9 + [0.9] * 4 + [0.01] * 2 + [None] * 4,
        }
    )
    table.write_csv(tmp_path / "t.csv")
    with ingested(listed(tmp_path, more='q_value = "q"'), tmp_path) as store:
        verdicts = store.frame(
            "select condition_id, n_significant, is_responder, reason from quality order by 1"
        ).rows()
        assert verdicts == [
            ("JAK2/K562", 2, True, "2 genes at q < 0.05 (needs 1)"),
            ("MYC/K562", 0, False, "0 genes at q < 0.05 (needs 1)"),
        ]


def test_two_lines__of_one_pair_are_refused_within_a_file_and_between(tmp_path):
    header = "target,line,gene,lfc,plate\n"
    (tmp_path / "t.csv").write_text(header + "MYC,K562,TP53,1,a\nMYC,K562,STAT1,1,a\nMYC,K562,TP53,2,b\n")
    with pytest.raises(SourceFormatError, match="Two rows") as caught:
        ingest_dataset(listed(tmp_path), tmp_path / "warehouse", tmp_path)
    assert "TP53 in MYC/K562" in str(caught.value)
    (tmp_path / "t.csv").write_text(header + "MYC,K562,TP53,1,a\n")
    (tmp_path / "u.csv").write_text(header + "MYC,K562,TP53,2,b\n")
    with pytest.raises(SourceFormatError, match="Two rows"):
        ingest_dataset(listed(tmp_path, ["t.csv", "u.csv"]), tmp_path / "warehouse", tmp_path)
    spec = listed(tmp_path, ["t.csv", "u.csv"])
    spec.write_text(spec.read_text().replace('kind = "crispri"', 'kind = "crispri"\nbatch = "plate"'))
    with ingested(spec, tmp_path) as store:
        assert rows(store) == [("MYC/K562/a", "TP53", 1.0), ("MYC/K562/b", "TP53", 2.0)]


PLATES = "target,line,gene,lfc,plate,n\n"


def of_condition(path, *rules):
    path.write_text(path.read_text().replace("[table]", "\n".join([*rules, "[table]"])))
    return path


@pytest.mark.parametrize(
    ("plate", "expected", "rejected"),
    [
        ("p1", [("MYC/K562", "JAK2", 2.0), ("MYC/K562", "TP53", 1.0)], {"MYC": 1, "ABL1": 1}),
        ("p2", [("ABL1/K562", "TP53", 3.0), ("MYC/K562", "EGFR", 6.0), ("MYC/K562", "TP53", 5.0)], {"MYC": 1}),
    ],
)
@pytest.mark.parametrize("n_files", [1, 2])
def test_where__under_condition_is_asked_of_each_line(tmp_path, plate, expected, rejected, n_files):
    lines = (
        "MYC,K562,TP53,1,p1,7", "MYC,K562,JAK2,2,p1,7", "MYC,K562,TP53,5,p2,8", "MYC,K562,EGFR,6,p2,8",
        "ABL1,K562,TP53,3,p2,9",
    )  # fmt: skip
    files = ["t.csv", "u.csv"][:n_files]
    for number, name in enumerate(files):
        (tmp_path / name).write_text(PLATES + "\n".join(lines[number::n_files]) + "\n")
    spec = of_condition(listed(tmp_path, files), f"where = \"plate = '{plate}'\"", "[quality]", 'n_cells = "n"')
    with ingested(spec, tmp_path) as store:
        assert rows(store) == expected
        left_out = store.frame("select label, n_cells, reason from rejected")
        assert dict(left_out.select("label", "n_cells").rows()) == rejected
        assert set(left_out["reason"]) == {f"where: plate = '{plate}'"}
        cells = dict(store.frame("select condition_id, n_cells from quality").rows())
        assert cells == ({"MYC/K562": 7} if plate == "p1" else {"MYC/K562": 8, "ABL1/K562": 9})


def test_quality__that_lines_of_one_condition_do_not_agree_on_is_refused(tmp_path):
    spec = of_condition(listed(tmp_path), "[quality]", 'n_cells = "n"')
    (tmp_path / "t.csv").write_text(PLATES + "MYC,K562,TP53,1,p1,\nMYC,K562,JAK2,2,p1,12\n")
    with ingested(spec, tmp_path) as store:
        assert store.frame("select n_cells from quality").item() == 12
    (tmp_path / "t.csv").write_text(PLATES + "MYC,K562,TP53,1,p1,12\nMYC,K562,JAK2,2,p2,30\n")
    with pytest.raises(SourceFormatError, match="do not agree in column 'n'") as caught:
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)
    assert caught.value.got == "1 with several, such as MYC/K562: 12, 30"
    (tmp_path / "t.csv").write_text(PLATES + "".join(f"MYC,K562,G{n},1,p1,{n}\n" for n in range(6)))
    with pytest.raises(SourceFormatError) as caught:
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)
    assert caught.value.got == "1 with several, such as MYC/K562: 0, 1, 2, 3, 4, ..."


def split_over(folder, lines, n_files):
    files = ["t.csv", "u.csv"][:n_files]
    for number, name in enumerate(files):
        (folder / name).write_text("\n".join(["target,line,gene,lfc", *lines[number::n_files]]) + "\n")
    return listed(folder, files)


def notes(store):
    return dict(store.frame("select original, note from mapping where entity = 'gene' and note is not null").rows())


@pytest.mark.parametrize("n_files", [1, 2])
def test_names__of_one_gene_in_several_conditions_are_that_gene_in_each(tmp_path, n_files):
    lines = ["MYC,K562,MAP3K21,1", "JAK2,K562,KIAA1804,3", "MYC,K562,TP53,2", "JAK2,K562,EGFR,4"]
    with ingested(split_over(tmp_path, lines, n_files), tmp_path) as store:
        assert rows(store) == [
            ("JAK2/K562", "EGFR", 4.0),
            ("JAK2/K562", "MAP3K21", 3.0),
            ("MYC/K562", "MAP3K21", 1.0),
            ("MYC/K562", "TP53", 2.0),
        ]
        assert notes(store) == {}


@pytest.mark.parametrize("n_files", [1, 2])
def test_names__of_one_gene_in_one_condition_leave_the_value_to_the_best(tmp_path, n_files):
    lines = ["MYC,K562,KIAA1804,5", "MYC,K562,MAP3K21,1", "JAK2,K562,KIAA1804,3", "ABL1,K562,MAP3K21,7"]
    with ingested(split_over(tmp_path, lines, n_files), tmp_path) as store:
        assert rows(store) == [
            ("ABL1/K562", "MAP3K21", 7.0),
            ("JAK2/K562", "MAP3K21", 3.0),
            ("MYC/K562", "MAP3K21", 1.0),
        ]
        assert notes(store) == {"KIAA1804": "1 values left out: listed by a better name too"}
    again = [*lines, "JAK2,K562,TP53,1", "JAK2,K562,KIAA1804,3"]
    with pytest.raises(SourceFormatError, match="Two rows"):
        ingest_dataset(split_over(tmp_path, again, n_files), tmp_path / "other", tmp_path)


def test_names__of_several_genes_are_not_decided_by_what_other_conditions_list(tmp_path):
    lines = ["MYC,K562,KMT2D,1", "MYC,K562,TP53,2", "JAK2,K562,MLL4,3", "JAK2,K562,EGFR,4"]
    with ingested(split_over(tmp_path, lines, 1), tmp_path) as store:
        assert rows(store) == [("JAK2/K562", "EGFR", 4.0), ("MYC/K562", "KMT2D", 1.0), ("MYC/K562", "TP53", 2.0)]
        ledger = store.frame("select status, target_id, len(candidates) from mapping where original = 'MLL4'")
        assert ledger.row(0) == ("ambiguous", None, 2)


def test_conditions__that_lack_different_parts_of_a_name_are_not_one(tmp_path):
    lines = ("MYC,K562,TP53,1,24,", "MYC,K562,JAK2,2,,24", "MYC,K562,TP53,3,,24", "MYC,K562,JAK2,4,10,6")
    (tmp_path / "t.csv").write_text("\n".join(["target,line,gene,lfc,dose,time", *lines]) + "\n")
    quantities = ('dose = { column = "dose", unit = "uM" }', 'time = { column = "time", unit = "h" }')
    with ingested(of_condition(listed(tmp_path), *quantities), tmp_path) as store:
        assert rows(store) == [
            ("MYC/K562/10/6", "JAK2", 4.0),
            ("MYC/K562/24/?", "TP53", 1.0),
            ("MYC/K562/?/24", "JAK2", 2.0),
            ("MYC/K562/?/24", "TP53", 3.0),
        ]
        found = store.frame("select condition_id, dose_um, time_h from condition order by 1").rows()
        assert found == [("MYC/K562/10/6", 10.0, 6.0), ("MYC/K562/24/?", 24.0, None), ("MYC/K562/?/24", None, 24.0)]


def test_controls__of_a_label_that_is_no_control_elsewhere_are_conditions_of_their_own(tmp_path):
    (tmp_path / "t.csv").write_text(PLATES + "MYC,K562,TP53,1,p1,1\nMYC,K562,TP53,2,p2,1\nJAK2,K562,TP53,3,p2,1\n")
    with ingested(of_condition(listed(tmp_path), "control_where = \"plate = 'p2'\""), tmp_path) as store:
        assert rows(store) == [("JAK2/K562", "TP53", 3.0), ("MYC/K562", "TP53", 1.0), ("MYC/control/K562", "TP53", 2.0)]
        found = dict(store.frame("select condition_id, is_control from condition").rows())
        assert found == {"JAK2/K562": True, "MYC/K562": False, "MYC/control/K562": True}


def test_order__is_that_of_tiles_so_that_a_gene_reads_little(tmp_path):
    from ingest import reference

    names = (
        reference.table("gene")
        .filter(pl.col("biotype") == "protein_coding")["gene_symbol"]
        .drop_nulls()
        .unique()
        .sort()
        .head(700)
    )
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"target": names.head(300)}).join(pl.DataFrame({"gene": names}), how="cross")
    table = table.with_columns(line=pl.lit("K562"), lfc=pl.Series(rng.normal(size=table.height)))
    table.filter(pl.Series(rng.random(table.height) < 0.5)).sample(fraction=1, shuffle=True, seed=0).write_parquet(
        tmp_path / "t.parquet"
    )
    outcome = ingest_dataset(listed(tmp_path, ["t.parquet"]), tmp_path / "warehouse", tmp_path)
    (path,) = (tmp_path / "warehouse" / "releases").rglob("signature/part-0.parquet")
    found = pl.read_parquet(path, columns=["condition_index", "gene_index"])
    tile = found.select(pl.col("condition_index") // 250, pl.col("gene_index") // 500)
    keys = pl.concat([tile.rename({"condition_index": "c", "gene_index": "g"}), found], how="horizontal")
    assert keys.equals(keys.sort("c", "g", "condition_index", "gene_index"))
    assert {f["rows"] for f in outcome.manifest["files"] if f["table"] == "signature"} == {found.height}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('effect = "lfc"', 'effect = "log_fc"'), "log_fc"),
        (('effect = "lfc"', 'effect = "lfc +"'), "does not have what the spec names"),
        (('effect = "lfc"', 'effect = "1); drop view lines; select (1"'), "not one expression"),
        (('effect = "lfc"', "effect = \"(select count(*) from read_text('/etc/hostname'))\""), "does not have what"),
        (('gene = "gene"', 'gene = "gene"\nwhere = "lfc > limit"'), "does not have what"),
        (('perturbation = "target"', 'perturbation = "targt"'), "did you mean 'target'"),
        (('values = "log2_fold_change"', 'values = "zscore"'), "[table] lists effects"),
        (('id = "listed"', 'id = "listed"\nformat = "h5ad"'), "there is no format 'h5ad' of tables"),
    ],
)
def test_spec__that_is_wrong_is_told_and_sees_nothing_but_the_file(tmp_path, change, said):
    (tmp_path / "t.csv").write_text("target,line,gene,lfc\nMYC,K562,TP53,1\n")
    spec = listed(tmp_path)
    text = spec.read_text()
    assert change[0] in text
    spec.write_text(text.replace(*change))
    with pytest.raises((SpecError, SourceFormatError)) as caught:
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)
    assert said.lower() in str(caught.value).lower()
    assert not (tmp_path / "warehouse").exists()


def test_perturbqa__becomes_one_signed_call_a_pair(tmp_path):
    (tmp_path / "k562-de.csv").write_text(
        "pert,gene,label,split\nAAMP,TP53,0,train\nAAMP,MYC,1,train\nAAMP,JAK2,1,train\nABL1,MYC,0,test\n"
    )
    (tmp_path / "k562-dir.csv").write_text("pert,gene,label,split\nAAMP,MYC,1,train\nAAMP,JAK2,0,train\n")
    with ingested(SPECS["perturbqa_k562"], tmp_path) as store:
        calls = "perturbation_label, gene_symbol, effect, published_split"
        found = store.frame(
            f"select {calls} from signature join condition using (dataset_id, condition_id) order by all"
        )
        assert found.rows() == [
            ("AAMP", "JAK2", -1.0, "train"),
            ("AAMP", "MYC", 1.0, "train"),
            ("AAMP", "TP53", 0.0, "train"),
            ("ABL1", "MYC", 0.0, "test"),
        ]
        assert store.frame("select distinct experiment_id from condition").item() == "replogle_2022_k562_day6:CVCL_0004"
        assert (
            store.frame("select reason from quality where n_significant = 2").item()
            == "2 genes called changed (needs 1)"
        )


def tahoe_lines(drug, plate, concentration, genes, lfc):
    n = len(genes)
    return pl.DataFrame(
        {
            "gene_name": genes,
            "log2FoldChange": lfc,
            "lfcSE": [None if value is None else 0.25 for value in lfc],
            "stat": [None if value is None else value / 0.25 for value in lfc],
            "pvalue": [None if value is None else 0.001 for value in lfc],
            "padj": [None if value is None else 0.01 for value in lfc],
            "plate": [plate] * n,
            "n_cells_trt": [812] * n,
            "Cell_ID_Cellosaur": ["CVCL_0023"] * n,
            "drug": [drug] * n,
            "concentration": [concentration] * n,
            "concentration_unit": ["uM"] * n,
        },
        schema_overrides=dict.fromkeys(("log2FoldChange", "lfcSE", "stat", "pvalue", "padj"), pl.Float64),
    )


def test_tahoe__shards_untested_genes_and_labels(tmp_path):
    folder = tmp_path / "metadata" / "pseudobulk_differential_expression"
    folder.mkdir(parents=True)
    genes = ["TP53", "MYC", "JAK2"]
    solvate = "Trametinib (DMSO_TF solvate)"
    first = [
        tahoe_lines("Erdafitinib ", "plate1", 0.05, genes, [1.0, None, -2.0]),
        tahoe_lines(solvate, "plate1", 5.0, genes[:1], [0.5]),
    ]
    second = [
        tahoe_lines(solvate, "plate1", 5.0, genes[1:], [0.25, None]),
        tahoe_lines(solvate, "plate2", 5.0, genes, [0.75, 0.5, 0.25]),
    ]
    for number, parts in enumerate((first, second)):
        pl.concat(parts).write_parquet(folder / f"train-{number:05d}-of-01026.parquet")
    pl.DataFrame(
        {
            "drug": ["Erdafitinib", solvate],
            "moa-fine": ["FGFR inhibitor", "MEK inhibitor"],
            "canonical_smiles": [" CCO ", "CCN"],
            "pubchem_cid": [67462786.0, 11707110.0],
        }
    ).write_parquet(tmp_path / "metadata" / "drug_metadata.parquet")
    with ingested(SPECS["tahoe_100m_de"], tmp_path) as store:
        conditions = store.frame("select condition_id, dose_um, is_control, compound_id from condition order by 1")
        assert conditions["condition_id"].to_list() == [
            "Erdafitinib/CVCL_0023/0.05/24/plate1",
            f"{solvate}/CVCL_0023/5/24/plate1",
            f"{solvate}/CVCL_0023/5/24/plate2",
        ]
        assert conditions["is_control"].any() is False
        assert conditions["dose_um"].to_list() == [0.05, 5.0, 5.0]
        assert conditions["compound_id"].n_unique() == 2
        found = store.frame("select * from signature where condition_id like 'Erda%' order by gene_symbol").rows(
            named=True
        )
        assert [row["effect"] for row in found] == [-2.0, None, 1.0]
        assert [row["z"] for row in found] == [-8.0, None, 4.0]
        split = store.frame(
            "select gene_symbol, effect from signature where condition_id like 'Trame%plate1' order by 1"
        )
        assert split.rows() == [("JAK2", None), ("MYC", 0.25), ("TP53", 0.5)]
        assert store.frame("select distinct n_cells from quality").item() == 812
        assert store.frame("select moa from compound where name = 'Erdafitinib'").item() == "FGFR inhibitor"


def test_op3__a_wide_table_without_a_key_is_named_by_what_it_describes(tmp_path):
    values = np.random.default_rng(1).normal(size=(3, 4))
    described = pl.DataFrame(
        {
            "cell_type": ["NK cells", "T cells CD4+", "NK cells"],
            "sm_name": ["Clotrimazole", "Clotrimazole", "Belinostat"],
            "sm_lincs_id": ["LSM-5341", "LSM-5341", "LSM-3828"],
            "SMILES": ["CCO", "CCO", "CCN"],
            "control": [False, False, True],
        }
    )
    genes = pl.DataFrame({"index": ["TP53", "MYC", "JAK2", "A1BG-AS1"]})
    write_wide_parquet(tmp_path / "de_train.parquet", values, described, genes)
    with ingested(SPECS["op3_2023_pbmc_de"], tmp_path) as store:
        found = store.frame("select condition_id, effect from signature where gene_symbol = 'MYC' order by 1")
        assert found["condition_id"].to_list() == [
            "Belinostat/NK cells/1/24",
            "Clotrimazole/NK cells/1/24",
            "Clotrimazole/T cells CD4+/1/24",
        ]
        np.testing.assert_allclose(found["effect"].to_numpy(), values[[2, 0, 1], 1], rtol=1e-6)
        assert store.frame("select distinct effect_kind from signature").item() == "signed_log10_p"


def test_files__that_order_genes_differently_give_each_gene_its_own_value(tmp_path):
    (tmp_path / "a.csv").write_text("id,gene,TP53,MYC,EGFR,KRAS\nA1,BRCA1,1,2,3,4\n")
    (tmp_path / "b.csv").write_text("id,gene,TP53,EGFR,KRAS,MYC\nB1,BRCA2,1,3,4,2\n")
    spec = tmp_path / "two.toml"
    spec.write_text(
        '[dataset]\nid = "two"\nfiles = ["a.csv", "b.csv"]\nvalues = "log2_fold_change"\nassay = "de_table"\n'
        '[condition]\nperturbation = "gene"\nkind = "crispri"\ncontext = { value = "K562" }\n'
    )
    expected = [("EGFR", 3.0), ("KRAS", 4.0), ("MYC", 2.0), ("TP53", 1.0)]
    with ingested(spec, tmp_path) as store:
        assert rows(store) == [(condition, *pair) for condition in ("A1", "B1") for pair in expected]


@pytest.mark.parametrize("has_q", [True, False])
def test_layers__are_the_statistics_of_the_effects(tmp_path, has_q):
    rng = np.random.default_rng(6)
    layers = {name: rng.normal(size=(3, 40)) for name in ("log_fc", "lfcSE", "zscore")}
    layers["p_value"] = rng.random((3, 40)) ** 4
    layers["adj_p_value"] = np.minimum(layers["p_value"] * 3, 1)
    layers["log_fc"][1, 2] = np.inf
    from ingest import reference

    symbols = (
        reference.table("gene")
        .filter(pl.col("biotype") == "protein_coding")["gene_symbol"]
        .drop_nulls()
        .unique()
        .sort()
        .head(40)
    )
    obs = pl.DataFrame(
        {
            "index": ["a", "b", "c"],
            "target_contrast_gene_name": ["MYC", "JAK2", "TP53"],
            "culture_condition": ["Rest", "Stim8hr", "Rest"],
            "n_cells_target": [120, 80, 300],
        }
    )
    write_h5ad(
        tmp_path / "GWCD4i.DE_stats.h5ad",
        layers["log_fc"],
        obs,
        pl.DataFrame({"index": symbols}),
        layout="dense",
        layers=layers,
    )
    spec = tmp_path / "de.toml"
    text = SPECS["zhu_2026_cd4_t_de"].read_text()
    spec.write_text(text if has_q else text.replace('q_value = "layers/adj_p_value"\n', ""))
    with ingested(spec, tmp_path) as store:
        for row, name in enumerate("abc"):
            found = store.frame("select * from signature where condition_id = $1 order by gene_symbol", [name])
            expected = layers["adj_p_value"][row] if has_q else benjamini_hochberg(layers["p_value"][row])
            np.testing.assert_allclose(found["q_value"].to_numpy(), expected, rtol=1e-12)
            np.testing.assert_allclose(found["p_value"].to_numpy(), layers["p_value"][row])
            np.testing.assert_allclose(found["standard_error"].to_numpy(), layers["lfcSE"][row], rtol=1e-6)
        assert store.frame("select effect from signature where effect is null").height == 1
        quality = store.frame("select condition_id, n_cells, n_significant from quality order by 1")
        assert quality["n_cells"].to_list() == [120, 80, 300]
        assert store.frame("select distinct context_label from condition order by 1").to_series().to_list() == [
            "CD4+ T cells, Rest",
            "CD4+ T cells, Stim8hr",
        ]


def test_creeds__up_and_down_are_calls_and_the_rest_is_unknown(tmp_path):
    records = [
        {
            "id": "gene:1", "organism": "human", "cell_type": "MCF7", "pert_type": "knockdown",
            "hs_gene_symbol": "TP53", "ctrl_ids": ["GSM1", "GSM2"], "up_genes": [["MYC", 0.3], ["JAK2", 0.1]],
            "down_genes": [["STAT1", -0.4]],
        },
        {
            "id": "gene:2", "organism": "human", "cell_type": "MCF7", "pert_type": "mutation", "hs_gene_symbol": "MYC",
            "ctrl_ids": [], "up_genes": ["JAK2"], "down_genes": [],
        },
        {
            "id": "gene:3", "organism": "mouse", "cell_type": "liver", "pert_type": "knockout", "hs_gene_symbol": "MYC",
            "ctrl_ids": [], "up_genes": ["Jak2"], "down_genes": [],
        },
    ]  # fmt: skip
    (tmp_path / "single_gene_perturbations-v1.0.json").write_text(json.dumps(records))
    with ingested(SPECS["creeds_single_gene"], tmp_path) as store:
        assert rows(store) == [
            ("TP53/shrna/MCF7/gene:1", "JAK2", 1.0),
            ("TP53/shrna/MCF7/gene:1", "MYC", 1.0),
            ("TP53/shrna/MCF7/gene:1", "STAT1", -1.0),
        ]
        rejected = store.frame("select reason from rejected order by 1")["reason"].to_list()
        assert rejected == ["no perturbation kind", "where: organism = 'human'"]
    (tmp_path / "single_gene_perturbations-v1.0.json").write_text('[{"id": "gene:1"}]')
    with pytest.raises(SourceFormatError, match="no genes"):
        ingest_dataset(SPECS["creeds_single_gene"], tmp_path / "other", tmp_path)


def test_controls__told_by_a_column_are_conditions_of_a_table_too(tmp_path):
    (tmp_path / "t.csv").write_text("target,line,gene,lfc,ref\nMYC,K562,TP53,1,sample\nmock,K562,TP53,2,vehicle\n")
    spec = listed(tmp_path)
    spec.write_text(spec.read_text().replace("[table]", "control_where = \"ref = 'vehicle'\"\n[table]"))
    with ingested(spec, tmp_path) as store:
        found = store.frame("select perturbation_label, is_control from condition order by 1").rows()
        assert found == [("MYC", False), ("mock", True)]


def test_gmt__sides_of_a_set_are_one_condition(tmp_path):
    (tmp_path / "sets.gmt").write_text("MYC kd-up\tgeo\tTP53\tJAK2\t\nMYC kd-dn\tgeo\tSTAT1,1.0\nplain\tgeo\tTP53\n")
    spec = tmp_path / "sets.toml"
    spec.write_text(
        '[dataset]\nid = "sets"\nfiles = ["sets.gmt"]\nformat = "gmt"\nvalues = "de_call"\nassay = "de_table"\n'
        '[condition]\nperturbation = "set"\nkind = "shrna"\nstrip = " kd$"\ncontext = { value = "K562" }\n'
        '[table]\ngene = "gene"\neffect = "direction"\nwhere = "direction is not null"\n'
    )
    with ingested(spec, tmp_path) as store:
        assert rows(store) == [
            ("MYC kd/K562", "JAK2", 1.0),
            ("MYC kd/K562", "STAT1", -1.0),
            ("MYC kd/K562", "TP53", 1.0),
        ]
        assert store.frame("select target_symbols[1] from condition").item() == "MYC"
    (tmp_path / "sets.gmt").write_text("MYC kd-up\tgeo\n")
    with pytest.raises(SourceFormatError, match="not a gene set"):
        ingest_dataset(spec, tmp_path / "other", tmp_path)


@pytest.mark.parametrize(
    ("line", "n_conditions", "n_genes", "calls"),
    [
        ("k562", 1831, 4136, {-1: 6409, 0: 137_699, 1: 13_571}),
        ("rpe1", 2002, 4760, {-1: 16_150, 0: 160_437, 1: 10_502}),
        ("jurkat", 1540, 6842, {-1: 13_560, 0: 122_764, 1: 6498}),
    ],
)
def test_real_perturbqa__every_label_and_the_split_come_through(
    real_data, tmp_path, line, n_conditions, n_genes, calls
):
    folder = real_data / "perturbqa"
    ingest_dataset(SPECS[f"perturbqa_{line}"], tmp_path / "warehouse", folder)
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select n_conditions, n_genes from dataset").row(0) == (n_conditions, n_genes)
        counted = store.frame("select effect::int as call, count(*)::int as n from signature group by all")
        assert dict(counted.rows()) == calls
        split = store.frame("select perturbation_label as pert, published_split as split from condition")
        given = pl.read_csv(folder / f"{line}-de.csv").select("pert", "split").unique()
        assert split.sort("pert").equals(given.sort("pert"))
    assert pl.read_csv(folder / f"{line}-dir.csv")["label"].sum() == calls[1]


@pytest.mark.parametrize(("name", "n_conditions", "n_genes"), [("genetic", 17_926, 9427), ("chemical", 3288, 9490)])
def test_real_top20__twenty_genes_a_condition_and_no_more(real_data, tmp_path, name, n_conditions, n_genes):
    ingest_dataset(SPECS[f"l1000_top20_{name}"], tmp_path / "warehouse", real_data / "l1000_top20")
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select n_conditions, n_genes from dataset").row(0) == (n_conditions, n_genes)
        listed = store.frame("select count(*) as n from signature group by condition_id")["n"]
        assert listed.min() == listed.max() == 20
        assert store.frame("select count(*) from signature where effect = 0 or effect is null").item() == 0


@pytest.mark.parametrize("section", ["where", "control_where"])
def test_words__that_look_like_truth_values_are_compared_as_they_are_written(tmp_path, section):
    lines = ("MYC,K562,TP53,1,no", "safe,K562,TP53,0,yes", "MYC,K562,STAT1,2,no")
    (tmp_path / "t.csv").write_text("\n".join(["target,line,gene,lfc,spiked", *lines]) + "\n")
    path = listed(tmp_path)
    path.write_text(path.read_text().replace("[table]", f"{section} = \"spiked = 'yes'\"\n[table]"))
    with ingested(path, tmp_path) as store:
        found = store.frame("select perturbation_label, is_control from condition order by all").rows()
        controls = {"MYC": False, "safe": True} if section == "control_where" else {"safe": False}
        assert dict(found) == controls
    path.write_text(path.read_text().replace("'yes'", "'true'"))
    with pytest.raises(SpecError, match=f"'{section}' takes no row") as caught:
        ingest_dataset(path, tmp_path / "warehouse", tmp_path)
    assert "'spiked': 'no', 'yes'" in str(caught.value)
