#!/bin/sh
# Finding: scanpy's filter_rank_genes_groups drops what changed against the control, and keeps what did not.
# Tools: scanpy 1.11.5, anndata 0.12.19
# Seen: after rank_genes_groups(reference="control") the filter does not take that result's fold changes and shares of
#   cells; it computes its own against all other cells, which are the other perturbations and the control together. The
#   filtered result still names the reference "control" and still has the fold changes against it.
# Output: four knock-outs of 50 cells. A gene that is up eight-fold in all of them (logfoldchanges 3.10) is taken out of
#   each list by min_fold_change=1; a gene that k1 leaves alone (0.03, p 0.58) and the three others lower is kept for k1.
# Guess: a filter of a result filters by the numbers in that result, so min_fold_change is against the reference.
# Means: what knock-outs share (a response to cutting or to the drug's solvent, common target pathways) disappears, and
#   genes of other knock-outs take its place. Filter the table of get.rank_genes_groups_df by its own columns.
# Upstream: its documentation says "outside the groupby categories", not that a reference is left out; scverse/scanpy 863
#   (closed) has fold changes that differ by the formula, none found that has the reference.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import warnings

import anndata
import numpy as np
import pandas as pd
import scanpy as sc

warnings.simplefilter("ignore")
arms = np.repeat(["control", "k1", "k2", "k3", "k4"], 50)
means = np.full((250, 20), 8.0)
means[arms != "control", 0] *= 8  # up in every knock-out
means[np.isin(arms, ["k2", "k3", "k4"]), 1] /= 4  # lowered by the others, left alone by k1
means[arms == "k1", 2] *= 4  # up in k1 alone
counts = np.random.default_rng(0).poisson(means).astype(np.float32)
genes = ["shared", "of_others", "own", *(f"G{i:02d}" for i in range(17))]
cells = anndata.AnnData(
    counts.copy(),
    obs=pd.DataFrame({"arm": pd.Categorical(arms)}, index=[f"c{i}" for i in range(250)]),
    var=pd.DataFrame(index=genes),
)
sc.pp.log1p(cells)
sc.tl.rank_genes_groups(cells, "arm", reference="control", method="wilcoxon")
sc.tl.filter_rank_genes_groups(cells, min_fold_change=1, max_out_group_fraction=2)  # expressed anywhere

of_k1 = counts[arms == "k1"].mean(axis=0)
against = {name: np.log2(of_k1 / counts[other].mean(axis=0))[:3]
           for name, other in (("control", arms == "control"), ("all other cells", arms != "k1"))}
filtered = cells.uns["rank_genes_groups_filtered"]
said = sc.get.rank_genes_groups_df(cells, "k1").set_index("names").loc[genes[:3]]
kept = {arm: [name for name in filtered["names"][arm] if isinstance(name, str)] for arm in ("k1", "k2", "k3", "k4")}
print(said[["logfoldchanges", "pvals_adj"]].to_string())
for name, change in against.items():
    print(f"log2 fold change of the mean counts against {name}: {change.round(2)}")
print("kept by the filter:", kept, "with reference", filtered["params"]["reference"])

assert filtered["params"]["reference"] == "control"
assert said.loc["shared", "logfoldchanges"] > 2.9
assert said.loc["shared", "pvals_adj"] < 1e-10
assert abs(said.loc["of_others", "logfoldchanges"]) < 0.1
assert said.loc["of_others", "pvals_adj"] > 0.5
assert against["control"][1] < 0.1 < 1 < against["all other cells"][1]
assert kept == {"k1": ["own", "of_others"], "k2": [], "k3": [], "k4": []}
PYTHON
"$work/venv/bin/python" "$work/check.py"
