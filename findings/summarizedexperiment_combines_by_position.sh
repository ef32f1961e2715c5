#!/bin/sh
# Finding: combine_columns of SummarizedExperiment lays matrices side by side by position, whatever genes the rows are.
# Tools: summarizedexperiment 0.8.0 and singlecellexperiment 0.7.0 (BiocPy)
# Seen: combine_columns and relaxed_combine_columns keep the first object's row names and row data and append the other
#   assays row by row. Genes in another order, and other genes altogether, are taken for those of the first object, without
#   an error or a warning; only another number of rows is an error. combine_rows does the same with samples.
# Output: two experiments of the genes TP53, MYC and STAT1, the second in another order. Its STAT1 is 1 and becomes 100,
#   which is its MYC; three mouse genes are appended as TP53, MYC and STAT1. Brought to one order first, STAT1 is 1.
# Guess: as the documentation says, combine_columns expects "that all objects have the same rows" (R's cbind stops where row
#   data differ) and the relaxed one gives "the union of all rows", with missing values for absent ones.
# Means: samples of two sources get each other's genes, and totals per cell stay right, so no check of depth finds it. Bring
#   each object to one order with obj[genes, :] first, or convert to AnnData and use its concat, which goes by name.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q summarizedexperiment==0.8.0 singlecellexperiment==0.7.0 biocframe==0.8.1 biocutils==0.5.0 delayedarray==0.6.2 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import warnings

import anndata
import numpy as np
from biocframe import BiocFrame
from singlecellexperiment import SingleCellExperiment
from summarizedexperiment import SummarizedExperiment

warnings.simplefilter("error", UserWarning)  # a warning about the genes would stop this script
warnings.filterwarnings("ignore", "'row_pairs' and 'column_pairs'")
GENES = ["TP53", "MYC", "STAT1"]
TURNED = ["STAT1", "TP53", "MYC"]
LEVELS = {"TP53": 10, "MYC": 100, "STAT1": 1, "Actb": 7, "Gapdh": 14, "Xist": 21}


def experiment(kind, genes, cells):
    """Each gene has its level in the first cell, twice it in the second."""
    return kind(
        assays={"counts": np.outer([LEVELS[gene] for gene in genes], [1, 2])},
        row_data=BiocFrame({"symbol": genes}),
        column_data=BiocFrame({"cell": cells}),
        row_names=genes,
        column_names=cells,
    )


def counts(combined, cell):
    return dict(zip(combined.row_names, combined[:, [cell]].assay("counts")[:, 0].tolist()))


for kind in (SummarizedExperiment, SingleCellExperiment):
    first = experiment(kind, GENES, ["a1", "a2"])
    turned = experiment(kind, TURNED, ["b1", "b2"])
    mouse = experiment(kind, ["Actb", "Gapdh", "Xist"], ["m1", "m2"])
    for way in ("combine_columns", "relaxed_combine_columns"):
        of_turned = counts(getattr(first, way)(turned), "b1")
        of_mouse = counts(getattr(first, way)(mouse), "m1")
        print(f"{kind.__name__}.{way}\n  other order {of_turned}\n  other genes {of_mouse}")
        assert of_turned == {"TP53": 1, "MYC": 10, "STAT1": 100}
        assert of_mouse == {"TP53": 7, "MYC": 14, "STAT1": 21}
    in_order = counts(first.combine_columns(turned[GENES, :]), "b1")
    print(f"brought to one order first\n  {in_order}")
    assert in_order == {gene: LEVELS[gene] for gene in GENES}

one = experiment(SummarizedExperiment, GENES, ["s", "t"])
other = experiment(SummarizedExperiment, ["Actb", "Gapdh", "Xist"], ["t", "s"])  # Actb is 7 in t, 14 in s
actb = one.combine_rows(other)["Actb", :]
of_samples = dict(zip(actb.column_names, actb.assay("counts")[0].tolist()))
print(f"combine_rows, samples in another order: Actb {of_samples}, right {{'s': 14, 't': 7}}")
assert of_samples == {"s": 7, "t": 14}

warnings.simplefilter("ignore")
cells = [experiment(SummarizedExperiment, *of).to_anndata() for of in ((GENES, ["a1", "a2"]), (TURNED, ["b1", "b2"]))]
joined = anndata.concat(cells)
by_name = dict(zip(joined.var_names, joined["b1"].layers["counts"][0].tolist()))
print(f"AnnData's concat\n  {by_name}")
assert by_name == in_order
PYTHON
"$work/venv/bin/python" "$work/check.py"
