#!/bin/sh
# Finding: the standard errors (lfcSE) in inmoose's limma tables are the same for every gene, silent or noisy.
# Tools: inmoose 0.9.1
# Seen: topTable of one coefficient has log2FoldChange, lfcSE, stat and pvalue. lfcSE is what limma calls
#   stdev.unscaled, the part of a standard error that the design alone decides; it was not multiplied by the gene's
#   standard deviation. stat and pvalue are right. The limits by confint=True are minus and plus infinity, since True is
#   taken for a confidence of 1; by confint=0.95 they are right.
# Output: a gene whose samples differ by hundredths and one whose samples differ by units both have lfcSE 0.8165, the
#   square root of 1/3 + 1/3; the right ones are 0.085 and 1.449.
# Guess: lfcSE is the column of that name in DESeq2, and log2FoldChange / lfcSE is stat.
# Means: weights, meta-analysis, shrinkage (ashr) or z-scores made from these tables treat the noisiest gene as the most
#   certain one. Take log2FoldChange / stat as the standard error.
# Upstream: not reported, as far as we found; the column came with "harmonize diffexp results" (pull request 63).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q inmoose==0.9.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 patsy==1.0.3
cat > "$work/check.py" <<'PYTHON'
import warnings

import numpy as np
import pandas as pd
import patsy
from inmoose.limma import eBayes, lmFit, topTable

warnings.simplefilter("ignore")
wobble = np.array([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0])
spread = np.geomspace(0.05, 2, 40)[:, None]  # of each gene, from silent to noisy
rise = np.repeat([0.0, 1.0], 3)  # every gene is up by 1
genes = [f"G{i:02d}" for i in range(40)]
values = pd.DataFrame(5 + rise + wobble * spread, index=genes)
samples = pd.DataFrame({"condition": np.repeat(["control", "kd"], 3)})

fit = eBayes(lmFit(values, patsy.dmatrix("~condition", samples)))
table = topTable(fit, coef="condition[T.kd]", number=np.inf, confint=0.95)
endless = topTable(fit, coef="condition[T.kd]", number=np.inf, confint=True)
effect, error, stat, low, high = (
    pd.Series(np.asarray(table[column], dtype=float), index=list(table.index))[genes].to_numpy()
    for column in ("log2FoldChange", "lfcSE", "stat", "CI_L", "CI_R")
)
residual = np.asarray(values.T.groupby(samples["condition"].to_numpy()).var().mean())
moderated = (fit.df_prior * fit.s2_prior + 4 * residual) / (fit.df_prior + 4)
by_hand = np.sqrt(moderated * (1 / 3 + 1 / 3))
for gene in (0, 39):
    print(f"{genes[gene]}: effect {effect[gene]:.2f} lfcSE {error[gene]:.4f} stat {stat[gene]:.2f} "
          f"right error {by_hand[gene]:.3f} (effect / stat {effect[gene] / stat[gene]:.3f})")

assert np.allclose(effect, 1)
assert np.allclose(error, np.sqrt(2 / 3))
assert np.allclose(effect / stat, by_hand, rtol=1e-6)
assert np.isinf(np.asarray(endless["CI_R"], dtype=float)).all()
assert by_hand[39] / by_hand[0] > 10
assert (high - low)[39] / (high - low)[0] > 10
PYTHON
"$work/venv/bin/python" "$work/check.py"
