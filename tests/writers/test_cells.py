"""STARsolo and kb-python, run on simulated reads: every matrix is read as NumPy reads it, and miniatures are alike.

Run by ``make test-writers``; programs that are not installed are skipped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import anndata
import numpy as np
import polars as pl
import pytest
import scipy.io

pytest.importorskip("kb_python", reason="part of make test-writers")

import loompy

from featurestore.errors import SourceFormatError
from ingest.inspection.inspect import inspect_file
from ingest.readers.folder import PART
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.counting import write_kb, write_starsolo
from layouts.mtx import write_mtx
from layouts.programs import require_sums, run, star_index
from layouts.reads import GENES, SYMBOLS

pytestmark = pytest.mark.filterwarnings("ignore")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def of_scipy(path: Path) -> np.ndarray:
    """The matrix as it is in the file."""
    return scipy.io.mmread(path).toarray()


@pytest.fixture(scope="module")
def solo(reads, tmp_path_factory):
    """``Solo.out`` with all kinds of counts; raw cells are the whole list of barcodes."""
    folder = tmp_path_factory.mktemp("star")
    options = "--soloType CB_UMI_Simple --soloUMIlen 12 --soloFeatures Gene GeneFull SJ Velocyto --outSAMtype None "
    options += "--soloMultiMappers Unique EM Uniform --soloCellFilter TopCells 16 --readFilesCommand zcat"
    run("STAR", "--genomeDir", star_index(reads, folder), "--readFilesIn", *reads.cells[::-1], *options.split(),
        "--soloCBwhitelist", reads.whitelist, "--outFileNamePrefix", f"{folder}/", within=folder)  # fmt: skip
    return folder / "Solo.out"


@pytest.mark.parametrize(
    "name",
    [
        *(f"{kind}/{cells}/matrix.mtx" for kind in ("Gene", "GeneFull") for cells in ("raw", "filtered")),
        *(f"Gene/raw/UniqueAndMult-{how}.mtx" for how in ("EM", "Uniform")),
        *(f"Velocyto/raw/{part}.mtx" for part in ("spliced", "unspliced", "ambiguous")),
    ],
)
def test_starsolo__is_read_as_numpy_reads_it(solo, name):
    path = solo / name
    reader = open_source(path)
    np.testing.assert_array_equal(assemble(reader), of_scipy(path).T)
    assert reader.rows()["index"].to_list() == lines(path.with_name("barcodes.tsv"))
    assert reader.genes()["index"].to_list() == list(GENES.values())
    assert reader.genes()["gene_name"].to_list() == SYMBOLS
    assert inspect_file(path).values.kind == ("estimated_counts" if "UniqueAndMult" in name else "counts")


def test_starsolo__folders(solo):
    assert open_source(solo / "Gene").path == solo / "Gene" / "filtered" / "matrix.mtx"
    with pytest.raises(SourceFormatError, match=r"Gene/filtered/matrix.mtx, GeneFull/filtered"):
        open_source(solo)
    with pytest.raises(SourceFormatError, match="Gene or GeneFull"):
        open_source(solo / "Velocyto")
    with pytest.raises(SourceFormatError, match="splice junctions"):
        open_source(solo / "SJ")


def test_starsolo__ingests_to_the_sums_of_numpy(solo, tmp_path):
    shutil.copytree(solo / "GeneFull", tmp_path / "GeneFull")
    path = solo / "GeneFull" / "filtered" / "matrix.mtx"
    require_sums(tmp_path / "GeneFull", of_scipy(path).T, lines(path.with_name("barcodes.tsv")), SYMBOLS)


def test_starsolo__miniature_has_the_same_bytes(solo, tmp_path):
    reader = open_source(solo / "Gene")
    counts = assemble(reader).astype(np.int64)
    write_starsolo(tmp_path, counts, reader.rows(), reader.genes().select("index", "gene_name"))
    for name in ("barcodes.tsv", "features.tsv", "matrix.mtx"):
        written = (tmp_path / "Gene" / "filtered" / name).read_bytes()
        assert written == (solo / "Gene" / "filtered" / name).read_bytes(), name
    estimated = solo / "Gene" / "raw" / "UniqueAndMult-EM.mtx"
    assert write_mtx(tmp_path / "em.mtx", of_scipy(estimated).T).read_bytes() == estimated.read_bytes()
    assert {path.name for path in (tmp_path / "Gene").rglob("*")} <= {path.name for path in solo.rglob("*")}


@pytest.fixture(scope="module")
def kb(reads, tmp_path_factory):
    """What ``kb count`` leaves by several options; ``nac`` counts nascent and mature transcripts."""
    folder = tmp_path_factory.mktemp("kb")
    plain = ["-i", folder / "i.idx", "-g", folder / "t2g.txt"]
    run("kb", "ref", *plain, "-f1", folder / "f1.fa", reads.genome, reads.gtf, within=folder)
    nac = ["-i", folder / "n.idx", "-g", folder / "n.txt", "-c1", folder / "c1.txt", "-c2", folder / "c2.txt"]
    of_nac = ["--workflow", "nac", "-f1", folder / "n1.fa", "-f2", folder / "n2.fa"]
    run("kb", "ref", *of_nac, *nac, reads.genome, reads.gtf, within=folder)
    cells = ["-x", "10XV3", "-w", reads.whitelist, *reads.cells]
    samples = ["-x", "BULK", "--parity", "paired", *(path for pair in reads.samples.values() for path in pair)]
    for name, options in {
        "plain": [*plain, "--h5ad", "--cellranger", *cells],
        "em": [*plain, "--em", "--loom", *cells],
        "nac": ["--workflow", "nac", *nac, "--h5ad", *cells],
        "sum": ["--workflow", "nac", "--sum", "cell", *nac, *cells],
        "bulk": [*plain, "--tcc", "--matrix-to-directories", *samples],
    }.items():
        run("kb", "count", "-t", "1", "-o", folder / name, *options, within=folder)
    return folder


@pytest.mark.parametrize("name", ["plain", "em"])
def test_kb__is_read_as_numpy_reads_it(kb, name):
    path = kb / name / "counts_unfiltered" / "cells_x_genes.mtx"
    reader = open_source(kb / name)
    assert reader.path == path
    np.testing.assert_array_equal(assemble(reader), of_scipy(path))
    assert reader.rows()["index"].to_list() == lines(path.with_name("cells_x_genes.barcodes.txt"))
    assert reader.genes()["index"].to_list() == lines(path.with_name("cells_x_genes.genes.txt"))
    assert reader.genes()["gene_name"].to_list() == lines(path.with_name("cells_x_genes.genes.names.txt")) == SYMBOLS
    assert inspect_file(kb / name).values.kind == ("estimated_counts" if name == "em" else "counts")


@pytest.mark.parametrize("name", ["cellranger", "adata.h5ad"])
def test_kb__other_forms_hold_the_same(kb, name):
    reader, same = (open_source(kb / "plain" / "counts_unfiltered" / each) for each in (name, "cells_x_genes.mtx"))
    np.testing.assert_array_equal(assemble(reader), assemble(same))
    assert reader.genes()["index"].to_list() == same.genes()["index"].to_list()
    ending = "-1" if name == "cellranger" else ""
    assert reader.rows()["index"].to_list() == [f"{barcode}{ending}" for barcode in same.rows()["index"]]


def test_kb__loom_is_read_as_loompy_reads_it(kb):
    path = kb / "em" / "counts_unfiltered" / "adata.loom"
    with loompy.connect(str(path), "r", validate=False) as loom:
        np.testing.assert_array_equal(assemble(open_source(path)), loom[:, :].T)
        assert open_source(path).genes()["target_name"].to_list() == list(loom.ra["target_name"])
        assert open_source(path).rows()["index"].to_list() == list(loom.ca["barcode"])


def test_kb__nascent_and_mature(kb):
    """A part is taken only where it is named; their sum has both of what may be either and of what is spliced."""
    place = kb / "nac" / "counts_unfiltered"
    parts = {name: of_scipy(place / f"cells_x_genes.{name}.mtx") for name in ("mature", "nascent", "ambiguous")}
    assert all(PART.fullmatch(path.name) for path in place.glob("*.mtx"))
    with pytest.raises(SourceFormatError, match="--sum=cell"):
        open_source(kb / "nac")
    np.testing.assert_array_equal(assemble(open_source(place / "cells_x_genes.mature.mtx")), parts["mature"])
    whole = open_source(place / "adata.h5ad")
    np.testing.assert_array_equal(assemble(whole), sum(parts.values()))
    np.testing.assert_array_equal(assemble(whole), anndata.read_h5ad(place / "adata.h5ad").X.toarray())
    summed = open_source(kb / "sum")
    assert summed.path.name == "cells_x_genes.cell.mtx"
    np.testing.assert_array_equal(assemble(summed), parts["mature"] + parts["ambiguous"])


def test_kb__samples_are_genes_of_kallisto(kb):
    folder = kb / "bulk" / "quant_unfiltered"
    reader = open_source(folder)
    assert reader.format == "quantified (kallisto, genes)"
    read = [pl.read_csv(path / "abundance.gene.tsv", separator="\t") for path in sorted(folder.glob("abundance_*"))]
    np.testing.assert_array_equal(assemble(reader), np.stack([table["est_counts"].to_numpy() for table in read]))
    with pytest.raises(SourceFormatError, match="classes of transcripts"):
        open_source(kb / "bulk" / "counts_unfiltered")
    with pytest.raises(SourceFormatError, match="matrix-to-directories"):
        open_source(folder / "matrix.abundance.gene.mtx")


def test_kb__ingests_to_the_sums_of_numpy(kb, tmp_path):
    shutil.copytree(kb / "plain" / "counts_unfiltered", tmp_path / "kb")
    path = tmp_path / "kb" / "cells_x_genes.mtx"
    require_sums(tmp_path / "kb", of_scipy(path), lines(path.with_name("cells_x_genes.barcodes.txt")), SYMBOLS)


def test_kb__miniature_has_the_same_bytes(kb, tmp_path):
    reader = open_source(kb / "plain")
    write_kb(tmp_path, assemble(reader), reader.rows(), reader.genes())
    for path in (tmp_path / "counts_unfiltered").iterdir():
        assert path.read_bytes() == (kb / "plain" / "counts_unfiltered" / path.name).read_bytes(), path.name
