#!/bin/sh
# Finding: with a dict of classes, gseapy's GSEA turns around when the group with fewer samples changes.
# Tools: gseapy 1.3.1
# Seen: given a list of classes (or a .cls file), the first class named is compared with the second. Given a dict of
#   sample to class, which the GSEA class documents too, the class with fewer samples is compared with the other; at equal
#   numbers it is the first one named. ES, NES, the ranking and the figures are then all of that direction. The attribute
#   pheno_pos says which class it was; the table of results does not.
# Output: a set that knock-downs raise has ES 1 with 3 knock-downs and 3 controls, and with 3 and 4; with one more
#   knock-down, 4 and 3, it has ES -1. By list it has ES 1 all three times. By hand: the set is higher by 3 throughout.
# Guess: a dict is the list with names, so that columns may come in any order; replicates do not choose the direction.
# Means: a run over many perturbations that differ in replicates mixes both directions in one table of NES. Pass a list in
#   the order of the columns, perturbed samples first, and keep pheno_pos beside the result.
# Upstream: that a list names the positive class first is issues 211 and 261; of dicts and sizes none was found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q gseapy==1.3.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import gseapy
import numpy as np
import pandas as pd

genes = [f"G{i:03d}" for i in range(200)]


def run(knockdowns, controls, named):
    samples = [f"kd{i}" for i in range(knockdowns)] + [f"ctrl{i}" for i in range(controls)]
    classes = ["KD"] * knockdowns + ["control"] * controls
    values = np.random.default_rng(0).normal(8, 0.3, size=(200, len(samples)))
    values[:20, :knockdowns] += 3
    ran = gseapy.GSEA(
        data=pd.DataFrame(values, index=genes, columns=samples),
        gene_sets={"raised": genes[:20]},
        classes=dict(zip(samples, classes)) if named else classes,
        permutation_type="gene_set",
        permutation_num=100,
        min_size=5,
        outdir=None,
        no_plot=True,
    )
    ran.run()
    by_hand = values[:20, :knockdowns].mean() - values[:20, knockdowns:].mean()
    return float(ran.res2d["ES"][0]), ran.pheno_pos, by_hand


for named in (False, True):
    for knockdowns, controls in ((3, 3), (3, 4), (4, 3)):
        score, first, by_hand = run(knockdowns, controls, named)
        print(f"{'dict' if named else 'list'}, {knockdowns} KD and {controls} controls: ES {score:+.3f}, "
              f"of {first}; by hand the set is {by_hand:+.2f} in KD")
        assert by_hand > 2.5
        turned = named and knockdowns > controls
        assert first == ("control" if turned else "KD")
        assert np.isclose(score, -1 if turned else 1, atol=0.01)
PYTHON
"$work/venv/bin/python" "$work/check.py"
