#!/bin/sh
# Finding: poola scales positive controls that are enriched to -1, also when it is told that they are enriched.
# Tools: poola 0.0.22
# Seen: the scaled score is 0 at the median of the negative controls and -1 at that of the positive ones, always.
#   pos_control_direction=1 ("direction in which positive controls score") turns the probability of being like a positive
#   control that stands beside it, and nothing else.
# Output: guides of a resistance gene with log2 fold changes about 3, negative controls about 0, pos_control_direction=1:
#   control_scaled -1.00 and probability 0.96 for the positive controls, +0.33 and 0.00 for a gene that is lost by 1.
# Guess: with the direction given, the scaled score keeps the sign of the fold change, and more is more enriched.
# Means: in a positive selection the strongest hits are at the bottom of that column, and joined with screens for loss of
#   fitness resistance looks like sensitivity. Multiply it by minus the direction, and compare it with the fold change.
# Upstream: none found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q poola==0.0.22 scikit-learn==1.9.1 statsmodels==0.15.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import numpy as np
import pandas as pd
import poola.core

chance = np.random.default_rng(0)
means = {"POSITIVE": 3.0, "NEGATIVE": 0.0, "LOST": -1.0, "STRONG": 6.0}
guides = pd.DataFrame({"gene": np.repeat(list(means), 20)}, index=[f"guide{i:02d}" for i in range(80)])
noise = chance.normal(0, 0.2, size=(4, 20))
changes = np.repeat(list(means.values()), 20) + (noise - np.median(noise, axis=1, keepdims=True)).ravel()
screen = pd.DataFrame({"guide": guides.index, "condition": "drug", "avg_lfc": changes})

medians = {}
for direction in (1, -1):  # a screen for resistance, and its mirror image for loss of fitness
    table = poola.core.annotate_guide_lfcs(
        screen.assign(avg_lfc=direction * changes),
        guides.rename_axis("guide").reset_index(),
        "gene",
        merge_on="guide",
        scale_ctls=True,
        scale_neg_ctl_genes=["NEGATIVE"],
        scale_pos_ctl_genes=["POSITIVE"],
        pos_control_direction=direction,
    )
    medians[direction] = table.groupby("gene")[
        ["avg_lfc", "control_scaled_avg_lfc", "probability_positive_control"]
    ].median()
    print(f"pos_control_direction={direction}")
    print(medians[direction].round(2).to_string())

enriched, lost = medians[1], medians[-1]
by_hand = (enriched["avg_lfc"] - 0) / (0 - 3)  # less the negative controls, by negative less positive ones
assert np.allclose(enriched["control_scaled_avg_lfc"], by_hand)
assert np.isclose(enriched.loc["POSITIVE", "avg_lfc"], 3)
assert np.isclose(enriched.loc["POSITIVE", "control_scaled_avg_lfc"], -1)
assert enriched.loc["STRONG", "control_scaled_avg_lfc"] < -1.9
assert enriched.loc["LOST", "control_scaled_avg_lfc"] > 0.3
assert enriched.loc["POSITIVE", "probability_positive_control"] > 0.9
assert np.allclose(enriched["control_scaled_avg_lfc"], lost["control_scaled_avg_lfc"])
PYTHON
"$work/venv/bin/python" "$work/check.py"
