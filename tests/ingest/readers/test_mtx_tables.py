"""The tables beside a Matrix Market file: found by name, told by length."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.mtx_entries import MtxHeader
from ingest.readers.mtx_tables import read_tables

SIZE = MtxHeader(
    n_rows=3, n_columns=4, n_entries=0, is_integer=True, n_lines=2, n_bytes=0, separator=" ", is_followed=False
)
BARCODES = "AAAC-1\nAAAG-1\nAAAT-1\nAACA-1\n"
GENES = "ENSG1\tA\nENSG2\tB\nENSG3\tNA\n"


@pytest.fixture
def folder(tmp_path):
    """A folder to put tables in; ``read`` reads those beside a matrix of 3 by 4."""

    class Folder:
        path = tmp_path

        def put(self, **files: str) -> None:
            for name, text in files.items():
                (tmp_path / name.replace("__", ".")).write_text(text)

        def read(self, matrix: str = "matrix.mtx"):
            (tmp_path / matrix).touch()
            return read_tables(tmp_path / matrix, SIZE)

    return Folder()


def test_tables__of_10x(folder):
    folder.put(barcodes__tsv=BARCODES, genes__tsv=GENES)
    tables = folder.read()
    assert tables.genes_first
    assert tables.rows["index"].to_list() == BARCODES.split()
    assert tables.genes.to_dict(as_series=False) == {
        "index": ["ENSG1", "ENSG2", "ENSG3"],
        "gene_name": ["A", "B", "NA"],
    }


def test_tables__turned_where_the_lengths_say_so(folder):
    folder.put(barcodes__tsv="a\nb\nc\n", features__tsv="A\nB\nC\nD\n")
    tables = folder.read()
    assert not tables.genes_first
    assert (tables.rows.height, tables.genes.height) == (3, 4)


def test_tables__with_headers(folder):
    folder.put(
        barcodes__csv="barcode,lane\nAAAC-1,1\nAAAG-1,1\nAAAT-1,2\nAACA-1,2\n",
        genes__csv='gene_id,gene_name\nENSG1,"A, b"\nENSG2,B\nENSG3,C\n',
    )
    tables = folder.read()
    assert tables.rows.columns == ["index", "lane"]
    assert tables.genes["gene_name"].to_list() == ["A, b", "B", "C"]


def test_tables__compressed(folder):
    folder.put(barcodes__tsv=BARCODES)
    (folder.path / "features.tsv.gz").write_bytes(gzip.compress(GENES.encode()))
    assert [file.name for file in folder.read().files] == ["barcodes.tsv", "features.tsv.gz"]


def test_tables__a_common_prefix_tells_samples_apart(folder):
    folder.put(GSM1_barcodes__tsv=BARCODES, GSM2_barcodes__tsv="other\n" * 4)
    folder.put(GSM1_features__tsv=GENES, GSM2_features__tsv=GENES, GSM2_metadata__csv="barcode,x\nother,1\n")
    (folder.path / "GSM1_metadata.csv").write_text("barcode,x\nAAAC-1,1\n")
    tables = folder.read("GSM1_matrix.mtx")
    assert [file.name for file in tables.files] == ["GSM1_barcodes.tsv", "GSM1_features.tsv", "GSM1_metadata.csv"]
    assert tables.rows["index"][0] == "AAAC-1"


def test_metadata__is_joined_in_the_order_of_the_barcodes(folder):
    folder.put(barcodes__tsv=BARCODES, genes__tsv=GENES)
    folder.put(
        obs__csv='"","guide","n","ok","index"\n"AACA-1","NT",2,TRUE,"i"\n"AAAC-1",NA,1,FALSE,"j"\n"ZZZ","x",9,NA,"k"\n'
    )
    rows = folder.read().rows
    assert rows["index"].to_list() == BARCODES.split()
    assert rows["guide"].to_list() == [None, None, None, "NT"]
    assert rows["n"].to_list() == [1, None, None, 2]
    assert rows["ok"].to_list() == [False, None, None, True]
    assert rows["index_"].to_list() == ["j", None, None, "i"]
    assert rows.dtypes[2:4] == [pl.Int64, pl.Boolean]


def test_metadata__of_latin_1(folder):
    folder.put(barcodes__tsv=BARCODES, genes__tsv=GENES)
    (folder.path / "metadata.tsv").write_bytes("barcode\tdose\nAAAC-1\t10 µM\n".encode("latin-1"))
    assert folder.read().rows["dose"][0] == "10 µM"


def test_tables__that_are_missing_are_told_with_some_of_what_is_there(folder):
    folder.put(**{f"n{n:02}__txt": "" for n in range(13)})
    with pytest.raises(SourceFormatError) as caught:
        folder.read()
    assert caught.value.got.split(", ") == [f"n{n:02}.txt" for n in range(12)] + ["..."]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"genes__tsv": GENES}, "no table of barcodes"),
        ({"barcodes__tsv": BARCODES}, "no table of genes"),
        ({"barcodes__tsv": BARCODES, "genes__tsv": GENES, "features__tsv": GENES}, "everal tables"),
        ({"barcodes__tsv": "AAAC-1\n", "genes__tsv": GENES}, "do not fit it"),
        ({"barcodes__tsv": "", "genes__tsv": GENES}, "do not fit it"),
        ({"barcodes__tsv": "AAAC-1\n\nAAAT-1\nAACA-1\n", "genes__tsv": GENES}, "name is empty"),
        ({"barcodes__tsv": BARCODES, "genes__tsv": "a\tb\nc\td\te\nf\tg\n"}, "damaged"),
        ({"barcodes__tsv": BARCODES, "genes__tsv": GENES, "obs__csv": "x,y\nother,1\n"}, "does not fit the barcodes"),
        ({"barcodes__tsv": BARCODES, "genes__tsv": GENES, "obs__csv": "x,y\nAAAC-1,1\nAAAC-1,2\n"}, "'AAAC-1' twice"),
        ({"barcodes__tsv": BARCODES, "genes__tsv": GENES, "obs__csv": ""}, "does not fit the barcodes"),
    ],
)
def test_tables__that_do_not_fit_are_refused(folder, files, message):
    folder.put(**files)
    with pytest.raises(SourceFormatError) as caught:
        folder.read()
    assert message in str(caught.value)
    assert str(folder.path) in str(caught.value)
