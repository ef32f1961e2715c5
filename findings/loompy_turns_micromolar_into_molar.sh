#!/bin/sh
# Finding: loompy reads the dose "10 µM" as "10 M" and two tocopherols as one compound, from a file it wrote itself.
# Tools: loompy 3.0.8, h5py 3.16.0, anndata 0.12.19
# Seen: the file holds the attribute in UTF-8, and h5py reads it whole. On reading, loompy decodes it as ASCII and ignores
#   the bytes that do not fit, without a warning. anndata's read_loom reads through loompy.
# Output: doses "10 µM", "10 nM" come back as "10 M", "10 nM"; "α-tocopherol" and "γ-tocopherol" both as "-tocopherol".
# Guess: a letter that is lost shows as a question mark or as an error. Here what is left is a valid dose, a million times
#   too high, and two compounds become one condition with twice the cells.
# Means: the micro sign and Greek letters are ordinary in dose units and names of compounds. Read col_attrs with h5py, or
#   compare what loompy gives with it.
# Upstream: linnarsson-lab/loompy 149 is of the error that such letters cause elsewhere; none found for the silent loss.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q loompy==3.0.8 h5py==3.16.0 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import sys
import warnings

import anndata
import h5py
import loompy
import numpy as np

warnings.simplefilter("ignore", FutureWarning)
DOSE, COMPOUND = ["10 \u00b5M", "10 nM"], ["\u03b1-tocopherol", "\u03b3-tocopherol"]
path = sys.argv[1]
columns = {"CellID": np.array(["c1", "c2"]), "dose": np.array(DOSE), "compound": np.array(COMPOUND)}
loompy.create(path, np.array([[3.0, 5.0]]), {"Gene": np.array(["TP53"])}, columns)

with h5py.File(path) as file:
    stored = {name: [value.decode() for value in file["col_attrs"][name][:]] for name in ("dose", "compound")}
with loompy.connect(path, mode="r") as file:
    read = {name: [str(value) for value in file.ca[name]] for name in ("dose", "compound")}
cells = anndata.io.read_loom(path, obs_names="CellID", var_names="Gene")
by_anndata = {name: cells.obs[name].astype(str).tolist() for name in ("dose", "compound")}
print("in the file", stored)
print("by loompy  ", read)
print("by anndata ", by_anndata)

assert stored == {"dose": DOSE, "compound": COMPOUND}
assert read == {"dose": ["10 M", "10 nM"], "compound": ["-tocopherol", "-tocopherol"]}
assert by_anndata == read
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/cells.loom"
