#!/bin/sh
# Finding: decoupler's over-representation analysis takes all genes but the bottom ones, where it says the top ones.
# Tools: decoupler 2.2.0
# Seen: the default promises the top 5 % of the genes of a condition. It keeps every gene whose ascending rank is above
#   n_up, which is all but the n_up lowest. n_up=10 of 200 genes takes 190.
# Output: the set of the ten strongest genes and a set of ten genes from the middle get the same score 0.2 and p = 1; the
#   set of the ten lowest is the significant one (score -8.99, p = 1.3e-16). Asked for n_up=190, it takes the top ten.
# Guess: n_up is the number of top genes, as the documentation says and as decoupler 1 did. With the default background
#   of 20,000 genes nearly every set is then significant (p = 7e-21 for the middle set), which looks like a rich result.
# Means: pathway calls made by ora from signatures do not tell up-regulated genes. Pass the number of genes minus the
#   number wanted, or take the top genes yourself and ask query_set.
# Upstream: none found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q decoupler==2.2.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 anndata==0.12.19
cat > "$work/check.py" <<'PYTHON'
import decoupler as dc
import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

genes = [f"G{i:03d}" for i in range(200)]
signature = pd.DataFrame([np.arange(200.0, 0.0, -1.0)], index=["knockdown"], columns=genes)
sets = {"strongest": genes[:10], "middle": genes[95:105], "lowest": genes[-10:]}
net = pd.DataFrame([(name, gene) for name, members in sets.items() for gene in members], columns=["source", "target"])


def by_hand(chosen, members):
    chosen, members = set(chosen), set(members)
    both = len(chosen & members)
    rest = len(genes) - len(chosen | members)
    return fisher_exact([[both, len(members) - both], [len(chosen) - both, rest]]).pvalue


def ora(**asked):
    _, p = dc.mt.ora(signature, net, verbose=False, **asked)
    return p.loc["knockdown"]  # adjusted over three sets


asked_ten, asked_all_but_ten, default = ora(n_up=10, n_bg=None), ora(n_up=190, n_bg=None), ora()
print("set        top ten by hand   n_up=10    n_up=190   default")
for name, members in sets.items():
    hand = by_hand(genes[:10], members)
    print(f"{name:10s} {hand:15.2g} {asked_ten[name]:9.2g} {asked_all_but_ten[name]:11.2g} {default[name]:9.2g}")

assert by_hand(genes[:10], sets["strongest"]) < 1e-16
assert asked_ten["strongest"] == asked_ten["middle"] == 1.0
assert np.isclose(asked_ten["lowest"], 3 * by_hand(genes[:190], sets["lowest"]), rtol=1e-3, atol=0)
assert np.isclose(asked_all_but_ten["strongest"], 3 * by_hand(genes[:10], sets["strongest"]), rtol=1e-3, atol=0)
assert default["middle"] == default["strongest"] < 1e-20
PYTHON
"$work/venv/bin/python" "$work/check.py"
