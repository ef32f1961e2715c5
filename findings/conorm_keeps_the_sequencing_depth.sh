#!/bin/sh
# Finding: conorm's tmm, getmm and rpkm leave the sequencing depth in, also where they are asked for TMM factors.
# Tools: conorm 1.2.0
# Seen: tmm and getmm divide counts by the TMM factor alone, which is about 1 whatever the depth: the library size, by which
#   edgeR and the GeTMM paper multiply it, is left out. rpkm is counts per kilobase times 10^6, not per million reads, and
#   rpkm(norm_factors="TMM") gives the same numbers as rpkm without it. cpm(val=1e4) is per million. cpm and mrn take the depth out.
# Output: four libraries of one RNA, two of them sequenced twice as deep. The median gene of a deep library is 2.0 times that
#   of a shallow one by tmm, getmm and rpkm, with and without TMM; by cpm and mrn 0.99, and by hand too (RPKM, and TMM over
#   effective library sizes). The median RPKM is 22,920,000, by hand 132; the columns of cpm(val=1e4) sum to 10^6.
# Guess: TMM, GeTMM and RPKM values of two libraries can be compared, as those of edgeR's cpm and rpkm can; an argument that
#   is accepted is used.
# Means: a table of these is raw counts up to a few per cent, and a deep batch is up in every gene. Take tmm_norm_factors,
#   and divide by library size times factor yourself, or cpm(norm_factors="TMM").
# Upstream: not reported, as far as we found. The readme says that rpkm is RPK times a million.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q conorm==1.2.0 numpy==2.2.6 pandas==2.3.3
cat > "$work/check.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import conorm
import numpy as np
import pandas as pd

random = np.random.default_rng(0)
levels = random.lognormal(4, 1, size=(2000, 1))
lengths = random.integers(500, 5000, size=2000)
counts = pd.DataFrame(
    random.poisson(levels * [1, 1, 2, 2]).astype(float),
    index=[f"G{i:04d}" for i in range(2000)],
    columns=["shallow1", "shallow2", "deep1", "deep2"],
)
factors = conorm.tmm_norm_factors(counts)["norm.factors"]
reads = counts.sum()
tables = {
    "tmm": conorm.tmm(counts),
    "getmm": conorm.getmm(counts, lengths),
    "rpkm": conorm.rpkm(counts, lengths),
    "rpkm, TMM": conorm.rpkm(counts, lengths, norm_factors="TMM"),
    "mrn": conorm.mrn(counts),
    "cpm": conorm.cpm(counts),
    "cpm, TMM": conorm.cpm(counts, norm_factors="TMM"),
    "RPKM by hand": counts.div(lengths / 1e3, axis=0) / (reads / 1e6),
    "TMM by hand": counts / (reads * factors) * 1e6,
}
print("TMM factors", factors.round(3).to_list())
ratio = {}
for name, table in tables.items():
    expressed = (counts > 20).all(axis=1)
    ratio[name] = (table["deep1"] / table["shallow1"])[expressed].median()
    print(f"{name:13s} deep / shallow {ratio[name]:.2f}   median {table['shallow1'].median():12.4g}")
print("sums of cpm(val=1e4)", conorm.cpm(counts, val=1e4).sum().round().to_list())

assert np.allclose(factors, 1, atol=0.02)
assert all(1.9 < ratio[name] < 2.1 for name in ("tmm", "getmm", "rpkm", "rpkm, TMM"))
assert all(0.95 < ratio[name] < 1.05 for name in ("mrn", "cpm", "cpm, TMM", "RPKM by hand", "TMM by hand"))
assert tables["rpkm"].equals(tables["rpkm, TMM"])
assert np.allclose(tables["rpkm"], counts.div(lengths / 1e3, axis=0) * 1e6)
assert np.allclose(conorm.cpm(counts, val=1e4).sum(), 1e6)
PYTHON
"$work/venv/bin/python" "$work/check.py"
