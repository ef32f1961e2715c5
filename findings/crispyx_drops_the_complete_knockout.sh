#!/bin/sh
# Finding: crispyx's negative binomial test has no effect and no p-value for the gene that a perturbation silences wholly.
# Tools: crispyx 0.2.2
# Seen: with the defaults min_cells_ctrl=1 and min_cells_pert=1 a gene without a count on one side is not estimable and
#   gets NaN in effect, statistic and p. It stays in pts and pts_rest (the shares of cells that express it) alone.
# Output: a gene of about 5 counts in all 60 control cells and none in 60 knocked-out cells: NaN; pts 0, pts_rest 1. A
#   gene that rises three-fold has a log2 fold change of 1.54 beside it. By hand: each of 60 cells is below each of 60.
# Guess: the target of a good knock-out is first in the list by p, or has a large finite fold change, as other tools give.
# Means: whoever drops NaN takes the on-target effect for untested, and a check of the knock-down fails for exactly the
#   guides that worked best. Read pts and pts_rest next to NaN: 0 against nearly all is an answer, not a missing value.
# Upstream: intended, and said in the comments of its source.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q crispyx==0.2.2 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import sys
from pathlib import Path

import anndata
import crispyx
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

folder = Path(sys.argv[1])
counts = 1 + np.random.default_rng(0).poisson(4, size=(120, 30)).astype(np.float32)
counts[60:, 0] = 0
counts[60:, 1] *= 3
cells = anndata.AnnData(
    csr_matrix(counts),
    obs=pd.DataFrame({"arm": ["NTC"] * 60 + ["KO"] * 60}, index=[f"c{i}" for i in range(120)]),
    var=pd.DataFrame(index=["target", "risen", *(f"G{i}" for i in range(28))]),
)
cells.write_h5ad(folder / "screen.h5ad")
result = crispyx.nb_glm_test(
    folder / "screen.h5ad", perturbation_column="arm", control_label="NTC", output_dir=folder, verbose=False
)
found = {name: np.asarray(getattr(result, name)).ravel()[:2] for name in ("logfoldchanges", "pvalues", "pts")}
found["pts_rest"] = np.asarray(result.pts_rest).ravel()[:2]
print(f"by hand: {counts[60:, 0].max():.0f} at most in KO, {counts[:60, 0].min():.0f} at least in controls")
print(pd.DataFrame(found, index=["target", "risen"]).to_string())

assert counts[60:, 0].max() < counts[:60, 0].min()
assert list(result.genes[:2]) == ["target", "risen"]
assert np.isnan(found["logfoldchanges"][0])
assert np.isnan(found["pvalues"][0])
assert found["pts"][0] == 0
assert found["pts_rest"][0] == 1
assert 1.2 < found["logfoldchanges"][1] < 1.8
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
