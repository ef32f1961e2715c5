#!/bin/sh
# Finding: pyturbseq's z-scores within batches are cut to whole numbers where the counts are integers.
# Tools: pyturbseq 0.1.0 (anndata 0.12.19)
# Seen: zscore(covariates=["batch"]) writes into an array of the counts' own type, which drops the decimals toward 0. Without
#   covariates, and of counts stored as floats, the same call gives full z-scores.
# Output: 200 cells of one batch, 50 genes. From integer counts 68 % of the z-scores are exactly 0, the controls have a standard
#   deviation of 0.69 and an effect of -0.33 on ten genes is -0.18; from the same counts as floats these are 0 %, 1.00 and
#   -0.33, as by hand.
# Guess: naming the only batch there is changes nothing, and the type of counts does not matter.
# Means: mild effects, which are most effects of a screen, shrink to about half, and strong ones by less, so profiles and their
#   correlations change too. Convert X to float before; the type of the result tells.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyturbseq==0.1.0 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.15.3 scikit-learn==1.9.1 pydeseq2==0.5.4 hdbscan==0.8.44 dcor==0.7
cat > "$work/check.py" <<'PYTHON'
import contextlib
import io
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import pandas as pd
import pyturbseq
import scipy.sparse

random = np.random.default_rng(0)
means = np.full((200, 50), 20.0)
means[100:, :10] *= 0.9  # a mild effect on ten genes
counts = random.poisson(means)
arm = np.repeat(["NTC", "KO"], 100)
cells = pd.DataFrame({"perturbation": arm, "batch": "b1"}, index=[f"c{i}" for i in range(200)])


def z(kind, **asked):
    data = anndata.AnnData(scipy.sparse.csr_matrix(counts.astype(kind)), obs=cells)
    with contextlib.redirect_stdout(io.StringIO()):
        return pyturbseq.utils.zscore(data, ref_col="perturbation", ref_val="NTC", **asked)


depth = counts.sum(axis=1, keepdims=True)
scaled = counts * np.median(depth) / depth
controls = scaled[arm == "NTC"]
found = {
    "integers, by batch": z(np.int64, covariates=["batch"]),
    "floats, by batch": z(np.float64, covariates=["batch"]),
    "integers, no batch": z(np.int64),
    "by hand": (scaled - controls.mean(axis=0)) / controls.std(axis=0),
}
for name, values in found.items():
    spread = values[arm == "NTC"].std()
    effect = values[arm == "KO", :10].mean()
    print(f"{name:19s} {values.dtype}: {(values == 0).mean():4.0%} are 0, SD of controls {spread:.2f}, effect {effect:.2f}")

for name in ("floats, by batch", "integers, no batch"):
    assert np.allclose(found[name], found["by hand"])
assert np.array_equal(found["integers, by batch"], np.trunc(found["by hand"]))
assert (found["integers, by batch"] == 0).mean() > 0.6
assert (found["by hand"] == 0).mean() < 0.01
assert abs(found["integers, by batch"][arm == "KO", :10].mean()) < 0.85 * abs(found["by hand"][arm == "KO", :10].mean())
PYTHON
"$work/venv/bin/python" "$work/check.py"
