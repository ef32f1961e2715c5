#!/bin/sh
# Finding: decoupler reads the Up and the Down set of an Enrichr perturbation library as one set, and loses genes.
# Tools: decoupler 2.2.0, gseapy 1.3.1
# Seen: read_gmt splits a line at any white space, not at tabs, and skips the second word. In Enrichr's libraries a name
#   has words ("STAT1 Up") and the description is empty, so the direction is what is skipped, and both directions share a
#   name. Where the name is one word, the first gene is skipped instead.
# Output: "STAT1 Up" and "STAT1 Down", five genes each, come as one set STAT1 of ten; a set of one word comes with four
#   of its five genes. gseapy reads three sets of five genes from the same file.
# Guess: a GMT file is tab-separated, so any reader gives the same sets. Nothing is said here.
# Means: gene sets of knock-downs are the very ones with a direction in the name. Read GMT files by tabs yourself; count
#   sets and genes against the lines of the file.
# Upstream: none found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q decoupler==2.2.0 gseapy==1.3.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 anndata==0.12.19
cat > "$work/check.py" <<'PYTHON'
import sys

import decoupler as dc
import gseapy

UP, DOWN = ["IRF1", "GBP2", "CXCL10", "ISG15", "MX1"], ["MYC", "CCND1", "E2F1", "PCNA", "MCM2"]
library = sys.argv[1]
with open(library, "w") as file:
    file.write("\t".join(["STAT1 Up", "", *UP]) + "\n")
    file.write("\t".join(["STAT1 Down", "", *DOWN]) + "\n")
    file.write("\t".join(["HALLMARK_E2F", "", *DOWN]) + "\n")

by_gseapy = gseapy.read_gmt(library)
by_decoupler = dc.pp.read_gmt(library).groupby("source")["target"].agg(list).to_dict()
print("gseapy   ", by_gseapy)
print("decoupler", by_decoupler)

assert by_gseapy == {"STAT1 Up": UP, "STAT1 Down": DOWN, "HALLMARK_E2F": DOWN}
assert by_decoupler == {"STAT1": UP + DOWN, "HALLMARK_E2F": DOWN[1:]}
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/library.gmt"
