#!/bin/sh
# Finding: an unlabelled cell that rds2py saves has the last label when the file is read again.
# Tools: rds2py 0.10.6, biocutils 0.5.0 (BiocPy); pyreadr 0.5.8 beside them
# Seen: a missing value of a biocutils Factor has code -1. rds2py writes code + 1 = 0, which is no level and no NA of R, and
#   reads it as levels[0 - 1], Python's last element. There is no warning, and the Factor's own print shows the last level
#   too. A factor of R that holds NA is not read at all: it is left a dict, with a warning.
# Output: six cells of a SingleCellExperiment, guides KO_A, none, NTC, none, KO_B, KO_A. After save_rds and read_rds the two
#   without a guide are NTC, so the controls are 3, where 1 was saved. pyreadr reads the same column as NaN.
# Guess: what a package writes and reads itself comes back, and missing stays missing.
# Means: levels are sorted, so NTC, non-targeting, untreated or unassigned are often the last: cells without a call become
#   controls. Save labels as strings (a StringList keeps None), or count the missing ones before and after.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q rds2py==0.10.6 pyreadr==0.5.8 singlecellexperiment==0.7.0 summarizedexperiment==0.8.0 biocframe==0.8.1 biocutils==0.5.0 genomicranges==0.9.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import sys
import warnings
from collections import Counter
from pathlib import Path

warnings.filterwarnings("ignore", "'seqnames' is deprecated")
import numpy as np
import pyreadr
import rds2py
from biocframe import BiocFrame
from biocutils import Factor, StringList
from singlecellexperiment import SingleCellExperiment

work = Path(sys.argv[1])
labels = ["KO_A", None, "NTC", None, "KO_B", "KO_A"]
guides = Factor.from_sequence(labels)
cells = SingleCellExperiment(
    assays={"counts": np.arange(12.0).reshape(2, 6)},
    column_data=BiocFrame({"guide": guides, "text": StringList(labels)}),
    row_names=["G1", "G2"],
    column_names=[f"c{i}" for i in range(6)],
)
rds2py.save_rds(cells, str(work / "cells.rds"))
rds2py.save_rds(guides, str(work / "guides.rds"))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    again = rds2py.read_rds(str(work / "cells.rds")).column_data
told = [warning for warning in told if "deprecated" not in str(warning.message)]
by_pyreadr = pyreadr.read_r(str(work / "guides.rds"))[None].iloc[:, 0]
shown = {
    "saved": list(guides),
    "read by rds2py": list(again.column("guide")),
    "read by pyreadr": [None if value != value else value for value in by_pyreadr],
    "saved as strings": list(again.column("text")),
}
for name, values in shown.items():
    print(f"{name:17s} {values}   NTC: {Counter(values)['NTC']}")
print(str(guides).splitlines()[1])
print("warnings:", told or "none")

assert list(cells.column_data.column("guide")) == labels
assert shown["read by rds2py"] == ["KO_A", "NTC", "NTC", "NTC", "KO_B", "KO_A"]
assert shown["read by pyreadr"] == shown["saved as strings"] == labels
assert rds2py.parse_rds(str(work / "guides.rds"))["data"].tolist() == [1, 0, 3, 0, 2, 1]
assert "values: KO_A, NTC, NTC, NTC, KO_B, KO_A" in str(guides)
assert not told
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
