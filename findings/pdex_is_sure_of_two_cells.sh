#!/bin/sh
# Finding: pdex gives two cells p = 3e-10 against 40 controls, where no rank test can go below 0.001.
# Tools: pdex 0.3.0
# Seen: its Mann-Whitney test has the normal approximation with correction for ties at every size of group. Where a gene
#   is silent in all controls, the ties leave a variance of nearly nothing, and the approximation any p at all. A group of
#   one cell is tested too.
# Output: two cells with a gene that all 40 controls lack: p = 2.6e-10, q = 5.1e-10. Of the 861 ways to choose two of 42
#   cells one is as extreme, so the exact p is 1 / 861. The same complete separation from controls that are not tied has
#   p = 0.02. One cell: 7.0e-10, exact 1 / 41.
# Guess: a rank test is safe with few cells, since its smallest p is bounded by the number of orders; an approximation
#   errs by a factor of two or so. Here it errs by six orders of magnitude, and only for genes that are mostly 0.
# Means: small perturbations get long lists of significant genes that one stray read makes, and the counts of significant
#   genes that benchmarks use follow. Leave out groups below some 20 cells, or take exact p-values there.
# Upstream: ArcInstitute/pdex 53 (open) would take exact p-values where there are no ties; with ties, as here, none found.
#   SciPy's asymptotic method is the same formula, but its default is exact for small samples without ties.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pdex==0.3.0 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 pyarrow==26.0.1
cat > "$work/check.py" <<'PYTHON'
from itertools import combinations

import anndata
import numpy as np
import pandas as pd
from pdex import pdex
from scipy.stats import rankdata

arms = ["non-targeting"] * 40 + ["two"] * 2 + ["one"]
silent = np.array([0.0] * 40 + [5.0] * 3)
spread = np.array([*range(40), 50.0, 50.0, 50.0])
cells = anndata.AnnData(
    np.column_stack([silent, spread]),
    obs=pd.DataFrame({"arm": pd.Categorical(arms)}, index=[f"c{i}" for i in range(43)]),
    var=pd.DataFrame(index=["silent", "spread"]),
)
result = pdex(cells, "arm", is_log1p=False, as_pandas=True).set_index(["target", "feature"])


def exact(values, n):
    """The share of all choices of n cells whose rank sum is as far from the middle as the last n cells' is."""
    ranks = rankdata(values)
    middle = n * ranks.mean()
    far = abs(ranks[-n:].sum() - middle)
    sums = np.array([ranks[list(chosen)].sum() for chosen in combinations(range(len(values)), n)])
    return np.mean(np.abs(sums - middle) >= far - 1e-9)


controls = silent[:40]
right = {"two": exact(np.r_[controls, 5, 5], 2), "one": exact(np.r_[controls, 5], 1)}
for arm, p in right.items():
    said = result.loc[(arm, "silent")]
    print(f"{arm} cells: p {said['p_value']:.2g}, fdr {said['fdr']:.2g}, exact {p:.2g}; spread {result.loc[(arm, 'spread'), 'p_value']:.2g}")

assert np.isclose(right["two"], 1 / 861)
assert np.isclose(right["one"], 1 / 41)
assert np.isclose(result.loc[("two", "silent"), "p_value"], 2.56e-10, rtol=0.01, atol=0)
assert np.isclose(result.loc[("one", "silent"), "p_value"], 6.98e-10, rtol=0.01, atol=0)
assert 0.01 < result.loc[("two", "spread"), "p_value"] < 0.02
PYTHON
"$work/venv/bin/python" "$work/check.py"
