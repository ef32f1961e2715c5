#!/bin/sh
# Finding: memento's binary_test_1d takes cells for replicates also where the replicates are named.
# Tools: memento-de 0.1.3
# Seen: replicates=["donor"] makes it estimate the moments by donor, and the bootstrap then draws cells within each, so
#   the p-value has the noise of the cells alone; that donors differ is not in it. ht_1d_moments(resample_rep=True),
#   which draws donors too, is not reached by the wrapper.
# Output: three donors a side, 60 cells each, that differ by chance and not by treatment: p < 0.05 for 42 % of 200
#   genes with replicates and 44 % without; 9 % with resample_rep=True, 4 % by a t test of the donors' means.
# Guess: replicates named in the call are what the test is about, and p < 0.05 for 5 % of genes where nothing happens.
# Means: lists of genes from screens with few donors, wells or guides are mostly their differences. Sum the counts by
#   replicate and test those, or call ht_1d_moments with resample_rep=True.
# Upstream: yelabucsf/scrna-parameter-estimation 41 (open), where the author says that it is not meant to be used yet.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q memento-de==0.1.3 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import warnings

import anndata
import memento
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import ttest_ind

warnings.simplefilter("ignore")
chance = np.random.default_rng(0)
GENES, CELLS = 200, 60
donor = np.repeat(np.arange(6), CELLS)
of_donors = 5 * np.exp(chance.normal(0, 0.3, size=(6, GENES)))  # they differ, whatever their treatment
counts = chance.poisson(of_donors[donor] * chance.gamma(2, 0.5, size=(6 * CELLS, GENES)))
cells = anndata.AnnData(
    csr_matrix(counts.astype(float)),
    obs=pd.DataFrame(
        {"kd": (donor >= 3).astype(int), "donor": [f"d{i}" for i in donor]}, index=[f"c{i}" for i in range(6 * CELLS)]
    ),
    var=pd.DataFrame(index=[f"G{i}" for i in range(GENES)]),
)
p = {}
for name, replicates in (("without replicates", []), ("with replicates", ["donor"])):
    np.random.seed(0)
    p[name] = memento.binary_test_1d(
        cells, 0.1, "kd", num_cpus=1, num_boot=500, verbose=0, replicates=replicates
    )["de_pval"]

cells.obs["capture_rate"] = 0.1
memento.setup_memento(cells, q_column="capture_rate")
memento.create_groups(cells, label_columns=["kd", "donor"])
memento.compute_1d_moments(cells, min_perc_group=0.9)
memento.ht_1d_moments(
    cells, treatment=memento.get_groups(cells)[["kd"]], num_boot=500, verbose=0, num_cpus=1, resample_rep=True
)
p["resample_rep=True"] = memento.get_1d_ht_result(cells)["de_pval"]
means = np.log(np.array([counts[donor == i].mean(axis=0) for i in range(6)]))
p["t test of donors by hand"] = ttest_ind(means[3:], means[:3]).pvalue
print("share of p < 0.05 and of p < 0.001 where the treatment does nothing:")
for name, values in p.items():
    print(f"  {name:25s} {np.mean(values < 0.05):.3f} {np.mean(values < 0.001):.3f}  of {len(values)} genes")

assert all(len(values) == GENES for values in p.values())
for wrong in ("without replicates", "with replicates"):
    assert np.mean(p[wrong] < 0.05) > 0.3
    assert np.mean(p[wrong] < 0.001) > 0.15
for better in ("resample_rep=True", "t test of donors by hand"):
    assert np.mean(p[better] < 0.05) < 0.12
PYTHON
"$work/venv/bin/python" "$work/check.py"
