#!/bin/sh
# Finding: pyturbseq measures knock-downs against the cells without a guide call as well as the controls it is told.
# Tools: pyturbseq 0.1.0 (scanpy 1.11.5)
# Seen: calculate_target_change(control_value="NTC") takes for reference every cell that carries no perturbation, which are
#   the controls and all cells whose label is missing. parse_CR_h5 leaves NaN for every cell that Cell Ranger gave no guide,
#   usually a fifth to a half of all.
# Output: 400 controls with 10 molecules of GATA1, 200 cells with its guide and 2, and 600 cells without a call, most of which
#   do not express it. The change is said to be -59 %, of a reference mean of 4.9; from the controls, and by pyturbseq
#   without the uncalled cells, it is -80 % of 9.9. A guide that does nothing is said to raise its target MYC by 98 %.
# Guess: control_value is "Value in `perturbation_column` to use as the reference", as documented.
# Means: knock-down, z-scores and log fold changes of targets depend on how many cells were not called and on what these
#   are. Drop the cells without a label before.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyturbseq==0.1.0 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.15.3 scikit-learn==1.9.1 pydeseq2==0.5.4 hdbscan==0.8.44 dcor==0.7
cat > "$work/check.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import pandas as pd
import pyturbseq
import scipy.sparse

random = np.random.default_rng(0)
labels = np.repeat(np.array(["NTC", "GATA1", "MYC", None], dtype=object), [400, 200, 200, 600])
genes = ["GATA1", "MYC", "REST"]
means = np.tile([10.0, 10.0, 0.0], (len(labels), 1))
means[labels == "GATA1", 0] = 2.0  # its guide knocks it down; that of MYC does nothing
uncalled = pd.isna(labels)
means[uncalled, :2] = np.where(np.arange(uncalled.sum()) < 510, 0.2, 10.0)[:, None]  # mostly of another type
counts = random.poisson(means).astype(np.float32)
counts[:, 2] = 1000 - counts[:, :2].sum(axis=1)  # every cell has 1,000 molecules
cells = anndata.AnnData(
    scipy.sparse.csr_matrix(counts),
    obs=pd.DataFrame({"guide": labels}, index=[f"c{i}" for i in range(len(labels))]),
    var=pd.DataFrame(index=genes),
)


def change(chosen, target):
    data = chosen.copy()
    pyturbseq.utils.calculate_target_change(data, "guide", control_value="NTC", quiet=True)
    of = data.obs[data.obs["guide"] == target]
    return of["target_pct_change"].mean(), of["target_reference_mean"].iloc[0]


called = cells[cells.obs["guide"].notna()]
found = {}
for target in ("GATA1", "MYC"):
    column = genes.index(target)
    control, arm = counts[labels == "NTC", column].mean(), counts[labels == target, column].mean()
    found[target] = change(cells, target), change(called, target), (100 * (arm / control - 1), control)
    for name, (percent, reference) in zip(("all cells", "called cells", "by hand"), found[target]):
        print(f"{target:6s} {name:13s} change {percent:6.1f} %, reference {reference:.2f}")

for everyone, those_called, by_hand in found.values():
    assert np.allclose(those_called, by_hand, rtol=1e-4)
    assert by_hand[1] > 9.5
    assert everyone[1] < 6
assert found["GATA1"][2][0] < -75
assert found["GATA1"][0][0] > -65
assert abs(found["MYC"][2][0]) < 5
assert found["MYC"][0][0] > 80
PYTHON
"$work/venv/bin/python" "$work/check.py"
