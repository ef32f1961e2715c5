#!/bin/sh
# Finding: pyenrichr tests against more genes than the background has: of 2,000 measured genes, 27 % of sets drawn at random
#   have p < 0.05.
# Tools: pyenrichr 1.0.2, the "official Enrichr" package for local tests
# Seen: the genes that are in neither the list nor the set are counted as background - list - set + 3 x overlap, where
#   the overlap belongs once. The table of the Fisher test so has background_size + 2 x overlap genes, and an overlap that
#   chance gives is an enrichment. The column "odds", documented as odds ratio, is the ratio of two shares.
# Output: 600 of 2,000 genes change, sets of 300 drawn at random: p < 0.05 in 27.5 % of them (5.0 % by the hypergeometric
#   distribution), and 131 of 2,000 are below an FDR of 5 % (none). 300 of 978 and sets of 150: 18.6 % (3.5 %), 20 (none).
#   A set that has just the 90 genes that chance gives: p = 0.17 (0.53), as of a background of 2,180. 200 of 22,000 genes and
#   sets of 100: as many as by the right p. A set that is wholly in the list has odds 3.3.
# Guess: background_size is the size of the background, and p is that of the hypergeometric distribution.
# Means: with 22,000 genes and short lists it is hard to see; with measured genes only (a panel, the most variable genes,
#   landmarks), which is what the background should be, strong perturbations are enriched in everything large. Take the
#   overlaps from the table and compute p by scipy.stats.hypergeom.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyenrichr==1.0.2 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 numba==0.68.1 statsmodels==0.15.0 tqdm==4.70.1 networkx==3.6.1 python-louvain==0.16 matplotlib==3.11.2
cat > "$work/check.py" <<'PYTHON'
import numpy as np
from pyenrichr.enrichment import fisher
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

random = np.random.default_rng(0)


def sets_drawn(measured, listed, size):
    """Test 2,000 sets that are drawn at random; return how many have a small p, and how many should."""
    genes = np.array([f"G{i:05d}" for i in range(measured)])
    changed = set(random.choice(genes, listed, replace=False).tolist())
    library = {f"S{i:04d}": set(random.choice(genes, size, replace=False).tolist()) for i in range(2_000)}
    table = fisher(changed, library, background_size=measured, min_overlap=0, verbose=False)
    right = hypergeom.sf(table["overlap"].to_numpy() - 1, measured, size, listed)
    shares = {"pyenrichr": np.mean(table["p-value"] < 0.05), "right": np.mean(right < 0.05)}
    false = {"pyenrichr": int(np.sum(table["fdr"] < 0.05)), "right": int(np.sum(false_discovery_control(right) < 0.05))}
    print(f"{measured:,} measured, {listed} changed, sets of {size}, 2,000 of them at random:")
    for who in shares:
        print(f"  {who}: p < 0.05 in {shares[who]:.1%}, FDR < 0.05 in {false[who]} sets")
    return shares, false


panel, panel_false = sets_drawn(2_000, 600, 300)
landmarks, _ = sets_drawn(978, 300, 150)
genome, _ = sets_drawn(22_000, 200, 100)

# one set with the overlap that is expected: 90 of 300 where 600 of 2,000 changed
genes = [f"G{i:05d}" for i in range(2_000)]
table = fisher(set(genes[:600]), {"expected": set(genes[510:810])}, background_size=2_000, verbose=False).iloc[0]
right = hypergeom.sf(90 - 1, 2_000, 300, 600)
print(f"overlap {table['overlap']} of 300, expected 90: p {table['p-value']:.3f}, right {right:.3f}")
table_of_more = fisher_exact([[90, 510], [210, 1_190 + 2 * 90]], alternative="greater").pvalue
print(f"by Fisher's test with 180 genes more: {table_of_more:.3f}")

# and one that is wholly in the list
inside = fisher(set(genes[:600]), {"inside": set(genes[:50])}, background_size=2_000, verbose=False).iloc[0]
ratio = (50 + 0.5) * (1_400 + 0.5) / ((550 + 0.5) * 0.5)
print(f"a set wholly in the list: odds {inside['odds']:.2f}, odds ratio infinite ({ratio:.0f} with 0.5 added to all)")

assert panel["pyenrichr"] > 0.2
assert panel["right"] < 0.06
assert panel_false["pyenrichr"] > 20
assert panel_false["right"] == 0
assert landmarks["pyenrichr"] > 0.15
assert landmarks["right"] < 0.06
assert table["overlap"] == 90
assert table["p-value"] < right / 2
assert np.isclose(table["p-value"], table_of_more)
assert np.isclose(inside["odds"], 2_000 / 600)
PYTHON
"$work/venv/bin/python" -W ignore "$work/check.py"
