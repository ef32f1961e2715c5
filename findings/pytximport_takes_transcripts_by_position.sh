#!/bin/sh
# Finding: pytximport gives the counts of the second file to the transcripts of the first, by position.
# Tools: pytximport 0.13.0
# Seen: the transcripts' names are read from the first file. Those of the others are never looked at: their counts, TPM and
#   lengths are laid beside the first file's, row by row. Only another number of transcripts is an error. R's tximport
#   stops when the names of two files differ.
# Output: two salmon files of one sample with six transcripts, the second sorted by name. The gene UP has 30 reads in both
#   files and is imported with 30 and 200, BIG has 1,200 and is imported with 1,200 and 1,030, without a warning. In a file
#   where one transcript was replaced by another, the new one's reads are counted for the old one's gene.
# Guess: files are joined by transcript, or refused when these differ.
# Means: quantifications of two laboratories, of an index that was built anew or of a quant.sf that was sorted give a matrix
#   that looks whole, with right library sizes and wrong genes. Compare the name columns before importing, or sort the files.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pytximport==0.13.0 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 xarray==2026.9.0 flox==0.10.8
cat > "$work/check.py" <<'PYTHON'
import contextlib
import io
import logging
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
said = io.StringIO()
logging.basicConfig(stream=said, level=logging.WARNING)
import numpy as np
import pandas as pd
from pytximport import tximport

work = Path(sys.argv[1])
GENES = {"T6": "UP", "T5": "MID", "T4": "BIG", "T3": "BIG", "T2": "LOW", "T1": "BIG", "T7": "NEW"}
READS = {"T6": 30, "T5": 60, "T4": 400, "T3": 600, "T2": 10, "T1": 200}
genes = pd.DataFrame({"transcript_id": GENES.keys(), "gene_id": GENES.values()})


def quant(name, reads):
    table = pd.DataFrame({"Name": reads.keys(), "Length": 1200, "EffectiveLength": 1000.0})
    table["NumReads"] = [float(count) for count in reads.values()]
    table["TPM"] = table["NumReads"] / table["NumReads"].sum() * 1e6
    table = table[["Name", "Length", "EffectiveLength", "TPM", "NumReads"]]
    table.to_csv(work / name, sep="\t", index=False)
    return str(work / name)


first = quant("first.sf", READS)
by_name = quant("by_name.sf", dict(sorted(READS.items())))
replaced = quant("replaced.sf", {("T7" if name == "T6" else name): count for name, count in READS.items()})


def imported(*files):
    with contextlib.redirect_stderr(io.StringIO()):
        data = tximport(list(files), "salmon", genes.copy())
    return data.to_df().T.set_axis([Path(file).stem for file in files], axis=1)


def by_hand(file):
    table = pd.read_csv(file, sep="\t")
    return table["NumReads"].groupby(table["Name"].map(GENES)).sum()


together = imported(first, by_name, replaced)
alone = pd.concat([imported(file) for file in (first, by_name, replaced)], axis=1)
right = pd.concat([by_hand(file) for file in (first, by_name, replaced)], axis=1, keys=together.columns)
for name, table in {"imported together": together, "imported alone": alone, "by hand": right}.items():
    print(f"{name}\n{table.to_string()}")
told = [text for text in said.getvalue().splitlines() if "pyarrow" not in text and "Not all transcripts" not in text]
print("warnings:", told or "none")

assert np.allclose(alone.reindex(right.index).fillna(0), right.fillna(0))
assert together.loc["UP", "first"] == 30
assert together.loc["UP", "by_name"] != right.loc["UP", "by_name"]
assert together["by_name"].sum() == right["by_name"].sum()
assert right.loc["NEW", "replaced"] == 30
assert together.loc["UP", "replaced"] == 30
assert "NEW" not in together.index
assert not told
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
