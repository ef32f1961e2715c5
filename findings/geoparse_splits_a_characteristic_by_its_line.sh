#!/bin/sh
# Finding: GEOparse puts one characteristic into several columns, by the line it has in each sample.
# Tools: GEOparse 2.0.4
# Seen: phenotype_data names a column by the number of the characteristic within its sample and by its name. A sample
#   that lacks a line, as controls lack a siRNA's target, has all later ones in other columns than the treated samples.
# Output: two knock-downs with the lines "cell line", "sirna", "time" and two controls without "sirna", all of 24 h: of
#   the four values of time two are in characteristics_ch1.2.time and two in characteristics_ch1.1.time, NaN elsewhere.
# Guess: one column by name of the characteristic, as GEOquery in R has (time:ch1), and NaN where a sample has none.
# Means: a choice of samples by such a column (time is 24h) keeps the treated and loses every control, or the other way
#   round. Take the characteristics from each sample's metadata by name, or join the columns that end alike.
# Upstream: none found for GEOparse; seandavi/GEOquery 25 (closed) is the like of it in R, solved by columns by name.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q GEOparse==2.0.4 six==1.17.0 numpy==2.4.6 pandas==2.3.3
cat > "$work/check.py" <<'PYTHON'
import sys

import GEOparse

SAMPLES = {
    "GSM1": ["cell line: A549", "sirna: STAT1", "time: 24h"],
    "GSM2": ["cell line: A549", "sirna: STAT1", "time: 24h"],
    "GSM3": ["cell line: A549", "time: 24h"],
    "GSM4": ["cell line: A549", "time: 24h"],
}
family = ["^SERIES = GSE1", "!Series_geo_accession = GSE1"]
for name, characteristics in SAMPLES.items():
    family += [f"^SAMPLE = {name}", f"!Sample_geo_accession = {name}", f"!Sample_title = {name}"]
    family += [f"!Sample_characteristics_ch1 = {line}" for line in characteristics]
    family += ["#ID_REF = probe", "#VALUE = log2"]
    family += ["!sample_table_begin", "ID_REF\tVALUE", "P1\t8.5", "!sample_table_end"]
with open(sys.argv[1], "w") as file:
    file.write("\n".join(family) + "\n")

series = GEOparse.get_GEO(filepath=sys.argv[1], silent=True)
table = series.phenotype_data.filter(like="characteristics")
print(table.T.to_string())
at_24h = table.index[table["characteristics_ch1.2.time"] == "24h"].tolist()
by_hand = [name for name, sample in series.gsms.items() if "time: 24h" in sample.metadata["characteristics_ch1"]]
print("24h by the column:", at_24h, "by hand:", by_hand)

assert by_hand == list(SAMPLES)
assert sorted(table.columns) == [
    "characteristics_ch1.0.cell line",
    "characteristics_ch1.1.sirna",
    "characteristics_ch1.1.time",
    "characteristics_ch1.2.time",
]
assert at_24h == ["GSM1", "GSM2"]
assert table["characteristics_ch1.1.time"].dropna().index.tolist() == ["GSM3", "GSM4"]
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/GSE1_family.soft"
