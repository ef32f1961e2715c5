#!/bin/sh
# Finding: which genes change in any condition, by inmoose's limma: all that are expressed, or 2 to 18 times too many.
# Tools: inmoose 0.9.1
# Seen: eBayes moderates each gene's variance and says with how many degrees of freedom; the t test of one coefficient
#   uses them, the F test of several does not: it is that of infinitely many. And topTable(coef=[two of three]) gives
#   the F of all three, the intercept among them, where limma computes it anew for what is asked.
# Output: of 5,000 genes where nothing happens, three conditions of three samples, topTable of both knock-downs gives
#   p < 0.05 for 99.8 %. By contrasts that leave the intercept out 9.7 % have p < 0.05 and 1.4 % p < 0.001; the same F
#   with the degrees of freedom that the fit names: 5.2 % and 0.1 %.
# Guess: a port of limma gives limma's p, and what holds for its t holds for its F.
# Means: filters by the F test pass nothing but noise in a screen with few replicates. Take the t test of each contrast,
#   or compute the p of the F of contrasts_fit from df_prior + df_residual yourself.
# Upstream: not reported, as far as we found.
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
from inmoose.limma import contrasts_fit, eBayes, lmFit, topTable
from scipy import stats

warnings.simplefilter("ignore")
chance = np.random.default_rng(0)
variances = 1 / chance.gamma(2, 1 / 2, size=(5000, 1))  # an inverse gamma: the model of limma itself
values = pd.DataFrame(5 + chance.normal(size=(5000, 9)) * np.sqrt(variances))
samples = pd.DataFrame({"condition": np.repeat(["control", "kd1", "kd2"], 3)})


def column(table, name):
    return np.asarray(table[name], dtype=float)


with_intercept = eBayes(lmFit(values, patsy.dmatrix("~condition", samples)))
both = ["condition[T.kd1]", "condition[T.kd2]"]
of_both = column(topTable(with_intercept, coef=both, number=np.inf), "pvalue")
of_one = column(topTable(with_intercept, coef=both[0], number=np.inf), "pvalue")

means = lmFit(values, patsy.dmatrix("~0 + condition", samples))
contrasts = pd.DataFrame([[-1.0, -1], [1, 0], [0, 1]], index=means.coefficients.columns, columns=["kd1", "kd2"])
fit = eBayes(contrasts_fit(means, contrasts))
table = topTable(fit, number=np.inf)
f, of_contrasts = column(table, "F"), column(table, "pvalue")
finite = stats.f.sf(f, 2, 6 + fit.df_prior)

cells = values.to_numpy().reshape(5000, 3, 3)
residual = cells.var(axis=2, ddof=1).mean(axis=1)
moderated = (fit.df_prior * fit.s2_prior + 6 * residual) / (fit.df_prior + 6)
by_hand = (3 * cells.mean(axis=2).var(axis=1, ddof=1) / moderated)[list(table.index)]

print(f"degrees of freedom: {fit.df_prior:.2f} of the prior (drawn with 4), 6 of residuals")
print("share of p < 0.05 and p < 0.001 where nothing happens:")
for name, p in {"topTable of both coefficients": of_both, "topTable of contrasts": of_contrasts,
                "its F by finite degrees": finite, "t test of one": of_one}.items():
    print(f"  {name:30} {np.mean(p < 0.05):.4f} {np.mean(p < 0.001):.4f}")

assert np.mean(of_both < 0.05) > 0.95
assert np.allclose(f, by_hand)
assert np.allclose(of_contrasts, stats.chi2.sf(2 * f, 2), rtol=1e-6)  # F of (2, infinity)
assert np.mean(of_contrasts < 0.05) > 0.08
assert np.mean(of_contrasts < 0.001) > 0.01
for right in (finite, of_one):
    assert np.mean(right < 0.05) < 0.06
    assert np.mean(right < 0.001) < 0.003
PYTHON
"$work/venv/bin/python" "$work/check.py"
