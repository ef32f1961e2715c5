"""Lists of identifiers from texts, tables and matrices."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.identifiers.gene_list import parse_gene_list, read_gene_list
from ingest.layouts import write_h5ad
from ingest.reader import INDEX
from layouts.gct import write_gct

NAMES = ["TP53", "MARCH8", "1-Mar"]


@pytest.mark.parametrize(
    "text",
    [
        "TP53\nMARCH8\n1-Mar\n",
        "TP53\r\nMARCH8\r\n1-Mar",
        "\ufeffTP53\nMARCH8\n\n1-Mar\n\n",
        "gene\nTP53\nMARCH8\n 1-Mar \n",
        '"gene"\n"TP53"\n"MARCH8"\n"1-Mar"\n',
    ],
)
def test_text__is_one_identifier_a_line(text, tmp_path):
    path = tmp_path / "genes.csv"
    path.write_bytes(text.encode())
    assert read_gene_list(path).ids.to_list() == NAMES
    path.write_bytes(gzip.compress(text.encode()))
    assert read_gene_list(path).ids.to_list() == NAMES
    assert parse_gene_list(text.encode()).where == "standard input"


def test_text__keeps_names_with_commas_and_spaces_whole():
    assert parse_gene_list(b"DDR1 /// MIR4640\nTP53, p53\nMYC\n").ids.to_list() == [
        "DDR1 /// MIR4640",
        "TP53, p53",
        "MYC",
    ]
    assert parse_gene_list("10 \xb5M\n".encode("latin-1")).ids.to_list() == ["10 \xb5M"]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_table__has_named_columns(separator, tmp_path):
    path = tmp_path / "table.txt"
    lines = ["id", "name"], ["7157", "TP53"], ["", "MYC"]
    path.write_text("\n".join(separator.join(line) for line in lines) + "\n")
    found = read_gene_list(path, "id", "name")
    assert found.ids.to_list() == ["7157", None]
    assert found.symbols.to_list() == ["TP53", "MYC"]
    assert found.where == f"{path}, column 'id'"


def test_parquet__may_hold_numbers(tmp_path):
    path = tmp_path / "x.data"
    pl.DataFrame({"entrez": [7157, None], "x": [1.0, 2.0]}).write_parquet(path)
    assert read_gene_list(path, "entrez").ids.to_list() == ["7157", None]
    pl.DataFrame({"entrez": [7157]}).write_parquet(path)
    assert read_gene_list(path).ids.to_list() == ["7157"]


@pytest.mark.parametrize("write", [write_gct, write_h5ad])
def test_matrix__gives_its_gene_table(write, tmp_path):
    path = tmp_path / "matrix.txt"
    genes = pl.DataFrame({INDEX: ["ENSG00000141510", "ENSG00000136997"], "gene_name": ["TP53", "MYC"]})
    write(path, np.ones((3, 2), np.float32), pl.DataFrame({INDEX: ["a", "b", "c"]}), genes)
    found = read_gene_list(path, symbols="gene_name")
    assert found.ids.to_list() == ["ENSG00000141510", "ENSG00000136997"]
    assert found.symbols.to_list() == ["TP53", "MYC"]
    assert read_gene_list(path, "gene_name").ids.to_list() == ["TP53", "MYC"]


@pytest.mark.parametrize(
    ("content", "column", "said"),
    [
        (b"", None, "There are no identifiers"),
        (b"gene\n", None, "There are no identifiers"),
        (b"a,b\n1,2\n", None, "several columns"),
        (b"gene,b\n1,2\n", "gen", "did you mean 'gene'"),
        (b"PAR1 cut off", None, "cannot be read"),
        (b"\x1f\x8b\x08 cut off", None, "cannot be read"),
        (b"\x89HDF\r\n\x1a\n\0 cut off", None, "file"),
    ],
)
def test_file__that_holds_no_list_is_one_clear_error(content, column, said, tmp_path):
    path = tmp_path / "genes.txt"
    path.write_bytes(content)
    with pytest.raises(SourceFormatError) as caught:
        read_gene_list(path, column)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_file__that_is_missing_is_one_clear_error(tmp_path):
    (tmp_path / "genes.txt").write_text("TP53\n")
    with pytest.raises(SourceFormatError, match=r"did you mean 'genes\.txt'"):
        read_gene_list(tmp_path / "gnes.txt")
    with pytest.raises(SourceFormatError, match="cannot be read"):
        read_gene_list(tmp_path)


def test_standard_input__that_is_no_text_is_refused():
    with pytest.raises(SourceFormatError, match="This is not text"):
        parse_gene_list(b"\x89HDF\0\xff")
