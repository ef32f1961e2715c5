#!/bin/sh
# Finding: gssnng scores DNA repair upside down, because of the letters DN in its name.
# Tools: gssnng 0.5.0 (scanpy 1.10.4, scipy 1.13.1)
# Seen: with_gene_sets takes a gene set for one of up-regulated genes where its name has "UP" anywhere, and else for
#   down-regulated ones where it has "DN" anywhere: HALLMARK_DNA_REPAIR and KIDNEY are down, GROUP_1 is up. A
#   down set is scored by the reversed ranks. Names without either are undirected, by distance from the middle.
# Output: fifteen genes, high in ten cells and low in ten, as one set under five names. Named REPAIR_UP its mean rank is 93 of
#   100 in the first and 8 in the others, as by hand; as HALLMARK_DNA_REPAIR or KIDNEY it is 7 and 92. singscore is 0.50
#   and -0.50, and -0.51 and 0.49.
# Guess: the direction is told by the suffix, "_UP" or "_DN", as documented.
# Means: MSigDB has hundreds of sets on DNA. Their scores rise where the pathway falls, beside others that are right. Rename
#   the sets, all with the suffix _UP, before writing the gmt.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q gssnng==0.5.0 scanpy==1.10.4 anndata==0.10.9 numpy==1.26.4 scipy==1.13.1 pandas==2.2.3 numba==0.60.0 statsmodels==0.14.4 scikit-learn==1.5.2 matplotlib==3.9.2
cat > "$work/check.py" <<'PYTHON'
import contextlib
import io
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import anndata
import numpy as np
import pandas as pd
import scanpy
import scipy.sparse
from gssnng import score_cells

random = np.random.default_rng(0)
genes = [f"G{i:03d}" for i in range(100)]
levels = random.lognormal(0, 0.3, size=(20, 100))
levels[:10, :15] *= 5  # the first ten cells express the set, the others hardly
levels[10:, :15] /= 5
cells = pd.DataFrame({"all": "all", "arm": np.repeat(["high", "low"], 10)}, index=[f"c{i}" for i in range(20)])
NAMES = ["REPAIR_UP", "REPAIRED_DN", "HALLMARK_DNA_REPAIR", "KIDNEY", "GROUP_1"]  # all of the same 15 genes
sets = Path(sys.argv[1]) / "sets.gmt"
sets.write_text("".join("\t".join([name, "made up", *genes[:15]]) + "\n" for name in NAMES))


def scored(method, parameters):
    data = anndata.AnnData(scipy.sparse.csr_matrix(levels), obs=cells.copy(), var=pd.DataFrame(index=genes))
    scanpy.pp.neighbors(data, n_neighbors=5, use_rep="X")  # asked for also where nothing is smoothed
    with contextlib.redirect_stdout(io.StringIO()):
        data = score_cells.with_gene_sets(data, str(sets), "all", "off", 0, method, parameters, True, 1)
    return data.obs.groupby("arm")[NAMES].mean().T


def main():
    ranks = scored("average_score", {})
    by_hand = pd.DataFrame(levels, index=cells.index).rank(axis=1).iloc[:, :15].mean(axis=1).groupby(cells["arm"]).mean()
    singscore = scored("singscore", {"normalization": "theoretical"})
    print("mean rank\n", ranks.round(1).to_string(), "\nby hand", by_hand.round(1).to_dict())
    print("singscore\n", singscore.round(2).to_string())

    for table in (ranks, singscore):
        rises = table["high"] > table["low"]
        assert rises["REPAIR_UP"]
        assert rises["GROUP_1"]
        assert not rises[["REPAIRED_DN", "HALLMARK_DNA_REPAIR", "KIDNEY"]].any()
        assert np.allclose(table.loc["HALLMARK_DNA_REPAIR"], table.loc["REPAIRED_DN"])
    assert np.allclose(ranks.loc["REPAIR_UP"], by_hand)


if __name__ == "__main__":
    main()
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
