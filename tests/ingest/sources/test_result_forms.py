"""Tables of results as R and pandas write them: a first name that is empty or missing, blanks, one file a contrast."""

from __future__ import annotations

import pytest

from featurestore.query.warehouse import Warehouse
from ingest.pipeline import ingest_dataset

GENES = {"TP53": (1.25, 0.5), "HLA-A": (-0.75, None), "NKX6-1": (0.5, 0.04)}
FORMS = {
    "write.csv": (",", '"","logFC","padj"', '"{}"'),
    "write.table": (" ", '"logFC" "padj"', '"{}"'),
    "write.table, tabs": ("\t", "logFC\tpadj", "{}"),
    "col.names = NA": ("\t", "\tlogFC\tpadj", "{}"),
    "after comments": (",", "# made by hand\n,logFC,padj", "{}"),
}
FIXED = """
[dataset]
id = "fixed"
files = ["{name}"]
values = "log2_fold_change"
assay = "de_table"
[condition]
perturbation = {{ value = "STAT1" }}
kind = "crispri"
context = {{ value = "K562" }}
[table]
gene = "{gene}"
effect = "logFC"
q_value = "padj"
"""


def listed(folder, spec):
    (folder / "spec.toml").write_text(spec)
    ingest_dataset(folder / "spec.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        return store.frame("select condition_id, gene_symbol, effect, q_value from signature order by all").rows()


def written(form):
    separator, header, quoted = FORMS[form]
    lines = [[quoted.format(gene), *("NA" if v is None else str(v) for v in values)] for gene, values in GENES.items()]
    return "\n".join([header, *(separator.join(line) for line in lines)]) + "\n"


@pytest.mark.parametrize("form", FORMS)
def test_row_names__of_r_are_genes_whatever_the_header_is(tmp_path, form):
    (tmp_path / "result.txt").write_text(written(form))
    expected = [("STAT1/K562", gene, *GENES[gene]) for gene in sorted(GENES)]
    assert listed(tmp_path, FIXED.format(name="result.txt", gene="row_names")) == expected


def test_contrast__is_told_by_the_name_of_its_file_alone(tmp_path):
    tables = {"deseq2_A549_TP53.csv": "TP53,-2.5,0.01\nMYC,0.25,NA\n", "deseq2_A549_MYC.csv": "TP53,0.5,0.2\n"}
    for name, lines in tables.items():
        (tmp_path / name).write_text("gene,logFC,padj\n" + lines)
    spec = FIXED.format(name="deseq2_*.csv", gene="gene").replace('{ value = "STAT1" }', '"target"')
    spec = spec.replace('{ value = "K562" }', '{ column = "line" }')
    spec += r"""[rows]
extract = { file = 'deseq2_(?P<line>[^_]+)_(?P<target>[^_]+)\.csv' }
"""
    assert listed(tmp_path, spec) == [
        ("MYC/A549", "TP53", 0.5, 0.2), ("TP53/A549", "MYC", 0.25, None), ("TP53/A549", "TP53", -2.5, 0.01)
    ]  # fmt: skip


def test_columns__called_like_those_of_featurestore_are_what_the_file_says(tmp_path):
    """``gene`` is what was perturbed here, and ``Effect`` and ``Z`` are columns in other case."""
    (tmp_path / "t.csv").write_text("gene,Feature,logFC,Effect,Z,padj\nMYC,TP53,1.5,9,9,0.5\nJAK2,TP53,-1.5,9,9,0.5\n")
    spec = FIXED.format(name="t.csv", gene="Feature").replace('{ value = "STAT1" }', '"gene"')
    assert listed(tmp_path, spec) == [("JAK2/K562", "TP53", -1.5, 0.5), ("MYC/K562", "TP53", 1.5, 0.5)]
