#!/bin/sh
# Finding: gssnng drops the genes with a negative weight of a network, and scores the others without direction.
# Tools: gssnng 0.5.0 (scanpy 1.10.4, scipy 1.13.1)
# Seen: run_gssnng takes decoupler's networks with a column of weights. It sorts the genes by the sign of their weight into up
#   and down, and then makes every set an undirected one of the up genes: by singscore the distance of ranks from the middle,
#   whichever side. A set whose genes were all silenced scores as high as one that is fully expressed.
# Output: a factor with fifteen targets it turns on and fifteen it turns off. Cells where it is on score 0.92, and those where
#   it is off, and every target is on the other side, 0.89. Without the negative weights the scores are the same to the last
#   digit. The same genes as TF_UP and TF_DN of a gmt score 0.99 and -1.01.
# Guess: weights count as in decoupler, whose format it is; the function says that it adjusts the two lists of genes by weight.
# Means: scores of regulons and PROGENy pathways say that something happens, never which way, and targets that are repressed
#   have no say. Write the network as a gmt with _UP and _DN sets and use with_gene_sets, which does take the difference.
# Upstream: IlyaLab/gssnng 18 (open, 2023) asks whether the direction is used at all; that it is dropped is not there.
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
active, repressed = slice(0, 15), slice(15, 30)  # targets that the factor turns on, and off
levels[:10, active] *= 5
levels[:10, repressed] /= 5
levels[10:, active] /= 5  # in the last ten cells the factor is off
levels[10:, repressed] *= 5
cells = pd.DataFrame({"all": "all", "factor": np.repeat(["on", "off"], 10)}, index=[f"c{i}" for i in range(20)])
whole = pd.DataFrame({"source": "TF", "target": genes[:30], "weight": np.repeat([1, -1], 15)})
PARAMETERS = {"normalization": "theoretical"}
work = Path(sys.argv[1])
(work / "sets.gmt").write_text("".join("\t".join([f"TF_{way}", "made up", *genes[which]]) + "\n" for way, which in (
    ("UP", active), ("DN", repressed))))


def new():
    data = anndata.AnnData(scipy.sparse.csr_matrix(levels), obs=cells.copy(), var=pd.DataFrame(index=genes))
    scanpy.pp.neighbors(data, n_neighbors=5, use_rep="X")  # asked for also where nothing is smoothed
    return data


def by_network(network):
    data = new()
    with contextlib.redirect_stdout(io.StringIO()):
        score_cells.run_gssnng(
            data, network, "source", "target", "weight", "all", "off", 0, "singscore", PARAMETERS, True, 1
        )
    return data.obsm["gssnng_estimate"]["TF"]


def by_gmt():
    with contextlib.redirect_stdout(io.StringIO()):
        data = score_cells.with_gene_sets(
            new(), str(work / "sets.gmt"), "all", "off", 0, "singscore", PARAMETERS, True, 1
        )
    return data.obs["TF"]


def main():
    scores = {
        "network": by_network(whole),
        "positive weights alone": by_network(whole[whole["weight"] > 0]),
        "gmt with _UP and _DN": by_gmt(),
    }
    means = pd.DataFrame({name: score.groupby(cells["factor"]).mean() for name, score in scores.items()}).T
    print(means.round(2).to_string())

    assert scores["network"].equals(scores["positive weights alone"])
    assert means.loc["network"].min() > 0.85
    assert abs(means.loc["network", "on"] - means.loc["network", "off"]) < 0.05
    assert means.loc["gmt with _UP and _DN", "on"] > 0.8
    assert means.loc["gmt with _UP and _DN", "off"] < -0.8


if __name__ == "__main__":
    main()
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
