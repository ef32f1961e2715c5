#!/bin/sh
# Finding: gseapy's ssgsea scores a set by where its unexpressed genes are in the table: the same cells with their genes
#   in another order differ more than a knock-out from its control.
# Tools: gseapy 1.3.1
# Seen: genes of one value are ranked one after another as the table has them, later rows higher, and do not share a rank.
#   In a shallow sample most genes are 0, so the table's order is most of the ranking, and the same one in all samples.
#   prerank warns of equal values; ssgsea says nothing.
# Output: 100 cells with 72 % zeros, scored with their genes in two orders. One set is raised 1.5-fold in half of the cells:
#   knock-out minus control is 0.07 (NES) in one order, 0.15 in the other. From one order to the other ordinary sets move
#   by 0.07 (median) and up to 0.18, all cells by the same sign. A set of 50 genes that no cell expresses has -0.68 at the
#   head of the table and 0.29 at its end.
# Guess: equal genes have equal ranks, or an order drawn anew for each sample: noise, not a shift of all samples together.
# Means: datasets whose genes are sorted by symbol here and by identifier there get a batch effect in each set, and sets of
#   unexpressed genes are active or silent by their place. Score pseudobulks, drop genes with few counts, bring all tables
#   to one order, and compare with the order reversed.
# Upstream: not reported for gseapy, as far as we found; GSVA 32 (closed) asks it of the R package.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q gseapy==1.3.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import logging

import gseapy
import numpy as np
import pandas as pd

logging.disable(logging.INFO)
random = np.random.default_rng(0)
genes = np.array([f"G{i:04d}" for i in range(3_000)])
sets = {f"set {i}": random.choice(genes[100:-100], 60, replace=False).tolist() for i in range(20)}
sets |= {"first 50, silent": genes[:50].tolist(), "last 50, silent": genes[-50:].tolist()}

means = random.lognormal(-1.5, 1.3, size=len(genes))
means[:50] = means[-50:] = 0
expected = np.tile(means, (100, 1))
expected[50:, np.isin(genes, sets["set 0"])] *= 1.5  # the knock-out raises the genes of set 0
counts = random.poisson(expected)
logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
cells = [f"control {i}" for i in range(50)] + [f"knock-out {i}" for i in range(50)]
table = pd.DataFrame(logs.T, index=genes, columns=cells)
orders = {"by symbol": table, "by position": table.iloc[random.permutation(len(genes))], "reversed": table[::-1]}
print(
    f"{len(cells)} cells, {(counts == 0).mean():.0%} of their counts are 0; 20 sets of 60 genes, two of 50 silent ones"
)


def scores(of):
    found = gseapy.ssgsea(of, sets, outdir=None, no_plot=True, min_size=10, threads=1).res2d
    return found.pivot(index="Term", columns="Name", values="NES").astype(float)[of.columns]


def effect(of):
    return of.loc["set 0", cells[50:]].mean() - of.loc["set 0", cells[:50]].mean()


nes = {name: scores(of) for name, of in orders.items()}
shift = (nes["by position"] - nes["by symbol"]).mean(axis=1)
together = (np.sign(nes["by position"] - nes["by symbol"]).T == np.sign(shift)).mean()
effects = {name: float(effect(of).round(2)) for name, of in nes.items()}
print(f"knock-out minus control of set 0: {effects}")
print(f"the same cells by position minus by symbol: {shift.drop(list(sets)[-2:]).round(2).to_dict()}")
ordinary = shift.drop(["first 50, silent", "last 50, silent"]).abs()
print(
    f"shift of an ordinary set: median {ordinary.median():.2f}, most {ordinary.max():.2f} ({ordinary.idxmax()}), ",
    end="",
)
print(f"which {together[ordinary.idxmax()]:.0%} of the cells share")
for name in ("by symbol", "reversed"):
    print(f"silent sets {name}: first {nes[name].loc['first 50, silent'].mean():.2f}, ", end="")
    print(f"last {nes[name].loc['last 50, silent'].mean():.2f}")

assert np.allclose(orders["by position"].loc[genes], table)
assert ordinary.max() > effects["by symbol"] * 1.5
assert effects["by position"] > effects["by symbol"] * 1.5
assert ordinary.median() > 0.05
assert together[ordinary.idxmax()] == 1
assert nes["by symbol"].loc["first 50, silent"].max() < -0.3
assert nes["by symbol"].loc["last 50, silent"].min() > 0.2
assert nes["reversed"].loc["first 50, silent"].min() > 0.2
assert nes["reversed"].loc["last 50, silent"].max() < -0.3
PYTHON
"$work/venv/bin/python" "$work/check.py"
