#!/bin/sh
# Finding: the moderated z-score of pycytominer, and of cmapPy, takes a missing value for 0 and keeps its weight.
# Tools: pycytominer 1.7.1, cmapPy 4.0.1 (numpy 1.23.5, which it needs)
# Seen: the replicates are weighted by their correlations, which leave missing values out; then value times weight is summed
#   with missing products as nothing, while the weights of a replicate without a value stay in the whole of 1.
# Output: a gene at 4 in each of three replicates has the consensus 4.00; measured in two of them it has 2.67, in one 1.34,
#   in none 0.00. The weighted mean of what was measured is 4 each time, and missing for the last, and so say pycytominer's
#   own "mean" and "median". A single replicate with a missing value has 0.00 as well.
# Guess: a weighted mean of the replicates that have the gene, or a missing value.
# Means: consensus (level 5) signatures of replicates with different gene panels or with failed wells are drawn to "no
#   effect" gene by gene, and genes that nobody measured look unchanged. Fill or drop them before, or divide the result
#   by the sum of the weights of those that were measured.
# Upstream: not reported, as far as we found; cytomining/pycytominer 162 is of missing values in the keys of the replicates.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/profiles"
"$work/profiles/bin/pip" install -q pycytominer==1.7.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1
python3 -m venv "$work/cmap"
"$work/cmap/bin/pip" install -q cmapPy==4.0.1 numpy==1.23.5 pandas==1.5.3
cat > "$work/signatures.py" <<'PYTHON'
import numpy as np
import pandas as pd

missing = {"in three": [], "in two": [0], "in one": [0, 1], "in none": [0, 1, 2]}
genes = [*missing, *(f"G{i:02d}" for i in range(40))]
chance = np.random.default_rng(0)
effects = chance.normal(0, 2, size=40)
replicates = pd.DataFrame(np.full((3, 44), 4.0), columns=genes)
replicates.iloc[:, 4:] = effects + chance.normal(0, 0.2, size=(3, 40))
for gene, without in missing.items():
    replicates.loc[without, gene] = np.nan


def show(name, values):
    print(f"{name:24s}", {gene: round(float(values[gene]), 2) for gene in missing})
PYTHON
cat > "$work/profiles.py" <<'PYTHON'
import numpy as np
from pycytominer import consensus
from signatures import genes, missing, replicates, show

profiles = replicates.assign(Metadata_drug="drug")
found = {}
for operation in ("modz", "mean", "median"):
    table = consensus(profiles, replicate_columns=["Metadata_drug"], operation=operation, features=genes)
    found[operation] = table.iloc[0]
    show(f"pycytominer {operation}", found[operation])
alone = consensus(profiles.iloc[[0]], ["Metadata_drug"], "modz", features=genes).iloc[0]
show("pycytominer modz, 1 of 3", alone)

measured = replicates.notna().sum()
for gene in missing:
    assert np.isclose(found["modz"][gene], 4 * measured[gene] / 3, atol=0.02)
    assert np.isclose(found["mean"][gene], 4) if measured[gene] else np.isnan(found["mean"][gene])
    assert np.isclose(found["median"][gene], 4) if measured[gene] else np.isnan(found["median"][gene])
assert alone["in three"] == 4
assert alone["in two"] == 0
PYTHON
cat > "$work/cmap.py" <<'PYTHON'
import numpy as np
from cmapPy.math.agg_wt_avg import agg_wt_avg
from signatures import missing, replicates, show

values, _, _, weights = agg_wt_avg(replicates.T)
show("cmapPy agg_wt_avg", values)
there = replicates.notna()
by_hand = (replicates.mul(weights, axis=0).sum() / there.mul(weights, axis=0).sum()).where(there.any())
show("by hand", by_hand)

for gene in missing:
    assert np.isclose(values[gene], 4 * there[gene].sum() / 3, atol=0.02)
    assert np.isclose(by_hand[gene], 4) if there[gene].any() else np.isnan(by_hand[gene])
PYTHON
"$work/profiles/bin/python" -W ignore "$work/profiles.py"
"$work/cmap/bin/python" -W ignore "$work/cmap.py"
