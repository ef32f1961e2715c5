#!/bin/sh
# Finding: a dataset without a layer of counts gets one of zeros when AnnData joins it with a dataset that has one.
# Tools: anndata 0.12.19
# Seen: concat(join="outer") keeps every layer that any dataset has. Where a dataset lacks it, its cells get the fill
#   value: 0 if the layers there are sparse, NaN if they are dense. Documented is the fill of genes that are not in all.
# Output: a knock-out of one dataset with a layer "counts" and the same of another without, both sparse: the pseudobulks
#   of "counts" are 40 and 0 for each gene. Dense: 40 and NaN. join="inner" has no such layer, and neither has
#   concat_on_disk(join="outer") of the same files.
# Guess: a layer that is not in all is dropped, or asks for a decision; a join by genes cannot make up measurements.
# Means: the cells look measured and silent: every gene down, the target knocked out, and a filter on depth throws the
#   dataset away. Whether a table was saved sparse decides. Compare the layers before joining, or pass fill_value=nan.
# Upstream: scverse/anndata 368 (closed) made the missing layer allowed; 2394 (open) has that concat_on_disk differs.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import sys
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from anndata.experimental import concat_on_disk
from scipy.sparse import csr_matrix

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])


def dataset(form, *, with_counts):
    """Ten cells of a knock-out with 4 counts of each of three genes, as logarithms and, if asked, as counts."""
    counts = np.full((10, 3), 4.0)
    cells = anndata.AnnData(
        form(np.log1p(counts)),
        obs=pd.DataFrame({"arm": ["STAT1"] * 10}, index=[f"c{i}" for i in range(10)]),
        var=pd.DataFrame(index=["STAT1", "IRF1", "MYC"]),
    )
    if with_counts:
        cells.layers["counts"] = form(counts)
    return cells


sums = {}
for name, form in (("sparse", csr_matrix), ("dense", np.array)):
    parts = {"with": dataset(form, with_counts=True), "without": dataset(form, with_counts=False)}
    joined = anndata.concat(parts, join="outer", label="dataset", index_unique="-")
    layer = {key: joined[joined.obs["dataset"] == key].layers["counts"] for key in parts}
    sums[name] = {key: np.asarray(values.sum(axis=0)).ravel().tolist() for key, values in layer.items()}
    inner = anndata.concat(parts, join="inner", index_unique="-")
    assert list(inner.layers) == []
    assert joined.n_obs == 20
    if name == "sparse":
        for key, part in parts.items():
            part.write_h5ad(folder / f"{key}.h5ad")
        files = {key: folder / f"{key}.h5ad" for key in parts}
        concat_on_disk(files, folder / "joined.h5ad", join="outer", index_unique="-")
        on_disk = anndata.read_h5ad(folder / "joined.h5ad")
        assert on_disk.n_obs == 20
        assert list(on_disk.layers) == []
    print(f"{name}: sums of the layer counts {sums[name]}; layers of an inner join {list(inner.layers)}")
print(f"layers by concat_on_disk {list(on_disk.layers)}")

assert sums["sparse"] == {"with": [40.0] * 3, "without": [0.0] * 3}
assert sums["dense"]["with"] == [40.0] * 3
assert np.isnan(sums["dense"]["without"]).all()
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
