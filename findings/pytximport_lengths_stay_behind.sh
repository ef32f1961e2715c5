#!/bin/sh
# Finding: TPM and lengths in pytximport's AnnData stay as they are when genes are selected.
# Tools: pytximport 0.13.0 (anndata 0.12.19)
# Seen: TPM and gene lengths, one number per sample and gene, are in obsm (abundance, length), which AnnData does not cut
#   when genes are selected, and not in layers. pytximport's own filter_by_biotype selects genes in this way too, and its
#   recalculate_abundance, which should make TPM of the remaining genes, then changes nothing.
# Output: six genes, three of them coding. After filter_by_biotype X has three columns, obsm["abundance"] six: TPM taken by
#   position are 100,000, 50,000 and 250,000 where the genes have 50,000, 150,000 and 200,000. After recalculate_abundance
#   the coding genes should have 10^6; they have 400,000 as before. In the xarray output they do have 10^6.
# Guess: adata[:, genes] selects all that belongs to genes.
# Means: after any selection or sorting of genes, the length offsets and TPM are of other genes, and nothing fails as long
#   as they are taken by position. Move both from obsm to layers directly after the import.
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
logging.disable(logging.CRITICAL)
import numpy as np
import pandas as pd
from pytximport import tximport
from pytximport.utils import filter_by_biotype

names = ["LNC1", "CODE1", "LNC2", "CODE2", "LNC3", "CODE3"]
coding = [name for name in names if name.startswith("CODE")]
genes = pd.DataFrame({"transcript_id": [f"T{i}" for i in range(6)], "gene_id": names})
files = []
for sample in (1, 2):
    quant = pd.DataFrame({"Name": genes["transcript_id"], "Length": 1200, "EffectiveLength": 1000.0})
    quant["TPM"] = np.array([100, 50, 250, 150, 250, 200]) * 1e3
    quant["NumReads"] = quant["TPM"] / 1e3 * sample
    files.append(Path(sys.argv[1]) / f"sample{sample}.sf")
    quant.to_csv(files[-1], sep="\t", index=False)
biotypes = pd.DataFrame({"gene_id": names})
biotypes["gene_biotype"] = np.where(biotypes["gene_id"].isin(coding), "protein_coding", "lncRNA")


def imported(kind):
    with contextlib.redirect_stderr(io.StringIO()):
        return tximport([str(file) for file in files], "salmon", genes.copy(), output_type=kind)


def of_coding(data):
    return filter_by_biotype(data, biotypes, ["protein_coding"], id_column="gene_id", recalculate_abundance=True)


whole = imported("anndata")
tpm = dict(zip(whole.var_names, whole.obsm["abundance"][0]))
chosen = of_coding(whole)
selected = whole[:, coding]
dataset = of_coding(imported("xarray"))
beside = dict(zip(chosen.var_names, chosen.obsm["abundance"][0]))
mine = [name in coding for name in whole.var_names]
sum_left = chosen.obsm["abundance"][0][mine].sum()
sum_dataset = float(dataset["abundance"].values[:, 0].sum())
print("X", chosen.shape, "obsm abundance", chosen.obsm["abundance"].shape, "length", chosen.obsm["length"].shape)
print("TPM before      ", {name: float(tpm[name]) for name in coding})
print("TPM by position ", {name: float(value) for name, value in beside.items()})
print(f"coding TPM after recalculate_abundance: {sum_left:,.0f} in AnnData, {sum_dataset:,.0f} in xarray")

assert list(chosen.var_names) == list(selected.var_names) == coding
assert chosen.obsm["abundance"].shape == chosen.obsm["length"].shape == (2, 6)
assert selected.obsm["abundance"].shape == (2, 6)
assert all(beside[name] != tpm[name] for name in coding)
assert np.isclose(sum_left, 400e3)
assert np.isclose(sum_dataset, 1e6)
assert "abundance" not in whole.layers
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
