#!/bin/sh
# Finding: one word in a column of p-values makes polars.read_excel write every small p as 0.
# Tools: polars 2.1.0, fastexcel 0.21.0, openpyxl 3.1.5
# Seen: a column that holds a text beside its numbers ("n.d.", "NA", "<1e-300") becomes text, which fastexcel, the
#   default engine, writes with nine decimals. What is below 5e-10 is "0", what is above loses its digits. The engine
#   openpyxl, of the same function, keeps them, and so does fastexcel where the column holds numbers alone.
# Output: of 3.2e-12, 0.00012345678901234 and 1e-300 the default gives "0", "0.000123457" and "0"; openpyxl gives
#   "3.2e-12", "0.00012345678901234" and "1e-300".
# Guess: a number that is read as text is written so that it can be read back. Nothing is said here.
# Means: supplements mark what was not tested by a word in the very column of p-values. The p of 0 are then the most
#   significant of all, and -log10 of them infinite. Read such sheets by openpyxl, or count the zeros.
# Upstream: pola-rs/polars 25953 (open) asks for digits that are lost so; that small numbers become 0 is not said there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q polars==2.1.0 fastexcel==0.21.0 openpyxl==3.1.5
cat > "$work/check.py" <<'PYTHON'
import sys

import openpyxl
import polars as pl

P_VALUES = [3.2e-12, 0.00012345678901234, 1e-300, 0.04]
book = openpyxl.Workbook()
book.active.append(["numbers", "with a word"])
for p in P_VALUES:
    book.active.append([p, p])
book.active.append([1.0, "n.d."])
book.save(sys.argv[1])

default = pl.read_excel(sys.argv[1])
exact = pl.read_excel(sys.argv[1], engine="openpyxl")
for name, table in (("default", default), ("openpyxl", exact)):
    print(name, table["numbers"].to_list(), table["with a word"].to_list())

assert default["numbers"].to_list()[:-1] == exact["numbers"].to_list()[:-1] == P_VALUES
assert exact["with a word"].to_list() == [*map(str, P_VALUES), "n.d."]
assert default["with a word"].to_list() == ["0", "0.000123457", "0", "0.04", "n.d."]
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/supplement.xlsx"
