#!/bin/sh
# Finding: the fold changes that PyDESeq2 stores are natural logarithms, and of control over knock-down.
# Tools: pydeseq2 0.5.4
# Seen: results_df has log2 fold changes in the direction that was asked for. The fitted object, which is an AnnData and
#   is what gets saved, has varm["LFC"] in natural logarithms, with the level that sorts first as the reference: upper
#   case sorts before lower case, so it is "KD", not "control". DeseqStats.LFC and .SE are natural logarithms too.
# Output: a gene at four times the control's counts has log2FoldChange 2.0 in results_df, and -1.39 in varm["LFC"].
# Guess: LFC is log2, as coef() of DESeq2 in R is, and its sign is the contrast's. The size is plausible either way: read
#   as log2, a four-fold rise becomes a 2.6-fold fall.
# Means: take effects from results_df of a named contrast, never from a saved varm; where only the object came, divide
#   by ln 2 and look at the column's name for the direction.
# Upstream: documented in the reference of DeseqStats ("in natural log scale"); not said in the file.
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

samples = [f"s{i}" for i in range(8)]
conditions = pd.DataFrame({"condition": ["control"] * 4 + ["KD"] * 4}, index=samples)
wobble = np.array([0.9, 1.0, 1.0, 1.1] * 2)[:, None]  # the same on both sides: no other gene changes
counts = np.rint(wobble * np.linspace(100, 1000, 41)).astype(int)
counts[4:, 20] = 4 * counts[:4, 20]
table = pd.DataFrame(counts, index=samples, columns=[f"G{i}" for i in range(41)])

data = DeseqDataSet(counts=table, metadata=conditions, design="~condition", quiet=True)
data.deseq2()
stats = DeseqStats(data, contrast=["condition", "KD", "control"], quiet=True)
stats.summary()

stored = data.varm["LFC"]
coefficient = stored.columns[1]
answer, kept = stats.results_df.loc["G20", "log2FoldChange"], stored.loc["G20", coefficient]
print(f"counts KD / control  {counts[4:, 20].sum() / counts[:4, 20].sum():.2f}")
print(f"results_df           {answer:.3f}")
print(f"varm['LFC']          {kept:.3f}  ({coefficient})")
print(f"lfcSE {stats.results_df.loc['G20', 'lfcSE']:.4f}, SE {stats.SE['G20']:.4f}")

assert np.isclose(answer, np.log2(4), atol=0.02)
assert coefficient == "condition[T.control]"
assert np.isclose(kept, -np.log(4), atol=0.02)
assert np.isclose(stats.SE["G20"] / stats.results_df.loc["G20", "lfcSE"], np.log(2), rtol=1e-6)
PYTHON
"$work/venv/bin/python" "$work/check.py"
