#!/bin/sh
# Finding: zfc takes a guide that was not counted for one that was lost: a gene missing in one sample is the best hit.
# Tools: zfc 0.2.1
# Seen: missing identifiers and negative counts are refused by name; missing counts, which stand beside these checks, are
#   filled with 0 without a word, before normalising. A guide without a count in the treated sample is fully depleted.
# Output: a screen in which nothing happens. The four guides of one gene have no value in the treated sample: zlfc -30.0
#   (the next gene: -1.7), p 0, RRA 2e-10. Without their rows no gene has an adjusted RRA below 0.05.
# Guess: missing counts are refused like missing names, or their rows are left out.
# Means: an outer join of the counts of two libraries, lanes or time points makes essential genes of whatever one of them
#   did not have. Drop or impute missing counts before, and say which guides that concerned.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q zfc==0.2.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2
cat > "$work/check.py" <<'PYTHON'
import numpy as np
import pandas as pd
from zfc.zfoldchange import zfoldchange

random = np.random.default_rng(0)
abundance = random.lognormal(6, 0.5, size=1600)
library = pd.DataFrame(
    {
        "gene": np.repeat([f"G{i:03d}" for i in range(400)], 4),
        "guide": [f"g{i:04d}" for i in range(1600)],
        "barcode": "b",
        "ctrl": random.poisson(abundance),
    }
)
treated = pd.DataFrame({"guide": library["guide"], "exp": random.poisson(abundance)})
treated = treated[(library["gene"] != "G007").to_numpy()]  # these four guides were not counted there
joined = library.merge(treated, on="guide", how="outer")
columns = ["zlfc", "p", "RRA_Score_down", "RRA_Score_down_adj"]

found = zfoldchange(joined, seed=0)[2].sort_values("zlfc")[columns]
without = zfoldchange(joined.dropna().reset_index(drop=True), seed=0)[2].sort_values("zlfc")[columns]
print(f"{joined['exp'].isna().sum()} of {len(joined)} counts are missing")
print("with missing counts:", found.head(3).to_string(), sep="\n")
print("without their rows:", without.head(3).to_string(), sep="\n")

assert joined["exp"].isna().sum() == 4
assert found.index[0] == "G007"
assert found["zlfc"].iloc[0] < -20
assert found["zlfc"].iloc[1] > -3
assert found["p"].iloc[0] == 0
assert found["RRA_Score_down_adj"].iloc[0] < 1e-5
assert "G007" not in without.index
assert without["RRA_Score_down_adj"].min() > 0.05
PYTHON
"$work/venv/bin/python" "$work/check.py"
