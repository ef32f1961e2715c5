#!/bin/sh
# Finding: zfc's p-values are those of the tail that suits each gene better: 10 % of the genes of a screen of nothing are
#   below 0.05.
# Tools: zfc 0.2.1
# Seen: p of guides and genes is the smaller one of the shares of permuted means below and above the observed one, and is
#   not doubled. No p exceeds 0.5, and p_adj is made of these. The columns RRA_Score_down and _up are one-sided and right.
# Output: 400 genes with 4 guides each, control and treatment drawn from the same means: 9.5 % of genes and 9.9 % of guides
#   have p < 0.05; 5.2 % and 4.0 % of genes have it by RRA, down and up. By hand, twice p: 5.0 %.
# Guess: one column p beside one score with a sign is a two-sided p-value, uniform where nothing happens.
# Means: hits at 5 % FDR are hits at 10 %. Double p before adjusting it, or fix the side beforehand and look only there.
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
guides = pd.DataFrame(
    {
        "gene": np.repeat([f"G{i:03d}" for i in range(400)], 4),
        "guide": [f"g{i:04d}" for i in range(1600)],
        "barcode": "b",
        "ctrl": random.poisson(abundance),
        "exp": random.poisson(abundance),
    }
)
_, of_guides, of_genes, _, _ = zfoldchange(guides, seed=0)
share = {
    "genes": (of_genes["p"] < 0.05).mean(),
    "guides": (of_guides["p"] < 0.05).mean(),
    "genes, RRA down": (of_genes["RRA_Score_down"] < 0.05).mean(),
    "genes, RRA up": (of_genes["RRA_Score_up"] < 0.05).mean(),
    "genes, twice p": (2 * of_genes["p"] < 0.05).mean(),
}
for name, value in share.items():
    print(f"{name}: {value:.1%} below 0.05")
print(f"largest p of a gene {of_genes['p'].max():.3f}")

assert 0.08 < share["genes"] < 0.13
assert 0.08 < share["guides"] < 0.12
assert share["genes, RRA down"] < 0.07
assert share["genes, RRA up"] < 0.07
assert share["genes, twice p"] < 0.07
assert of_genes["p"].max() <= 0.5
PYTHON
"$work/venv/bin/python" "$work/check.py"
