#!/bin/sh
# Finding: ScreenPro2's score is relative to the control guides, its p-value is not: controls can be the best hits.
# Tools: ScreenPro2 0.7.0
# Seen: the phenotype score subtracts the median of the negative controls. The paired t test beside it, and its adjusted
#   p, take the counts without that. They are scaled by the median of ratios over all guides, so where most guides of a
#   library are lost, the guides without effect are the ones that changed.
# Output: 60 of 80 genes lose 1.5 log2 in a growth screen. By gene, lost ones have score -1.48 and median p = 1e-4; the
#   20 others have 0.02 and 2e-14, the pseudogenes of control guides 0.01 and 3e-14. All 160 have adjusted p < 0.05.
# Guess: a row's score and p are of one hypothesis, so a score of 0 has a large p, and controls show the rate of errors.
# Means: in focused libraries (essential genes, hits of a first screen) lists by p or by the combined score, which
#   multiplies the two, rank wrongly, and "significant" says nothing. Compare scores with those of the controls.
# Upstream: none found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ScreenPro2==0.7.0 biobear==0.23.7 simple_colors==0.1.5 bokeh==3.9.2 adjustText==1.4.0 polars==2.1.0 pydeseq2==0.5.4 scanpy==1.11.5 statsmodels==0.15.0 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import warnings

import anndata
import numpy as np
import pandas as pd
from scipy.stats import ttest_rel
from screenpro.assays import PooledScreens
from screenpro.phenoscore import runPhenoScore

warnings.simplefilter("ignore")
chance = np.random.default_rng(0)
kind = np.repeat(["lost", "unchanged", "negative_control"], [300, 100, 100])  # guides, five to a gene
genes = np.repeat([f"GENE{i:02d}" for i in range(80)], 5)
effect = np.where(kind == "lost", -1.5, 0.0)  # log2, at the end
abundance = chance.lognormal(6, 0.4, size=500)


def library(change):
    expected = abundance * 2.0**change
    expected *= 300_000 / expected.sum()
    return chance.negative_binomial(200, 200 / (200 + expected))


cells = anndata.AnnData(
    np.vstack([library(0 * effect) for _ in range(3)] + [library(effect) for _ in range(3)]).astype(float),
    obs=pd.DataFrame(
        {"condition": ["start"] * 3 + ["end"] * 3, "replicate": [1, 2, 3] * 2}, index=[f"s{i}" for i in range(6)]
    ),
    var=pd.DataFrame(
        {
            "target": np.r_[genes, ["negative_control"] * 100],
            "targetType": np.where(kind == "negative_control", kind, "gene"),
        },
        index=[f"guide{i:03d}" for i in range(500)],
    ),
)
np.random.seed(0)  # the pseudogenes draw control guides
screen = PooledScreens(cells)
screen.countNormalization()
_, result = runPhenoScore(screen.adata, "start", "end", "compare_guides")
lost = set(genes[kind[:400] == "lost"])
of_target = dict.fromkeys(lost, "lost") | {"negative_control": "control"}
result["kind"] = [of_target.get(name, "unchanged") for name in result["target"]]
by_kind = result.groupby("kind")[["score", "ttest pvalue"]].median()
by_kind["adjusted < 0.05"] = (result["BH adj_pvalue"] < 0.05).groupby(result["kind"]).mean()
by_kind["genes"] = result.groupby("kind").size()

log2 = np.log2(screen.adata.X)
relative = log2 - np.median(log2[:, kind == "negative_control"], axis=1)[:, None]
by_hand = {
    name: [ttest_rel(values[3:, :400][:, genes == name], values[:3, :400][:, genes == name], axis=None).pvalue
           for values in (log2, relative)]
    for name in ("GENE00", "GENE79")
}
print(by_kind.to_string())
for name, (plain, to_controls) in by_hand.items():
    said = result.loc[name, "ttest pvalue"]
    print(f"{name}: p {said:.2g}; by hand {plain:.2g}, relative to the controls {to_controls:.2g}")

assert (by_kind["genes"] == pd.Series({"control": 80, "lost": 60, "unchanged": 20})).all()
assert (by_kind["adjusted < 0.05"] == 1).all()
assert by_kind.loc["lost", "score"] < -1.4
assert by_kind.loc[["unchanged", "control"], "score"].abs().max() < 0.05
assert by_kind.loc[["unchanged", "control"], "ttest pvalue"].max() < 1e-11
assert by_kind.loc["lost", "ttest pvalue"] > 1e-6
for name, (plain, _) in by_hand.items():
    assert np.isclose(result.loc[name, "ttest pvalue"], plain, rtol=1e-6, atol=0)
assert by_hand["GENE00"][1] < 1e-11
assert by_hand["GENE79"][1] > 0.001
PYTHON
"$work/venv/bin/python" "$work/check.py"
