#!/bin/sh
# Finding: delnx's log2fc is the slope of the label on the gene: a gene up by 1 % has 10, one that doubles 0.25.
# Tools: delnx 0.3.0
# Seen: dx.tl.de regresses the condition (0 or 1) on each gene's values, and log2fc is that slope over ln 2. The slope
#   falls with the gene's own variance, so it measures how well a gene tells the arms apart, never by how much it changes.
#   The methods "lr" (the default, logistic regression), "anova" and "anova_residual" all give this one linear result to
#   the last digit. p-values are those of the linear model and are right.
# Output: of two genes that both nearly double, the precise one has log2fc 1.35 and the noisy one 0.25; a very steady gene
#   that rises by 1 % has 10, the cap. By hand, and by dx.tl.log2fc, they are 0.92, 0.88 and 0.02.
# Guess: log2fc is the log2 fold change, as documented, and "lr" and "anova" differ.
# Means: cut-offs on log2fc, volcano plots and signatures from this table pick quiet genes. Take dx.tl.log2fc for effects.
# Upstream: not reported, as far as we found. The documentation says that log2fc is the coefficient over ln 2.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q delnx==0.3.0 anndata==0.12.19 scanpy==1.11.5 numpy==2.4.6 pandas==2.3.3 scipy==1.15.3
cat > "$work/check.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import anndata
import delnx
import numpy as np
import pandas as pd

random = np.random.default_rng(0)
arm = np.repeat(["control", "drug"], 200)
levels = np.ones((400, 3)) * 8
levels[200:] *= [2, 2, 1.01]  # how the genes change
levels *= np.exp(random.normal(0, [0.3, 1.0, 0.02], size=(400, 3)))
genes = ["precise", "noisy", "steady"]
cells = anndata.AnnData(
    np.log1p(levels).astype(np.float32),
    obs=pd.DataFrame({"arm": pd.Categorical(arm)}, index=[f"c{i}" for i in range(400)]),
    var=pd.DataFrame(index=genes),
)


def de(method):
    table = delnx.tl.de(
        cells, condition_key="arm", reference="control", contrast="drug", method=method, verbose=False
    )
    return table.set_index("feature").loc[genes]


found = {method: de(method) for method in ("lr", "anova", "anova_residual")}
ratios = delnx.tl.log2fc(cells, "arm", reference=("control", "drug"), mode="1_vs_1", verbose=False)
drug = (arm == "drug").astype(float)
shown = pd.DataFrame({method: table["log2fc"] for method, table in found.items()})
slopes = np.array([np.polyfit(np.log1p(levels[:, i]), drug, 1)[0] for i in range(3)])
shown["slope of label by hand"] = np.clip(slopes / np.log(2), -10, 10)
shown["tl.log2fc"] = ratios.set_index("feature")["log2fc"][genes]
shown["right log2fc by hand"] = np.log2(levels[200:].mean(axis=0) / levels[:200].mean(axis=0))
print(shown.round(3).to_string())

assert np.allclose(shown["lr"], shown["slope of label by hand"], rtol=1e-3)
assert np.allclose(shown["tl.log2fc"], shown["right log2fc by hand"], atol=1e-3)
assert found["lr"].equals(found["anova"])
assert found["lr"].equals(found["anova_residual"])
assert shown["right log2fc by hand"]["noisy"] > 0.8
assert shown["right log2fc by hand"]["steady"] < 0.05
assert shown["lr"]["steady"] == 10
assert shown["lr"]["noisy"] < 0.3
assert shown["lr"]["precise"] > 3 * shown["lr"]["noisy"]
PYTHON
"$work/venv/bin/python" "$work/check.py"
