#!/bin/sh
# Finding: decoupler's score of a condition depends on which other conditions are in the table, down to its sign.
# Tools: decoupler 2.2.0
# Seen: by default (empty=True) genes that are 0 in every row are taken away before anything is fitted. A gene that is 0
#   in one condition stays if any other condition has a value there. The set of genes, and with it the background of a
#   condition, is so a property of the table.
# Output: by ulm the same signature scores 2.05 for a set beside a condition that measured more genes, and -2.18 alone,
#   with the same network; with empty=False it scores 2.05 both times.
# Guess: ulm fits each row for itself, so scores can be made condition by condition, in batches, or added to later.
# Means: activities of different runs are no one feature, and a score made together with held-out conditions has looked at
#   them. Fix the genes first and pass empty=False. A gene that was not measured should not be 0 to begin with.
# Upstream: the parameter is documented; that scores of one row hang on the others is not, and no issue was found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q decoupler==2.2.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 anndata==0.12.19
cat > "$work/check.py" <<'PYTHON'
import decoupler as dc
import numpy as np
import pandas as pd

genes = [f"G{i:03d}" for i in range(100)]
first, second = np.zeros(100), np.cos(np.arange(100))
first[:40] = 2 + np.sin(np.arange(40))  # the other 60 genes are 0 in the first condition
table = pd.DataFrame([first, second], index=["first", "second"], columns=genes)
net = pd.DataFrame({"source": "set", "target": genes[3:7] + genes[9:13], "weight": 1.0})


def score(rows, **asked):
    return dc.mt.ulm(table.loc[rows], net, verbose=False, **asked)[0].loc["first", "set"]


def by_hand(measured):
    """The t of the slope of the signature on membership."""
    member = np.isin(np.array(genes)[measured], net["target"])
    r = np.corrcoef(member.astype(float), first[measured])[0, 1]
    return r * np.sqrt((len(first[measured]) - 2) / (1 - r**2))


together, alone = score(["first", "second"]), score(["first"])
kept_together, kept_alone = score(["first", "second"], empty=False), score(["first"], empty=False)
print(f"by hand: 100 genes {by_hand(slice(None)):.4f}, its 40 genes {by_hand(slice(40)):.4f}")
print(f"ulm: together {together:.4f}, alone {alone:.4f}; empty=False {kept_together:.4f}, {kept_alone:.4f}")

assert np.isclose(together, by_hand(slice(None)), rtol=1e-4)
assert np.isclose(alone, by_hand(slice(40)), rtol=1e-4)
assert together > 2 > 0 > -2 > alone
assert np.isclose(kept_alone, kept_together)
PYTHON
"$work/venv/bin/python" "$work/check.py"
