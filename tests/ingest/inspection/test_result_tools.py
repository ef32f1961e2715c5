"""Tables of results as their tools write them: what ``inspect`` says of each, and that its draft is what they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import release_path
from ingest.commands.left_open import left_open
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from layouts.result_tools import BOTH, EFFECTS, GENES, Q_VALUES, RESULT_TOOLS, ROWS

ONE = [("STAT1/K562", gene, effect, q) for gene, effect, _, q in ROWS]
TWO = [(f"{target}/K562", gene, effect, q) for target, gene, effect, _, q in BOTH]
THIRD = [("STAT1/A549", gene, -2 * effect, q) for gene, effect, _, q in ROWS]
UNTESTED = [(*line[:3], None if line[1] == "MYC" else line[3]) for line in ONE]  # padj is NA
EXPECTED = {
    **dict.fromkeys(("DESeq2, write.csv", "DESeq2, write.table", "DESeq2, tabs"), UNTESTED),
    **dict.fromkeys(("limma", "edgeR", "decimal commas"), ONE),
    **dict.fromkeys(("scanpy", "pdex", "pdex, ratios", "pertpy"), TWO),
    "contrasts by name": [(name.replace("/", "_vs_control/"), *rest) for name, *rest in TWO],
    "DESeq2, a file a contrast": [*TWO, *THIRD],
    **{tool: [(*line[:3], None) for line in lines] for tool, lines in {
        "edgeR, FWER": ONE, "Seurat FindMarkers": ONE, "Seurat 3 FindMarkers": ONE, "Seurat FindAllMarkers": TWO,
        "scanpy, Bonferroni": TWO}.items()},
}  # fmt: skip
"""Condition, gene, effect and q of what a draft ingests; what is Bonferroni's is no q."""
TOOLS = {
    "DESeq2, write.table": "DESeq2", "limma": "limma", "edgeR": "edgeR", "Seurat FindMarkers": "Seurat",
    "scanpy": "scanpy", "pdex": "pdex", "pertpy": "pertpy",
}  # fmt: skip


def drafted(tool, folder):
    found = inspect_file(RESULT_TOOLS[tool](folder))
    return found, draft_spec(found, folder)


@pytest.mark.parametrize("tool", EXPECTED)
def test_draft__of_a_tools_table_ingests_what_it_holds(tool, tmp_path):
    found, draft = drafted(tool, tmp_path)
    assert draft.missing == ()
    assert found.values.kind == "log2_fold_change"
    (tmp_path / "draft.toml").write_text(draft.text)
    done = ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    release = release_path(tmp_path / "warehouse", done.dataset_id, done.release_id)
    read = [pl.read_parquet(f"{release}/{name}*/*.parquet" if name == "signature" else f"{release}/{name}.parquet")
            for name in ("signature", "condition", "gene")]  # fmt: skip
    table = read[0].join(read[1], on="condition_index").join(read[2], on="gene_index")
    table = table.select("condition_id", "gene_symbol", "effect", "q_value").sort("condition_id", "gene_symbol")
    expected = sorted(EXPECTED[tool])
    assert table["condition_id", "gene_symbol", "q_value"].rows() == [(line[0], line[1], line[3]) for line in expected]
    np.testing.assert_allclose(table["effect"], [line[2] for line in expected], rtol=1e-6)


@pytest.mark.parametrize("tool", TOOLS)
def test_inspect__names_the_tool(tool, tmp_path):
    found, _ = drafted(tool, tmp_path)
    assert found.format.endswith(f"as {TOOLS[tool]} writes it")


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (
            "edgeR, FWER",
            "# no q_value: 'FWER' is corrected for the chance of a single false positive, as its name says",
        ),
        ("Seurat FindMarkers", "# no q_value: 'p_val_adj' is Bonferroni's, as Seurat writes it"),
        ("scanpy, Bonferroni", "# no q_value: 'pvals_adj' is Bonferroni's: 6 times 'pvals' in every row"),
        ("Seurat 3 FindMarkers", 'effect = "\\"avg_logFC\\" / ln(2)"  # CHECK'),
        ("Seurat FindAllMarkers", 'perturbation = "cluster"  # CHECK'),
        ("scanpy", "all other cells rather than with controls, which the file does not say"),
        ("DESeq2, write.csv", 'perturbation = { value = "STAT1" }  # CHECK'),
        ("DESeq2, a file a contrast", "the genes in the names of 3 files that are named alike: JAK1, STAT1"),
    ],
)
def test_draft__says_what_it_takes_for_what(tool, said, tmp_path):
    assert said in drafted(tool, tmp_path)[1].text.replace("\n#  ", "")


def test_screen__of_mageck_is_a_phenotype_of_each_gene_and_no_expression(tmp_path):
    found, draft = drafted("MAGeCK", tmp_path)
    assert draft.missing == ("condition.context",)
    assert draft.doubtful == ("dataset.values",)
    assert "log2 fold change of its guides, on another scale than DepMap's" in found.values.evidence[0]
    (tmp_path / "draft.toml").write_text(draft.text.replace("# FILL IN: context", "context"))
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        rows = store.frame(
            "select target_symbols[1], phenotype, value from phenotype join condition using (condition_id)"
        )
    assert sorted(rows.rows()) == sorted(
        (gene, "gene_effect", effect) for gene, effect in zip(GENES, EFFECTS, strict=True)
    )


def test_pseudobulk__of_no_cell_is_left_out_and_the_others_are_of_their_cells(tmp_path):
    found, draft = drafted("decoupler", tmp_path)
    assert (found.cells, draft.missing) == (["psbulk_cells"], ())
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        cells = dict(store.frame("select condition_id, n_cells from quality").rows())
        left_out = store.frame("select label, reason from rejected").rows()
    assert cells == {"STAT1/K562": 30, "JAK1/K562": 20}
    assert left_out == [("JAK1", "where: psbulk_cells > 0")]


def test_ingest__says_that_bonferronis_are_no_q_values_where_the_spec_takes_them(tmp_path):
    _, draft = drafted("edgeR, FWER", tmp_path)
    (tmp_path / "draft.toml").write_text(draft.text + 'q_value = "FWER"\n')
    done = ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    assert "'FWER' is 6 times 'PValue' in every row: Bonferroni's, and no q-value" in " ".join(
        left_open(tmp_path / "warehouse", done)
    )
    _, draft = drafted("edgeR", tmp_path)
    (tmp_path / "draft.toml").write_text(draft.text)
    done = ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    assert "Bonferroni" not in " ".join(left_open(tmp_path / "warehouse", done))


GUIDES = "sgrna,Gene,LFC,FDR\nTP53_1,TP53,1.5,0.1\nTP53_2,TP53,-1,0.2\nMYC_1,MYC,2,0.1\n"
NO_EXPRESSION = {
    "guides": (GUIDES, "a row for each guide of a screen"),
    "counts of guides": ("sgRNA,gene,s1,s2\nTP53_1,TP53,5,7\nMYC_1,MYC,3,8\n", "a row for each guide of a screen"),
    "MAGeCK MLE": (
        "Gene,sgRNA,D14|beta,D14|z,D14|wald-p-value\nTP53,4,-1.5,-3,0.1\nMYC,4,2.5,3,0.2\n", "maximum likelihood"),
    "drugZ": ("GENE,sumZ,numObs,normZ,pval_synth\nTP53,3.5,4,1.5,0.1\nMYC,-3.5,4,-1.5,0.2\n", "drugZ"),
    "side by side": (
        ",TP53.log2FoldChange,TP53.padj,MYC.log2FoldChange,MYC.padj\nTP53,1.5,0.1,-0.5,0.3\nMYC,-1.5,0.1,0.5,0.2\n",
        "statistics of contrasts side by side, such as 'MYC.log2FoldChange'"),
    "no effect": (
        '"","A - B","C - B","AveExpr","F","P.Value"\n"TP53",1.5,2.5,5,9,0.1\n"MYC",-1.5,2,6,9,0.2\n',
        "no column is known to be the effect"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_EXPRESSION)
def test_draft__asks_what_the_values_are_where_they_are_no_expression(case, tmp_path):
    text, said = NO_EXPRESSION[case]
    (tmp_path / "t.csv").write_text(text)
    found = inspect_file(tmp_path / "t.csv")
    assert said in found.values.evidence[0]
    assert "dataset.values" in draft_spec(found, tmp_path).missing


RATIOS = {
    "ratios": ([2.0, 0.5, 1.0, 0.0, 4.0, 0.25], [1, -1, 0, None, 2, -2], True),
    "signed": ([2.0, -2.0, 1.0, -8.0, 4.0, -4.0], [1, -1, 0, -3, 2, -2], True),
    "logarithms": ([1.0, -0.5, 0.25, -2.0, 2.0, -0.125], [1, -0.5, 0.25, -2, 2, -0.125], True),
}


@pytest.mark.parametrize("case", RATIOS)
def test_fold_change__is_what_its_numbers_can_be_and_is_to_be_checked(case, tmp_path):
    values, expected, is_doubtful = RATIOS[case]
    table = pl.DataFrame({"target": ["STAT1"] * 6, "gene": GENES, "fold_change": values, "pvalue": [0.1] * 6})
    table.write_csv(tmp_path / "K562.csv")
    draft = draft_spec(inspect_file(tmp_path / "K562.csv"), tmp_path)
    assert ("table.effect" in draft.doubtful) == is_doubtful
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = dict(store.frame("select gene_symbol, effect from signature").rows())
    assert found == dict(zip(GENES, expected, strict=True))


def test_statistic__that_has_not_the_sign_of_the_effect_is_no_z(tmp_path):
    lines = [f"{gene},{effect},{abs(effect) * 3},{q}" for gene, effect, q in zip(GENES, EFFECTS, Q_VALUES, strict=True)]
    (tmp_path / "K562_STAT1.csv").write_text("gene,log2FoldChange,stat,padj\n" + "\n".join(lines) + "\n")
    found = inspect_file(tmp_path / "K562_STAT1.csv")
    assert "z" not in found.table
    assert "# no z: 'stat' has not the sign of the effect" in draft_spec(found, tmp_path).text
    assert "z" in inspect_file(RESULT_TOOLS["limma"](tmp_path)).table


@pytest.mark.parametrize("groups", [("0", "1"), ("T cells", "B cells")])
def test_groups__that_are_no_genes_are_not_taken_for_what_was_perturbed(groups, tmp_path):
    lines = [f"{group},{gene},{effect},0.1" for group in groups for gene, effect in zip(GENES, EFFECTS, strict=True)]
    (tmp_path / "K562.csv").write_text("cluster,gene,avg_log2FC,p_val\n" + "\n".join(lines) + "\n")
    assert "condition.perturbation" in draft_spec(inspect_file(tmp_path / "K562.csv"), tmp_path).missing


def test_family__takes_no_other_file(tmp_path):
    """A table of other columns, and one of controls, are named alike and are no contrast of these."""
    path = RESULT_TOOLS["DESeq2, a file a contrast"](tmp_path)
    (tmp_path / "deseq2_K562_MYC.csv").write_text("gene,counts\nTP53,1\n")
    found = inspect_file(path)
    assert found.family == ("deseq2_A549_STAT1.csv", "deseq2_K562_JAK1.csv", "deseq2_K562_STAT1.csv")
    assert replace(found, family=()).n_rows == found.n_rows


ENTREZ = [7157, 1956, 3105, 4825, 4609, 5728]
NAMES_OF_GENES = {
    "pandas index, in Parquet": ("__index_level_0__", GENES), "read again by pandas": ("Unnamed: 0", GENES),
    "data.table": ("rn", GENES), "limma, an ID": ("ID", GENES), "readr": ("X", GENES), "Entrez": ("", ENTREZ),
    "Entrez, named": ("GeneID", ENTREZ), "SYMBOL": ("SYMBOL", GENES), "Ensembl": ("ENSEMBL", ["ENSG00000141510"] * 6),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES_OF_GENES)
def test_genes__are_found_whatever_their_column_is_called(case, tmp_path):
    name, genes = NAMES_OF_GENES[case]
    table = pl.DataFrame({name: genes, "log2FoldChange": EFFECTS, "padj": Q_VALUES})
    table.write_parquet(tmp_path / "t.csv") if "Parquet" in case else table.write_csv(tmp_path / "t.csv")
    assert inspect_file(tmp_path / "t.csv").table == {
        "gene": name or "row_names", "effect": "log2FoldChange", "q_value": "padj"
    }  # fmt: skip


def test_genes__are_no_numbers_of_lines(tmp_path):
    """pandas writes them under no name; there is no column of genes, so this is no result."""
    numbered = pl.DataFrame({"": range(20), "log2FoldChange": [0.5, -0.5] * 10, "padj": [0.1] * 20})
    numbered.write_csv(tmp_path / "t.csv")
    assert inspect_file(tmp_path / "t.csv").table is None


def _drafted_table(folder, header, lines):
    path = folder / "K562_STAT1.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in [header, *lines]) + "\n")
    found = inspect_file(path)
    return found, draft_spec(found, folder)


def _effects(folder, draft):
    (folder / "draft.toml").write_text(draft.text)
    ingest_dataset(folder / "draft.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        return dict(store.frame("select gene_symbol, effect from signature").rows())


def test_presto__tells_natural_logarithms_by_its_columns(tmp_path):
    header = ["feature", "group", "avgExpr", "logFC", "statistic", "auc", "pval", "padj", "pct_in", "pct_out"]
    lines = [(g, "STAT1", 1.0, e * np.log(2), 9.0, 0.5, p, q, 40, 20) for g, e, p, q in ROWS]
    found, draft = _drafted_table(tmp_path, header, lines)
    assert found.format.endswith("as presto writes it")
    assert "table.effect" in draft.doubtful
    found = _effects(tmp_path, draft)
    np.testing.assert_allclose([found[gene] for gene in GENES], EFFECTS, rtol=1e-6)


def test_sceptre__names_what_responds_and_what_was_perturbed(tmp_path):
    header = ["response_id", "grna_target", "n_nonzero_trt", "n_nonzero_cntrl", "pass_qc", "p_value",
              "log_2_fold_change", "significant"]  # fmt: skip
    lines = [(g, "STAT1", 5, 50, "TRUE", p, e, "FALSE") for g, e, p, _ in ROWS]
    found, draft = _drafted_table(tmp_path, header, lines)
    assert found.format.endswith("as SCEPTRE writes it")
    assert 'perturbation = "grna_target"' in draft.text
    found = _effects(tmp_path, draft)
    np.testing.assert_allclose([found[gene] for gene in GENES], EFFECTS, rtol=1e-6)


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (["target_id", "b", "pval", "qval"], "table.effect"),  # sleuth: its effect is called b
        (["primerid", "coef", "Pr(>Chisq)", "fdr"], "table.effect"),  # MAST
        (["locus_tag", "change", "pval", "padj"], "dataset.values"),
        (["thing", "change", "p_value", "FWER"], "dataset.values"),
    ],
)
def test_statistics__are_never_taken_for_samples(header, missing, tmp_path):
    _, draft = _drafted_table(tmp_path, header, [(g, e, p, q) for g, e, p, q in ROWS])
    assert missing in draft.missing
