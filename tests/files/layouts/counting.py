"""Folders of counts as programs leave them that are not Cell Ranger: kb-python, STARsolo, alevin-fry, split-pipe.

Bytes are compared with those of kb-python 0.30.2 and STAR 2.7.10b by ``make test-writers``. Of the others the program
was not run. alevin-fry: names, banner and numbers are of its published source (matrix_market.rs), and pyroe 0.9.3
reads what is written. split-pipe and Rhapsody, which are not public: names and columns are those that code of users
reads, and listings of folders show; whether split-pipe has the matrix's comment line is not known.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse

from ingest.layouts.h5ad import Matrix
from ingest.reader import INDEX
from layouts.mtx import write_mtx


def write_kb(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write ``counts_unfiltered`` of kb-python: cells by genes, whole numbers called real, symbols by themselves."""
    place = folder / "counts_unfiltered"
    place.mkdir(parents=True)
    _lines(place / "cells_x_genes.barcodes.txt", rows[INDEX])
    _lines(place / "cells_x_genes.genes.txt", genes[INDEX])
    _lines(place / "cells_x_genes.genes.names.txt", genes["gene_name"])
    real = np.asarray(matrix, np.float64)
    return write_mtx(place / "cells_x_genes.mtx", real, genes_first=False, size_width=66)


def write_starsolo(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write ``Solo.out`` of STARsolo, not compressed, with the EM counts of reads that map to several genes.

    The table that it writes beside, of how the run went, is no matrix.
    """
    for place in (folder / "Gene" / "raw", folder / "Gene" / "filtered"):
        place.mkdir(parents=True)
        _lines(place / "barcodes.tsv", rows[INDEX])
        features = genes.select(pl.concat_str(INDEX, "gene_name", pl.lit("Gene Expression"), separator="\t"))
        _lines(place / "features.tsv", features.to_series())
    estimated = np.asarray(matrix, np.float64)
    estimated[estimated > 0] += 0.25
    (folder / "Gene" / "Summary.csv").write_text(f"Number of Reads,4000\nEstimated Number of Cells,{rows.height}\n")
    write_mtx(folder / "Gene" / "raw" / "matrix.mtx", matrix)
    write_mtx(folder / "Gene" / "raw" / "UniqueAndMult-EM.mtx", estimated)
    return write_mtx(folder / "Gene" / "filtered" / "matrix.mtx", matrix)


def write_alevin_fry(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write what ``alevin-fry quant`` does in USA mode: a third of the counts ambiguous, as many again unspliced."""
    place = folder / "alevin"
    place.mkdir(parents=True)
    ambiguous = np.asarray(matrix) // 3
    thrice = np.hstack([matrix - ambiguous, 2 * ambiguous, ambiguous])
    _lines(place / "quants_mat_rows.txt", rows[INDEX])
    _lines(place / "quants_mat_cols.txt", pl.concat([genes[INDEX] + end for end in ("", "-U", "-A")]))
    facts = {"num_genes": thrice.shape[1], "num_quantified_cells": len(thrice), "usa_mode": True}
    (folder / "quant.json").write_text(json.dumps(facts))
    real = scipy.sparse.csr_array(thrice, dtype=np.float32)
    return write_mtx(place / "quants_mat.mtx", real, genes_first=False, comment="% written by sprs")


def write_split_pipe(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write ``all-sample`` of Parse's split-pipe: cells by genes, a table of cells in place of a list of barcodes.

    From version 1.1 on the matrix is called ``count_matrix.mtx``.
    """
    place = folder / "all-sample" / "DGE_filtered"
    place.mkdir(parents=True)
    genes.select(gene_id=INDEX, gene_name="gene_name", genome=pl.lit("hg38")).write_csv(place / "all_genes.csv")
    rows.rename({INDEX: "bc_wells"}).write_csv(place / "cell_metadata.csv")
    return write_mtx(place / "DGE.mtx", matrix, genes_first=False)


def write_rhapsody(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write what is in the ``_MEX.zip`` of BD Rhapsody's pipeline: cells are numbers, genes symbols, given twice."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = pl.concat_str("gene_name", "gene_name", pl.lit("Gene Expression"), separator="\t")
    _lines(folder / "barcodes.tsv.gz", pl.Series(range(1, rows.height * 7, 7)).cast(pl.String))
    _lines(folder / "features.tsv.gz", genes.select(symbols).to_series())
    return write_mtx(folder / "matrix.mtx.gz", matrix)


def _lines(path: Path, names: pl.Series) -> None:
    text = "".join(f"{name}\n" for name in names).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
