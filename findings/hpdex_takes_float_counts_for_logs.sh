#!/bin/sh
# Finding: hpdex takes counts that are stored as floats for logarithms, and its fold changes are exponentials of the means.
# Tools: hpdex 1.0.1
# Seen: parallel_differential_expression guesses that values of a float type are log1p where cells have fewer than 10,000 of
#   them in sum, and then gives expm1(mean) / expm1(mean). Droplet data have fewer, and AnnData holds counts as float32 as a
#   rule. The guess is not printed. Counts of an integer type are divided as they are. p-values are right in every case.
# Output: 300 genes, 950 molecules a cell, thirty genes doubled. As integers the doubled ones have fold changes from 1.5 to
#   3.7, as by hand; as float32 from 1.7 to 1,503, and unchanged genes from 0.6 to 3.0 in place of 0.8 to 1.2.
# Guess: "mean(target) / mean(reference)", as the readme says, and the same for the same numbers.
# Means: effects of well expressed genes grow without bound and nothing looks wrong in the p-values, so cut-offs on fold change
#   pick strongly expressed genes. Pass integers, or use_umi_fc=False, which the readme does not name.
# Upstream: not reported, as far as we found. pdex, which has a function of this name, guessed the other way round: it took
#   logarithms for counts (ArcInstitute/pdex issue 41).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q hpdex==1.0.1 anndata==0.12.19 numpy==2.1.3 pandas==2.3.3 scipy==1.15.3
cat > "$work/check.py" <<'PYTHON'
import logging
import warnings

warnings.simplefilter("ignore")
import anndata
import hpdex
import numpy as np
import pandas as pd
import scipy.sparse
from scipy.stats import mannwhitneyu

random = np.random.default_rng(0)
levels = random.lognormal(0, 1.5, size=300)
doubled = np.arange(300) < 30
knocked = np.arange(400) >= 200
counts = random.poisson(levels * np.where(np.outer(knocked, doubled), 2.0, 1.0))
cells = pd.DataFrame({"guide": pd.Categorical(np.where(knocked, "KO", "NTC"))}, index=[f"c{i}" for i in range(400)])


class Kept(logging.Handler):
    said: list[str] = []

    def emit(self, record):
        self.said.append(record.getMessage())


logging.getLogger().handlers = [Kept()]


def de(kind, **asked):
    data = anndata.AnnData(scipy.sparse.csr_matrix(counts.astype(kind)), obs=cells)
    table = hpdex.parallel_differential_expression(data, "guide", "NTC", threads=1, show_progress=False, **asked)
    return table["fold_change"].to_numpy(), table["p_value"].to_numpy()


steady = ~doubled & (levels > 1)
means = counts[knocked].mean(axis=0), counts[~knocked].mean(axis=0)
by_hand = means[0] / means[1]
p_by_hand = mannwhitneyu(counts[knocked], counts[~knocked], method="asymptotic").pvalue
found = {
    "integers": de(np.int64),
    "float32": de(np.float32),
    "float32, use_umi_fc=False": de(np.float32, use_umi_fc=False),
    "by hand": (by_hand, p_by_hand),
}
print(f"molecules per cell {counts.sum(axis=1).mean():.0f}")
for name, (fold, _) in found.items():
    print(
        f"{name:26s} doubled: median {np.median(fold[doubled]):5.2f}, from {fold[doubled].min():.2f} to "
        f"{fold[doubled].max():8.2f}; unchanged: from {fold[steady].min():.2f} to {fold[steady].max():.2f}"
    )

for name in ("integers", "float32, use_umi_fc=False"):
    assert np.allclose(found[name][0], by_hand)
assert np.allclose(found["float32"][0], np.expm1(means[0]) / np.expm1(means[1]), rtol=1e-3)
assert found["float32"][0][doubled].max() > 100
assert by_hand[doubled].max() < 4
assert all(np.allclose(p, p_by_hand) for _, p in found.values())
assert Kept.said
assert not [line for line in Kept.said if "log1p" in line.lower() or "expm1" in line.lower()]
PYTHON
"$work/venv/bin/python" "$work/check.py"
