"""sci-Plex's triplets: cells keep their numbers, whatever pData says of them or leaves out."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.triplets import TripletsFormat
from ingest.testing import assemble
from layouts.triplets import write_triplets

PREFIX = "GSM4150378_sciPlex3_"


@pytest.fixture
def described(cells):
    return cells.drop("is_sure").with_columns(drug=pl.when(pl.col("n_guides").is_null()).then(pl.lit("(+)-JQ1 (HCl)")))


@pytest.mark.parametrize("annotations", ["headed", "bare"])
@pytest.mark.parametrize("with_cells", [True, False])
def test_matrix__as_deposited(tmp_path, counts, described, genes, annotations, with_cells):
    path = write_triplets(tmp_path, PREFIX, counts, described, genes, annotations=annotations, with_cells=with_cells)
    reader = TripletsFormat.open(path)
    assert reader.format == "triplets (gzip)"
    np.testing.assert_array_equal(assemble(reader, 400), counts)
    rows = reader.rows()
    assert rows["index"].to_list() == described["index"].to_list()
    assert rows["drug"].to_list() == described["drug"].to_list()
    assert rows["percent_mito"].to_list() == pytest.approx(described["percent_mito"].to_list())
    assert rows["gem_group"].dtype == pl.Int64
    assert reader.genes()["index"].to_list() == genes["index"].to_list()
    assert reader.genes().to_series(1).to_list() == genes["gene_name"].to_list()
    assert len(reader.files) == (4 if with_cells else 3)


def test_cells__that_pdata_leaves_out_keep_their_number(tmp_path, counts, described, genes):
    lost = pl.int_range(pl.len()) % 5 == 0
    rows = described.with_columns(pl.when(~lost).then(pl.exclude("index")))
    reader = TripletsFormat.open(write_triplets(tmp_path, PREFIX, counts, rows, genes))
    np.testing.assert_array_equal(assemble(reader), counts)
    assert reader.rows()["sample"].is_null().to_list() == [at % 5 == 0 for at in range(len(counts))]


def test_samples__of_one_folder_are_told_apart_by_their_names(tmp_path, counts, described, genes):
    first = write_triplets(tmp_path, "A_", counts, described, genes)
    second = write_triplets(tmp_path, "B_", counts[:9], described.head(9), genes)
    for path, expected in ((first, counts), (second, counts[:9])):
        reader = TripletsFormat.open(path)
        np.testing.assert_array_equal(assemble(reader), expected)


def test_entries__by_gene_are_sorted_and_outside_the_tables_refused(tmp_path, counts, described, genes):
    path = write_triplets(tmp_path, PREFIX, counts, described, genes)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(b"".join(sorted(lines, key=lambda line: int(line.split(b"\t")[0]))))
    assert TripletsFormat.recognises(path)
    reader = TripletsFormat.open(path)
    assert reader.format == "triplets"
    np.testing.assert_array_equal(assemble(reader), counts)
    reader.close()
    path.write_bytes(b"".join([*lines, b"3\t38\t1\n"]))
    with pytest.raises(SourceFormatError, match="cell from 1 to 37"):
        list(TripletsFormat.open(path).blocks())


@pytest.mark.parametrize("missing", ["gene.annotations", "pData"])
def test_tables__that_are_not_there_are_asked_for_by_name(tmp_path, counts, described, genes, missing):
    path = write_triplets(tmp_path, PREFIX, counts, described, genes, with_cells=False)
    (tmp_path / f"{PREFIX}{missing}.txt.gz").unlink()
    with pytest.raises(SourceFormatError, match=f"{PREFIX}{missing}.txt"):
        TripletsFormat.open(path)


def test_tables__with_a_cell_twice_are_refused(tmp_path, counts, described, genes):
    twice = pl.concat([described, described.head(1)])
    path = write_triplets(tmp_path, PREFIX, counts, twice.head(37), genes)
    pdata = tmp_path / f"{PREFIX}pData.txt.gz"
    pdata.write_bytes(gzip.compress(gzip.decompress(pdata.read_bytes()) + b'"38" "CELL0-1" "x"\n'))
    with pytest.raises(SourceFormatError, match="described twice"):
        TripletsFormat.open(path)
