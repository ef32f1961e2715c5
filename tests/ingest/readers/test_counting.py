"""Folders of counts as kb-python, STARsolo, alevin-fry, split-pipe and BD Rhapsody leave them."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest
import scipy.io

from featurestore.errors import SourceFormatError
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.counting import write_alevin_fry, write_kb, write_rhapsody, write_split_pipe, write_starsolo
from layouts.mtx import write_mtx

BARCODES = [f"ACGTACGTACGTAC{a}{b}" for a in "ACGT" for b in "ACGT"]


@pytest.mark.parametrize("write", [write_kb, write_starsolo, write_alevin_fry, write_split_pipe, write_rhapsody])
@pytest.mark.parametrize("n_cells", [37, 11])
def test_folder__gives_what_was_counted_also_where_there_are_as_many_cells_as_genes(
    tmp_path, counts, cells, genes, write, n_cells
):
    write(tmp_path, counts[:n_cells], cells.head(n_cells), genes)
    reader = open_source(tmp_path)
    np.testing.assert_array_equal(assemble(reader), counts[:n_cells])
    assert reader.n_genes == genes.height
    if write is not write_rhapsody:
        assert reader.rows()["index"].to_list() == cells["index"].head(n_cells).to_list()
        assert reader.genes()["index"].to_list() == genes["index"].to_list()
    if write is not write_alevin_fry:
        assert reader.genes()["gene_name"].to_list() == genes["gene_name"].to_list()


def test_alevin_fry__counts_of_what_is_not_spliced_are_left_out(tmp_path, counts, cells, genes):
    path = write_alevin_fry(tmp_path, counts, cells, genes)
    thrice = scipy.io.mmread(path, spmatrix=False).toarray()
    reader = open_source(tmp_path)
    assert reader.format == "mtx (spliced and ambiguous)"
    n = genes.height
    np.testing.assert_array_equal(assemble(reader), thrice[:, :n] + thrice[:, 2 * n :])
    assert thrice[:, n : 2 * n].sum() > 0
    peeked = reader.peek(10**6)
    np.testing.assert_array_equal(peeked.block.data, assemble(reader)[assemble(reader) > 0])
    write_mtx(path, thrice, genes_first=False, order="gene")
    by_gene = open_source(tmp_path).peek(10**6)
    assert (len(by_gene.block.indptr) - 1, by_gene.is_whole) == (n, False)


def test_starsolo__em_counts_are_estimated(tmp_path, counts, cells, genes):
    write_starsolo(tmp_path, counts, cells, genes)
    assert inspect_file(tmp_path).values.kind == "counts"
    found = inspect_file(tmp_path / "Gene" / "raw" / "UniqueAndMult-EM.mtx")
    assert found.values.kind == "estimated_counts"


def test_split_pipe__cells_are_described_by_the_table_that_names_them(tmp_path, counts, cells, genes):
    write_split_pipe(tmp_path, counts, cells, genes)
    rows = open_source(tmp_path).rows()
    assert rows.select(cells.columns).equals(cells)


@pytest.mark.parametrize("first", [0, 1])
def test_split_pipe__rows_of_genes_may_be_numbered(tmp_path, counts, cells, genes, first):
    """As before version 1: the numbers are no names of genes."""
    path = write_split_pipe(tmp_path, counts, cells, genes).with_name("all_genes.csv")
    pl.read_csv(path).with_row_index("", offset=first).write_csv(path)
    assert open_source(tmp_path).genes().equals(genes.select("index", "gene_name", genome=pl.lit("hg38")))


def test_starsolo__junctions_are_no_genes(tmp_path, counts, cells, genes):
    """On chromosome 1, as Ensembl names it, they would all be the gene that has 1 as its Entrez id."""
    path = write_starsolo(tmp_path, counts, cells, genes)
    at = pl.int_range(genes.height, eager=True).cast(pl.String)
    lines = "1\t" + at + "01\t" + at + "99\t1\t1\t1\t9\t0\t38\n"
    path.with_name("features.tsv").write_text("".join(lines))
    with pytest.raises(SourceFormatError, match="splice junctions"):
        open_source(path)


def test_kb__classes_of_transcripts_are_no_genes(tmp_path, counts, cells, genes):
    path = write_kb(tmp_path, counts, cells, genes)
    with pytest.raises(SourceFormatError, match="classes of transcripts"):
        open_source(path.rename(path.with_name("cells_x_tcc.mtx")))


@pytest.mark.parametrize(("part", "other"), [("mature", "nascent"), ("nascent", "mature")])
def test_draft__of_a_part_of_the_counts_says_what_it_lacks(tmp_path, counts, cells, genes, part, other):
    path = write_kb(tmp_path, counts, cells, genes)
    named = path.rename(path.with_name(f"cells_x_genes.{part}.mtx"))
    assert "without the counts of" not in draft_spec(inspect_file(named), tmp_path).text
    write_mtx(named.with_name(f"cells_x_genes.{other}.mtx"), counts, genes_first=False)
    draft = draft_spec(inspect_file(named), tmp_path).text
    assert f"without the counts of 'cells_x_genes.{other}.mtx'" in draft
    assert f'cells_x_genes.{part}.mtx"]  # CHECK' in draft


def test_kb__symbols_that_do_not_fit_are_refused(tmp_path, counts, cells, genes):
    path = write_kb(tmp_path, counts, cells, genes)
    path.with_name("cells_x_genes.genes.names.txt").write_text("A\nB\n")
    with pytest.raises(SourceFormatError, match="table of symbols does not fit"):
        open_source(tmp_path)


def test_matrix__of_unsigned_integers_as_scipy_writes_them(tmp_path, counts, cells, genes):
    path = write_kb(tmp_path, counts, cells, genes)
    scipy.io.mmwrite(path, scipy.sparse.coo_array(counts.astype(np.uint32)), symmetry="general")
    assert b"unsigned-integer" in path.read_bytes()[:80]
    reader = open_source(path)
    assert {block.data.dtype.kind for block in reader.blocks()} == {"i"}
    np.testing.assert_array_equal(assemble(reader), counts)


@pytest.mark.parametrize("libraries", ["table", "matrix"])
def test_metadata__is_found_with_or_without_the_number_of_the_library(tmp_path, counts, cells, genes, libraries):
    named = pl.DataFrame({"index": BARCODES})
    numbered = pl.DataFrame({"index": [f"{barcode}-1" for barcode in BARCODES]})
    own, others = (named, numbered) if libraries == "table" else (numbered, named)
    path = write_kb(tmp_path, counts[:16], own, genes)
    others.with_columns(guide=pl.int_range(16)).reverse().write_csv(path.with_name("metadata.csv"))
    assert open_source(tmp_path).rows()["guide"].to_list() == list(range(16))


def test_metadata__of_two_libraries_is_not_matched_without_their_numbers(tmp_path, counts, genes):
    own = pl.DataFrame({"index": [f"{barcode}-{1 + at}" for at in range(2) for barcode in BARCODES[:8]]})
    path = write_kb(tmp_path, counts[:16], own, genes)
    pl.DataFrame({"index": BARCODES, "guide": range(16)}).write_csv(path.with_name("metadata.csv"))
    with pytest.raises(SourceFormatError, match="does not fit the barcodes"):
        open_source(tmp_path)


@pytest.mark.parametrize("write", [write_starsolo, write_kb, write_alevin_fry])
def test_draft__of_a_folder_finds_the_table_of_cells_at_its_top(tmp_path, counts, genes, write):
    """Keyed without the number of the library; a table above where the folder lies is another's."""
    keys = [f"{barcode}-1" for barcode in BARCODES[:16]]
    given = tmp_path / "lab" / "given"
    matrix = write(given, counts[:16], pl.DataFrame({"index": keys}), genes)
    table = pl.DataFrame({"cell": BARCODES[:16], "gene": ["non-targeting", "MYC"] * 8}).reverse()
    table.write_csv(tmp_path / "others.csv")
    assert inspect_file(given).row_table is None
    table.write_csv(given / "cells.csv")
    measures = pl.DataFrame({"CB": BARCODES[:16], "reads": range(16), "mapping_rate": 0.5})
    measures.write_csv(matrix.with_name("featureDump.txt"), separator="\t")
    assert inspect_file(matrix).row_table.path.name == "featureDump.txt", "a file's own folder is looked in"
    draft = tomllib.loads(draft_spec(inspect_file(given), tmp_path).text)
    assert draft["rows"] == {"table": "lab/given/cells.csv", "key": "cell"}
    (given / "cells.csv").rename(given.parent / "cells.csv")
    draft = tomllib.loads(draft_spec(inspect_file(given), given.parent).text)
    assert draft["rows"] == {"table": "cells.csv", "key": "cell"}
    assert draft["condition"]["perturbation"] == "gene"
