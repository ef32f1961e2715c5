#!/bin/sh
# Finding: gseapy's enrich adjusts p-values for the sets that share a gene with the list: five random genes are
#   "enriched" in nine of ten sets that have one of them.
# Tools: gseapy 1.3.1
# Seen: a set that shares nothing with the list is left out before the Benjamini-Hochberg adjustment. What remains was
#   chosen by its overlap: of a short list one shared gene is already rare, so nearly all p that are left are small.
# Output: 5,000 sets with the sizes of GO terms in 12,000 measured genes, 20 random lists each. Of five genes: 44 rows a
#   list, 40 of them with an adjusted p below 0.05, hits in all 20 lists. Of ten genes: 41 of 91 rows, hits in 18 lists. Of
#   200: hits in one list. Adjusted over all 5,000 sets (p = 1 where nothing is shared) none of the 60 lists has a hit.
# Guess: the adjusted p is over the library that was handed in, as the background is, and a null list rarely has a hit.
# Means: most perturbations change few genes, and those get the most pathways. Lists of different length cannot be compared,
#   and a count of enriched pathways falls as the effect grows. Adjust "P-value" again with the number of sets.
# Upstream: not reported for gseapy, as far as we found; enrichR 85 (closed) asks it of the web service's adjusted p.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q gseapy==1.3.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 matplotlib==3.11.2
cat > "$work/check.py" <<'PYTHON'
import logging

import gseapy
import numpy as np
from scipy.stats import false_discovery_control

logging.disable(logging.WARNING)
random = np.random.default_rng(0)
genes = np.array([f"G{i:05d}" for i in range(12_000)])
sizes = np.clip(random.lognormal(np.log(15), 0.9, 5_000).astype(int), 5, 500)
library = {f"S{i:04d}": random.choice(genes, size, replace=False).tolist() for i, size in enumerate(sizes)}
print(f"{len(library):,} sets of {np.median(sizes):.0f} genes (median) among {len(genes):,}")

rows, hits, hits_of_all = {}, {}, {}
for length in (5, 10, 200):
    rows[length], hits[length], hits_of_all[length] = [], [], []
    for _ in range(20):
        genes_of_list = random.choice(genes, length, replace=False).tolist()
        found = gseapy.enrich(genes_of_list, library, background=genes.tolist(), outdir=None, no_plot=True).results
        p = np.ones(len(library))
        p[: len(found)] = found["P-value"]
        rows[length].append(len(found))
        hits[length].append(int((found["Adjusted P-value"] < 0.05).sum()))
        hits_of_all[length].append(int((false_discovery_control(p) < 0.05).sum()))
    print(
        f"{length} random genes: {np.mean(rows[length]):.0f} rows, of them {np.mean(hits[length]):.1f} below 0.05; "
        f"{np.count_nonzero(hits[length])} of 20 lists have any; over all sets: {np.count_nonzero(hits_of_all[length])}"
    )

assert max(rows[5]) < 100
assert np.mean(hits[5]) > 35
assert np.count_nonzero(hits[5]) == 20
assert np.count_nonzero(hits[10]) > 12
assert np.count_nonzero(hits[200]) <= 1
assert np.count_nonzero(hits_of_all[5]) <= 1
assert np.count_nonzero(hits_of_all[10]) <= 1
PYTHON
"$work/venv/bin/python" "$work/check.py"
