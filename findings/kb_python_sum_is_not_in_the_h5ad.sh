#!/bin/sh
# Finding: kb count --sum=cell --h5ad writes an AnnData whose X has the nascent reads too, which that sum leaves out.
# Tools: kb-python 0.30.2 (with its own kallisto and bustools)
# Seen: --workflow nac counts mature, nascent and ambiguous molecules apart. --sum=cell asks for mature + ambiguous, which
#   single cells are compared by, and writes it as cells_x_genes.cell.mtx. X of adata.h5ad is mature + nascent + ambiguous
#   whatever --sum says, as it is without --sum; nothing in the log or in the file says so.
# Output: 4 genes in 6 cells, 20 molecules within an exon, 10 across a junction and 30 of an intron of each. The sum of
#   cell.mtx is 720, as by hand; X of the h5ad written beside it, by the same command, is 1,440.
# Guess: X is the matrix that was asked for.
# Means: a file that is believed exonic has all intronic reads in X, and is not comparable with cells that plain kb count,
#   or Cell Ranger without introns, counted. Read cell.mtx, or add the layers mature and ambiguous.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q kb-python==0.30.2 anndata==0.12.19 numpy==2.4.6 scipy==1.17.1
cat > "$work/make.py" <<'PYTHON'
import random
from pathlib import Path

random.seed(0)
EXON, INTRON, READ, GENES, CELLS = 400, 900, 91, 4, 6


def letters(n):
    return "".join(random.choices("ACGT", k=n))


def quoted(**attributes):
    return " ".join(f'{key} "{value}";' for key, value in attributes.items())


genome, annotation, genes = letters(1000), [], []
for at in range(GENES):
    start, (first, intron, second) = len(genome), (letters(EXON), letters(INTRON), letters(EXON))
    genome += first + intron + second + letters(1000)
    genes.append((first, intron, second))
    gene, transcript = f"ENSG{at:011d}", f"ENST{at:011d}"
    end = start + EXON + INTRON + EXON
    of_gene = quoted(gene_id=gene, gene_name=f"GENE{at}")
    of_transcript = quoted(gene_id=gene, transcript_id=transcript, gene_name=f"GENE{at}")
    annotation.append(f"1\tmade\tgene\t{start + 1}\t{end}\t.\t+\t.\t{of_gene}")
    annotation.append(f"1\tmade\ttranscript\t{start + 1}\t{end}\t.\t+\t.\t{of_transcript}")
    for a, b in ((start, start + EXON), (end - EXON, end)):
        annotation.append(f"1\tmade\texon\t{a + 1}\t{b}\t.\t+\t.\t{of_transcript}")
Path("genome.fa").write_text(f">1\n{genome}\n")
Path("genes.gtf").write_text("\n".join(annotation) + "\n")

barcodes = [letters(16) for _ in range(CELLS)]
Path("barcodes.txt").write_text("\n".join(barcodes) + "\n")
ends, reads = [], []
for barcode in barcodes:
    for first, intron, second in genes:
        within = [first[p : p + READ] for p in random.sample(range(EXON - READ), 20)]
        across = [(first + second)[p : p + READ] for p in random.sample(range(EXON - 60, EXON - 30), 10)]
        inside = [intron[p : p + READ] for p in random.sample(range(INTRON - READ), 30)]
        for read in within + across + inside:
            name = f"@read{len(ends)}"
            ends.append(f"{name}\n{barcode}{letters(12)}\n+\n{'I' * 28}\n")
            reads.append(f"{name}\n{read}\n+\n{'I' * READ}\n")
Path("R1.fastq").write_text("".join(ends))
Path("R2.fastq").write_text("".join(reads))
PYTHON
cat > "$work/check.py" <<'PYTHON'
import anndata
from scipy.io import mmread

folder = "out/counts_unfiltered"
asked = anndata.read_h5ad(f"{folder}/adata.h5ad")
layers = {name: int(asked.layers[name].sum()) for name in ("mature", "nascent", "ambiguous")}
cell = int(mmread(f"{folder}/cells_x_genes.cell.mtx").sum())
plain = int(anndata.read_h5ad("plain/counts_unfiltered/adata.h5ad").X.sum())
print(f"layers {layers}; cell.mtx {cell:,}; X with --sum=cell {int(asked.X.sum()):,}, without --sum {plain:,}")
by_hand = 4 * 6 * (20 + 10)
assert abs(cell - by_hand) <= 0.02 * by_hand
assert cell == layers["mature"] + layers["ambiguous"]
assert layers["nascent"] > 600
assert asked.X.sum() == sum(layers.values()) == plain
PYTHON
cd "$work"
venv/bin/python make.py
PATH="$work/venv/bin:$PATH"
kb ref --workflow nac -i index -g t2g.txt -c1 cdna.txt -c2 nascent.txt -f1 cdna.fa -f2 nascent.fa genome.fa genes.gtf > ref.log 2>&1
for run in "out --sum=cell" "plain"; do
  # shellcheck disable=SC2086
  kb count --workflow nac -x 10XV3 -w barcodes.txt -i index -g t2g.txt -c1 cdna.txt -c2 nascent.txt --h5ad -o $run \
    R1.fastq R2.fastq > count.log 2>&1
done
venv/bin/python check.py
