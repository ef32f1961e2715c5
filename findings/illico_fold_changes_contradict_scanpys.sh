#!/bin/sh
# Finding: illico's result in scanpy's format has another logfoldchanges than scanpy, up where scanpy says down.
# Tools: illico 0.6.0, scanpy 1.11.5
# Seen: with return_as_scanpy=True illico gives the dictionary of rank_genes_groups, with method "wilcoxon". Its
#   logfoldchanges are of means of counts; scanpy's are of expm1 of the mean logarithm. The field and its params do not
#   differ by a word.
# Output: of a gene with 0, 4, 8, 4 counts in controls and 0, 0, 24, 0 in a knock-down, scanpy says -1.22 and illico
#   +0.58, beside a negative test score of both.
# Guess: a drop-in for rank_genes_groups fills its fields by the same definition, and the sign of a fold change is the
#   sign of its score.
# Means: effects of two datasets, one tested by each, cannot be joined by that column, and filters on it with the score
#   pick other genes. Record which mean it was (illico: exp_post_agg), or compute fold changes yourself.
# Upstream: the parameter exp_post_agg is documented; that the scanpy format differs by default is not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q illico==0.6.0 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import anndata
import illico
import numpy as np
import pandas as pd
import scanpy

control, knockdown = np.array([0.0, 4, 8, 4]), np.array([0.0, 0, 24, 0])
counts = np.column_stack([np.concatenate([control, knockdown]), np.full(8, 4.0)])
cells = anndata.AnnData(
    np.log1p(counts).astype(np.float32),
    obs=pd.DataFrame({"arm": pd.Categorical(["control"] * 4 + ["KD"] * 4)}, index=[f"c{i}" for i in range(8)]),
    var=pd.DataFrame(index=["changed", "constant"]),
)
cells.uns["log1p"] = {"base": None}


def row():
    return scanpy.get.rank_genes_groups_df(cells, group="KD").set_index("names").loc["changed"]


scanpy.tl.rank_genes_groups(cells, "arm", reference="control", method="wilcoxon", tie_correct=True)
by_scanpy = row()
cells.uns["rank_genes_groups"] = illico.asymptotic_wilcoxon(
    cells, group_keys="arm", reference="control", is_log1p=True, return_as_scanpy=True
)
by_illico = row()
of_counts = np.log2(knockdown.mean() / control.mean())
of_logs = np.log2(np.expm1(np.log1p(knockdown).mean()) / np.expm1(np.log1p(control).mean()))
print(f"scanpy {by_scanpy['logfoldchanges']:.4f} (by hand, mean of logarithms {of_logs:.4f})")
print(f"illico {by_illico['logfoldchanges']:.4f} (by hand, mean of counts {of_counts:.4f})")

assert np.isclose(by_scanpy["logfoldchanges"], of_logs, atol=1e-3)
assert np.isclose(by_illico["logfoldchanges"], of_counts, atol=1e-3)
assert by_scanpy["logfoldchanges"] < 0 < by_illico["logfoldchanges"]
assert by_scanpy["scores"] < 0
assert by_illico["scores"] < 0
PYTHON
"$work/venv/bin/python" "$work/check.py"
