#!/bin/sh
# Finding: blitzgsea's leading edge of an enriched set lacks the gene at the peak; that of a depleted set is whole.
# Tools: blitzgsea 1.3.54, gseapy 1.3.1
# Seen: on the positive side it takes the members before the position of the peak, and the peak is always at a member. On
#   the negative side it takes those from the trough on, and the trough is before the first member of the edge.
# Output: a set of five genes at the top and its mirror image at the bottom: enrichment scores 0.978 and -0.978, leading
#   edges of four and of five genes. gseapy gives five and five. A set whose peak is its first gene has none.
# Guess: two tools that agree on the score agree on the edge, and mirrored rankings give mirrored answers.
# Means: genes shared by leading edges, a usual summary over perturbations, are counted too rarely among activated
#   pathways only, and a comparison of up with down is biased. Add the next member of the set, or cut the ranking yourself.
# Upstream: MaayanLab/blitzgsea 28 (closed) has the case of an empty edge; that every positive edge lacks a gene is not there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q blitzgsea==1.3.54 gseapy==1.3.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import warnings

import blitzgsea
import gseapy
import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
genes = [f"G{i:03d}" for i in range(500)]
values = np.linspace(5, -5, 500)
places = [0, 3, 6, 9, 15]
sets = {"up": [genes[i] for i in places], "down": [genes[499 - i] for i in places]}


def by_hand(members):
    """The enrichment score, and the members up to the peak or from the trough on."""
    inside = np.isin(genes, members)
    steps = np.where(inside, np.abs(values) / np.abs(values[inside]).sum(), -1 / (~inside).sum())
    walk = np.cumsum(steps)
    peak = np.abs(walk).argmax()
    edge = inside.copy()
    edge[peak + 1 :] &= walk[peak] < 0
    edge[: peak + 1] &= walk[peak] > 0
    return walk[peak], sorted(np.array(genes)[edge].tolist())


def main():
    ranking = pd.DataFrame({"gene": genes, "value": values})
    blitz = blitzgsea.gsea(ranking, sets, processes=2)
    run = gseapy.prerank(
        rnk=ranking.set_index("gene"), gene_sets=sets, min_size=5, permutation_num=100, seed=0, outdir=None, no_plot=True
    )
    peer = run.res2d.set_index("Term")
    edges = {}
    for name in sets:
        score, right = by_hand(sets[name])
        edges[name] = sorted(blitz.loc[name, "leading_edge"].split(","))
        other = sorted(peer.loc[name, "Lead_genes"].split(";"))
        print(f"{name:5s} es {score:.4f} {blitz.loc[name, 'es']:.4f} {peer.loc[name, 'ES']:.4f}")
        print(f"      by hand {right}\n      gseapy  {other}\n      blitz   {edges[name]}")
        assert np.allclose([blitz.loc[name, "es"], float(peer.loc[name, "ES"])], score)
        assert other == right == sorted(sets[name])
    assert edges["down"] == sorted(sets["down"])
    assert edges["up"] == sorted(sets["up"])[:-1]


if __name__ == "__main__":
    main()
PYTHON
"$work/venv/bin/python" "$work/check.py"
