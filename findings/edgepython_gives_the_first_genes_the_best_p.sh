#!/bin/sh
# Finding: edgepython's to_anndata gives the best p-values to the first genes of the AnnData, whichever genes these are.
# Tools: edgepython 0.5.0 (anndata 0.12.19)
# Seen: to_anndata takes a TopTags table, which is sorted by p, and writes it into var by position when it has as many rows as
#   there are genes. A symbol in var is overwritten with it, so the row of one gene bears another's symbol. From an unsorted
#   test the values are in order, but var_names become "1", "2", "3" where var has a column.
# Output: 200 genes, of which G020, G070 and G150 rise eightfold. top_tags has these three at the top; after
#   to_anndata(top_tags(test, n=200), adata) the genes with log2 FC above 3 are G000, G001 and G002, whose symbols are now
#   G020, G070 and G150. By hand G000 has 0.2 and G001 -0.8.
# Guess: TopTags are among the objects the documentation takes, and join by the gene, as adata.var[...] = series does.
# Means: results stored beside the data are those of other genes, with plausible numbers and a whole set of them. Write
#   test["table"], which is in the order of the data, into var yourself; sort only afterwards.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q edgepython==0.5.0 anndata==0.12.19 numpy==2.1.3 pandas==2.3.3 scipy==1.15.3 statsmodels==0.15.0 numba==0.68.1 matplotlib==3.11.2
cat > "$work/check.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import anndata
import edgepython
import numpy as np
import pandas as pd

random = np.random.default_rng(0)
genes = [f"G{i:03d}" for i in range(200)]
changed = ["G020", "G070", "G150"]
fold = np.where(np.isin(genes, changed), 8.0, 1.0)
means = random.lognormal(4, 1, size=200) * np.vstack([np.ones((3, 200)), np.tile(fold, (3, 1))])
counts = random.negative_binomial(10, 10 / (10 + means)).astype(float)
samples = pd.DataFrame({"arm": list("aaabbb")}, index=[f"s{i}" for i in range(6)])
data = anndata.AnnData(counts, obs=samples, var=pd.DataFrame({"symbol": genes}, index=genes))

y = edgepython.read_data(data, obs_col="arm", verbose=False)
y = edgepython.estimate_disp(edgepython.calc_norm_factors(y))
design = np.column_stack([np.ones(6), samples["arm"] == "b"]).astype(float)
test = edgepython.glm_ql_ftest(edgepython.glm_ql_fit(y, design), coef=1)
top = edgepython.top_tags(test, n=200)
stored = edgepython.to_anndata(top, data.copy()).var
unsorted = edgepython.to_anndata(test, data.copy()).var
by_hand = np.log2(counts[3:].mean(axis=0) / counts[:3].mean(axis=0))

print("top_tags\n", top["table"][["symbol", "logFC", "PValue"]].head(4).to_string())
print("var after to_anndata\n", stored[["symbol", "logFC", "PValue"]].head(4).to_string())
print("by hand", dict(zip(genes[:4], by_hand[:4].round(2).tolist())))
print("var after to_anndata of the test\n", unsorted[["symbol", "logFC"]].head(3).to_string())

assert set(top["table"]["symbol"].head(3)) == set(changed)
assert list(stored.index[stored["logFC"] > 3]) == ["G000", "G001", "G002"]
assert set(stored["symbol"].head(3)) == set(changed)
assert (np.abs(by_hand[:3]) < 1.1).all()
assert np.abs(np.asarray(test["table"]["logFC"]) - by_hand).max() < 0.5
assert list(unsorted["symbol"]) == genes
assert list(unsorted.index[:3]) == ["1", "2", "3"]
PYTHON
"$work/venv/bin/python" "$work/check.py"
