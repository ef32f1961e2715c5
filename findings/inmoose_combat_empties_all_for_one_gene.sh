#!/bin/sh
# Finding: one gene without variance makes inmoose's ComBat return NaN for every gene of every sample.
# Tools: inmoose 0.9.1
# Seen: pycombat_norm standardises each gene by its pooled variance. For a constant gene that is 0 / 0, and the NaN passes
#   through the prior, which is shared by all genes, into the whole result. The shape is right, and no exception is raised.
# Output: 20 genes in two batches of four: 0 of 160 values are NaN; with one gene all 0: 160 of 160. A gene that is
#   constant in one batch only does no harm.
# Guess: as in sva's ComBat in R, a gene that does not vary is left as it is; at worst that gene is lost.
# Means: a gene that no sample expresses is in every full-length table of pseudobulks, so the corrected table is empty, and
#   steps that skip NaN go on with nothing. Take out genes of zero variance first, and count NaN afterwards.
# Upstream: reported for its predecessors (epigenelabs/pyComBat 27, brentp/combat.py 11), none found for inmoose.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q inmoose==0.9.1 numpy==2.4.6 pandas==2.3.3
cat > "$work/check.py" <<'PYTHON'
import warnings

import numpy as np
import pandas as pd
from inmoose.pycombat import pycombat_norm

warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's "invalid value" is all that is said
table = pd.DataFrame(np.random.default_rng(0).normal(8, 1, size=(20, 8)))
batches = [0, 0, 0, 0, 1, 1, 1, 1]
silent, half = table.copy(), table.copy()
silent.iloc[0] = 0.0
half.iloc[0, :4] = 3.0


def lost(values):
    corrected = pycombat_norm(values, batches).to_numpy()
    assert corrected.shape == (20, 8)
    return int(np.isnan(corrected).sum())


print(f"NaN of 160: as it is {lost(table)}, one gene 0 {lost(silent)}, one gene constant in a batch {lost(half)}")
print(f"without the gene {int(np.isnan(pycombat_norm(silent.iloc[1:], batches).to_numpy()).sum())}")

assert lost(table) == lost(half) == 0
assert lost(silent) == 160
PYTHON
"$work/venv/bin/python" "$work/check.py"
