#!/bin/sh
# Finding: the centroids of pertpy's CentroidSpace are single cells: arms in which nothing happens are far from the control.
# Tools: pertpy 1.0.3, the last one for Python 3.11 (scanpy 1.11.5, statsmodels 0.14.5); 1.4.0 printed the same
# Seen: compute() takes the mean of each perturbation's cells in the embedding, and then returns the one cell nearest to it.
#   In twenty dimensions the nearest of 200 cells is still about 0.6 of the usual distance away, of 2,000 cells 0.5.
# Output: distances to the control's centroid, in 20 dimensions, 200 cells an arm: 4.40 and 3.76 for two arms of the same
#   distribution, 4.94 for one that is shifted by 1 in each dimension. By the means of the same cells: 0.49, 0.49 and 4.58.
#   With 2,000 cells an arm it is 3.76, 3.42 and 4.71; by the means 0.15, 0.15 and 4.48.
# Guess: "Computes the centroids per perturbation", "storing the embedding data of the centroid": the means.
# Means: distances, clusters and arithmetic (add, subtract, compute_control_diff) of perturbations by these centroids are
#   mostly about which cell was drawn, and strength of effect cannot be read off. Take the means of the embedding, such as
#   by PseudobulkSpace with mode="mean" and embedding_key.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pertpy==1.0.3 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1 statsmodels==0.14.5 jax==0.10.2 numpyro==0.22.0 ott-jax==0.6.0 filelock==4.3.1
cat > "$work/check.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import pandas as pd
import pertpy


def to_control(table):
    table = pd.DataFrame(table.to_numpy(), index=table.index.astype(str))
    return np.sqrt(((table - table.loc["control"]) ** 2).sum(axis=1))[["same", "same too", "shifted"]]


found = {}
for n in (200, 2000):
    arm = np.repeat(["control", "same", "same too", "shifted"], n)
    cells = np.random.default_rng(0).normal(size=(4 * n, 20))
    cells[arm == "shifted"] += 1
    data = anndata.AnnData(
        np.zeros((4 * n, 1)),
        obs=pd.DataFrame({"perturbation": arm}, index=[f"c{i}" for i in range(4 * n)]),
        obsm={"X_pca": cells},
    )
    space = pertpy.tl.CentroidSpace().compute(data, embedding_key="X_pca")
    assert all((cells == centroid).all(axis=1).any() for centroid in space.X)  # each is one of the cells
    bulk = pertpy.tl.PseudobulkSpace().compute(data.copy(), mode="mean", embedding_key="X_pca")
    means = pd.DataFrame(cells).groupby(arm).mean()
    assert np.allclose(bulk.to_df().loc[means.index], means)
    found[n] = to_control(space.to_df()), to_control(means)
    for name, distances in zip(("CentroidSpace", "means"), found[n], strict=True):
        print(f"{n:5d} cells an arm, to the control by {name:13s}", distances.round(2).to_dict())

for centroids, means in found.values():
    assert np.isclose(means["shifted"], np.sqrt(20), atol=0.2)
    assert means[["same", "same too"]].max() < 0.6
    assert centroids[["same", "same too"]].min() > 3
    assert centroids["shifted"] < 1.8 * centroids[["same", "same too"]].min()
PYTHON
"$work/venv/bin/python" "$work/check.py"
