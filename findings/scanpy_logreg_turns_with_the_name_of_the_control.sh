#!/bin/sh
# Finding: scanpy's logistic regression of a knock-out and its control turns its sign with the control's name.
# Tools: scanpy 1.11.5, anndata 0.12.19
# Seen: of two groups one row of coefficients is fitted, for the category that sorts last, and it is reported under the
#   group that was asked for. Capital letters sort before small ones: "STAT1" is after "NTC" and before "non-targeting".
# Output: rank_genes_groups(groups=["STAT1"], reference=..., method="logreg") of the same cells lists first the gene that
#   is up in the knock-out when the control is called "NTC" (score 3.42), and the gene that is down when it is called
#   "non-targeting" or "control" (1.85; the other is last by -3.42). Wilcoxon puts the first on top each time.
# Guess: scores are of the group in the column's name against the reference, whatever the two are called.
# Means: symbols in capitals against "control" or "non-targeting" are the usual labels, so the usual result is reversed:
#   signatures with the wrong sign, and mixed signs in a screen whose labels differ in case. With three groups or more it
#   is right. Take another method, or check the sign by the target's own gene.
# Upstream: scverse/scanpy pull request 4348 (open) has it, by the order of categories.
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
knocked = np.repeat([False, True], 60)
means = np.full((120, 20), 5.0)
means[knocked, 0] *= 4
means[knocked, 1] /= 4
logarithms = np.log1p(np.random.default_rng(0).poisson(means)).astype(np.float32)
genes = ["up", "down", *(f"G{i:02d}" for i in range(18))]
effect = pd.Series(logarithms[knocked].mean(axis=0) - logarithms[~knocked].mean(axis=0), index=genes)
print("difference of means, knock-out less control:", effect[:2].round(2).to_dict())

first = {}
for control in ("NTC", "non-targeting", "control"):
    arms = pd.Categorical(np.where(knocked, "STAT1", control))
    obs = pd.DataFrame({"arm": arms}, index=[f"c{i}" for i in range(120)])
    cells = anndata.AnnData(logarithms.copy(), obs, pd.DataFrame(index=genes))
    for method in ("logreg", "wilcoxon"):
        sc.tl.rank_genes_groups(cells, "arm", groups=["STAT1"], reference=control, method=method)
        table = sc.get.rank_genes_groups_df(cells, "STAT1")
        first[control, method] = table["names"].iloc[0]
        print(f"{control:13s} {method:8s} first {table['names'].iloc[0]} {table['scores'].iloc[0]:.2f},"
              f" last {table['names'].iloc[-1]} {table['scores'].iloc[-1]:.2f}")

assert effect["up"] > 1
assert effect["down"] < -0.8
assert all(first[control, "wilcoxon"] == "up" for control in ("NTC", "non-targeting", "control"))
assert first["NTC", "logreg"] == "up"
assert first["non-targeting", "logreg"] == first["control", "logreg"] == "down"
PYTHON
"$work/venv/bin/python" "$work/check.py"
