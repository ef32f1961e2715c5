#!/bin/sh
# Finding: pFLEX's correlations of genes that are missing in some screens exceed 1, and such pairs lead its ranking.
# Tools: pflex 1.7.0 (numpy 2.4.6)
# Seen: perform_corr with corr_function="numpy", the default, takes numpy.ma.corrcoef of all genes at once. It divides the
#   covariance over the screens that two genes share by standard deviations over all screens that each of them has.
# Output: a gene and its copy that is there in 15 of 40 screens only: 1.47 if these are the strong screens, 0.72 if they are
#   weak ones; the right one is 1 both times. Of 200 genes in 40 complexes, three in ten of them in the 15 strong screens
#   only, 19 pairs exceed 1 and lead, and of the best 300 pairs 17 % are of one complex, of the best by pairwise Pearson 30 %.
# Guess: masked values are left out pair by pair, as pandas does, which is pFLEX's other choice for this.
# Means: genes that only one library has look most alike where their screens are strong, and benchmarks of screens with
#   missing values are of the gaps as well. Set corr_function="pandas", or preprocessing fill_na or drop_na.
# Upstream: numpy/numpy 15601 and 20586 (open) have it of numpy.ma.corrcoef; of pFLEX it is not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pflex==1.7.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1 numba==0.68.1 matplotlib==3.11.2
cat > "$work/check.py" <<'PYTHON'
import logging
import warnings

warnings.simplefilter("ignore")
logging.getLogger("matplotlib").setLevel(logging.ERROR)
import numpy as np
import pandas as pd
import pflex

pflex.log.set_visible_levels([])
chance = np.random.default_rng(0)
genes = [f"C{i // 5:02d}G{i % 5}" for i in range(200)]
values = np.repeat(chance.normal(size=(40, 40)), 5, axis=0) + 1.2 * chance.normal(size=(200, 40))
values[:, :15] *= 2  # the strong screens
whole = pd.DataFrame(values, index=genes, columns=[f"screen{i:02d}" for i in range(40)])
strong, weak = whole.columns[:15], whole.columns[15:30]

copies = pd.DataFrame({"gene": whole.iloc[0], "strong": whole.iloc[0][strong], "weak": whole.iloc[0][weak]}).T
for name in ("numpy", "pandas"):
    of_copies = pflex.perform_corr(copies, name).loc["gene"]
    print(f"{name:6s} a gene and its copy in strong screens {of_copies['strong']:.2f}, in weak ones {of_copies['weak']:.2f}")
    assert np.isclose(of_copies["strong"], 1) == np.isclose(of_copies["weak"], 1) == (name == "pandas")
by_numpy = pflex.perform_corr(copies, "numpy").loc["gene"]
assert by_numpy["strong"] > 1.2
assert by_numpy["weak"] < 0.9

screens = whole.copy()
screens.loc[np.array(genes)[chance.random(200) < 0.3], whole.columns[15:]] = np.nan
members = whole.groupby(lambda gene: gene[:3]).groups
standard = pd.DataFrame({"ID": range(40), "Name": list(members), "Genes": [";".join(each) for each in members.values()]})
standard.to_csv("standard.csv", index=False)
beyond, precision = {}, {}
for name in ("numpy", "pandas"):
    settings = {"functional_standard": "standard.csv", "corr_function": name, "logging": {"visible_levels": []}}
    pflex.initialize(settings)
    data, _ = pflex.load_datasets({"screens": screens})
    pflex.load_functional_standard()
    pairs = pflex.pra("screens", data["screens"])
    beyond[name] = int((pairs["score"] > 1 + 1e-9).sum())
    assert pairs["score"].is_monotonic_decreasing
    precision[name] = float(pairs["precision"].iloc[299])
    print(f"{name:6s} pairs beyond 1: {beyond[name]}; of one complex, of the best 300: {precision[name]:.0%}")

assert beyond["numpy"] > 10
assert beyond["pandas"] == 0
assert precision["numpy"] < 0.75 * precision["pandas"]
PYTHON
cd "$work"
"$work/venv/bin/python" "$work/check.py"
