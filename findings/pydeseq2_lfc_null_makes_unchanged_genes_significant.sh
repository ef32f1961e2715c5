#!/bin/sh
# Finding: PyDESeq2 with a threshold lfc_null=1 reports the genes that do not change at all.
# Tools: pydeseq2 0.5.4
# Seen: lfc_null is the one value that is tested against, in both directions, unless alt_hypothesis is given. With 1 the
#   question is "is the log2 fold change other than +1?", which genes at 0 and at -2 answer best, and genes at +1 worst.
# Output: of 1,000 genes that do not change, 4 samples a side, 97 % have padj < 0.05 with lfc_null=1, and none with
#   alt_hypothesis="greaterAbs" in addition. Of those that are up two-fold 6 % have it.
# Guess: it is the lfcThreshold of DESeq2 in R, whose default alternative is "beyond the threshold on either side".
# Means: a stricter question gives a longer list, of genes whose log2FoldChange is near 0, and lists of two tools by "the
#   same threshold" have nothing in common. Always name the alternative together with lfc_null.
# Upstream: documented as the default of alt_hypothesis; scverse/PyDESeq2 172 (merged) tells other differences from R.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pydeseq2==0.5.4 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 anndata==0.12.19
cat > "$work/check.py" <<'PYTHON'
import numpy as np
import pandas as pd
from pydeseq2.dds import DeseqDataSet
from pydeseq2.ds import DeseqStats
from scipy.stats import norm

chance = np.random.default_rng(0)
change = np.repeat([0.0, 1.0, -2.0, 3.0], [1000, 50, 50, 50])  # log2
expected = chance.lognormal(5, 1, size=len(change)) * 2.0 ** np.outer(np.repeat([0, 1], 4), change)
samples = [f"s{i}" for i in range(8)]
counts = pd.DataFrame(chance.negative_binomial(20, 20 / (20 + expected)), samples, [f"G{i}" for i in range(len(change))])
conditions = pd.DataFrame({"condition": ["control"] * 4 + ["kd"] * 4}, index=samples)
data = DeseqDataSet(counts=counts, metadata=conditions, design="~condition", quiet=True, n_cpus=1)
data.deseq2()
shares = {}
for name, asked in {
    "lfc_null=1": {"lfc_null": 1.0},
    "and greaterAbs": {"lfc_null": 1.0, "alt_hypothesis": "greaterAbs"},
    "lfc_null=0": {},
}.items():
    stats = DeseqStats(data, contrast=["condition", "kd", "control"], quiet=True, n_cpus=1, **asked)
    stats.summary()
    table = stats.results_df
    shares[name] = (table["padj"] < 0.05).groupby(change).mean()
    if name == "lfc_null=1":
        by_hand = 2 * norm.sf((table["log2FoldChange"] - 1).abs() / table["lfcSE"])
        assert np.allclose(table["pvalue"], by_hand, rtol=1e-3, atol=1e-12)
print("share of genes with padj < 0.05, by their log2 fold change:")
print(pd.DataFrame(shares).T.round(3).to_string())

assert shares["lfc_null=1"][0.0] > 0.95
assert shares["lfc_null=1"][-2.0] == 1
assert shares["lfc_null=1"][1.0] < 0.1
assert shares["and greaterAbs"][0.0] == 0
assert shares["and greaterAbs"][3.0] > 0.9
assert shares["lfc_null=0"][0.0] < 0.02
PYTHON
"$work/venv/bin/python" "$work/check.py"
