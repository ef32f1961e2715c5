from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers import parquet_table
from ingest.readers.open import open_source
from ingest.readers.parquet_table import ParquetTableReader
from ingest.readers.table import TableFormat, TableReader
from ingest.testing import assemble
from layouts.tables import write_genes_by_samples, write_wide, write_wide_parquet

GENES = pl.DataFrame({"index": ["ENSG00000141510.18", "ENSG00000136997", "1-Mar", "ENSG00000097007"]})
ROWS = pl.DataFrame({"index": ["s1", "s2", "s3"], "line": ["K562", None, 'A "549"'], "dose": [1.5, None, 20.0]})
MATRIX = np.array([[0, 5, 1e6, 2], [1, np.nan, 3, 7], [2, 2, -0.25, 0]])
HABITS = ("plain", "r", "featurecounts", "htseq", "recount3")


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("name", ["counts.csv", "counts.tsv.gz"])
def test_genes_by_samples__are_read_whatever_wrote_them(tmp_path, habit, name):
    path = write_genes_by_samples(tmp_path / name, MATRIX, ROWS["index"].to_list(), GENES, habit)
    reader = TableReader(path, genes_in="rows")
    assert reader.rows()["index"].to_list() == ["s1", "s2", "s3"]
    extra = 5 if habit == "htseq" else 0
    assert reader.genes()["index"].to_list()[: GENES.height] == GENES["index"].to_list()
    assert (reader.n_rows, reader.n_genes) == (3, 4 + extra)
    np.testing.assert_array_equal(assemble(reader, 64)[:, :4], MATRIX)
    reader.close()


def test_wide__text_describes_and_numbers_are_the_matrix(tmp_path):
    path = write_wide(
        tmp_path / "x.tsv", MATRIX, ROWS.with_columns(line=pl.col("line").str.replace_all('"', "'")), GENES
    )
    reader = TableReader(path, described_by=["dose"])
    assert reader.row_columns() == ["index", "line", "dose"]
    assert reader.rows(["dose", "line"]).rows() == [(1.5, "K562"), (None, None), (20.0, "A '549'")]
    np.testing.assert_array_equal(assemble(reader), MATRIX)
    without = TableReader(path)
    assert without.genes()["index"].to_list() == ["dose", *GENES["index"]]


def test_wide__fields_in_quotes_and_numbers_that_are_not_last(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('"id","TP53","note","MYC"\n"a",1,"x, y",2\n"b",NA,"say ""z""",4\n', encoding="utf-8-sig")
    reader = TableReader(path)
    assert reader.rows().rows() == [("a", "x, y"), ("b", 'say "z"')]
    assert reader.genes()["index"].to_list() == ["TP53", "MYC"]
    np.testing.assert_array_equal(assemble(reader), [[1, 2], [np.nan, 4]])


@pytest.mark.parametrize("genes_in", ["columns", "rows"])
def test_selected__is_that_part_of_the_whole(tmp_path, genes_in):
    if genes_in == "columns":
        path = write_wide(tmp_path / "x.csv", MATRIX, ROWS.select("index"), GENES)
    else:
        path = write_genes_by_samples(tmp_path / "x.csv", MATRIX, ROWS["index"].to_list(), GENES, "plain")
    reader = TableReader(path, genes_in)
    rows = np.array([0, 2])
    for size in (1, 2**20):
        for genes in (np.array(order) for order in ([3, 0], [0, 2, 3, 1], [2, 3], [0, 1, 2, 3])):
            values = np.concatenate([block.values for block in reader.selected(rows, genes, size)])
            np.testing.assert_array_equal(values, MATRIX[np.ix_(rows, genes)])
    reader.close()


def test_key__that_repeats_is_no_key(tmp_path):
    path = write_wide(tmp_path / "x.csv", MATRIX, ROWS.select(index=pl.lit("T cells"), name="index"), GENES)
    assert not TableReader(path).has_key
    parquet = write_wide_parquet(tmp_path / "x.parquet", MATRIX, ROWS.select("line"), GENES)
    reader = ParquetTableReader(parquet)
    assert (reader.has_key, reader.rows().rows()) == (False, [("0", "K562"), ("1", None), ("2", 'A "549"')])
    np.testing.assert_array_equal(assemble(reader), MATRIX)


def test_parquet__takes_the_index_of_pandas_for_its_key(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(MATRIX, columns=GENES["index"].to_list(), index=pd.Index([11, 12, 13], name="id"))
    frame.assign(control=[True, False, False]).to_parquet(tmp_path / "x.parquet")
    reader = ParquetTableReader(tmp_path / "x.parquet")
    assert reader.has_key
    assert reader.rows().rows() == [("11", True), ("12", False), ("13", False)]
    assert reader.n_genes == 4


@pytest.mark.parametrize("most", [0, 2**25])  # by rows of all columns, and a group of rows by stretches of columns
def test_parquet__of_mixed_numbers_gives_any_rows_and_genes(tmp_path, monkeypatch, most):
    monkeypatch.setattr(parquet_table, "MOST_AT_ONCE", most)
    monkeypatch.setattr(parquet_table, "COLUMNS_AT_ONCE", 2)
    single, whole = pa.array([1.5, None, 3.5, np.nan, 5.5], pa.float32()), pa.array([1, 2, None, 4, 2**40])
    double = pa.array([0.1, 0.2, 0.3, None, 0.5])
    columns = {"A": single, "line": pa.array(list("vwxyz")), "B": whole, "C": double, "D": pa.array([7, 8, 9, 1, 2])}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", row_group_size=2)
    reader = ParquetTableReader(tmp_path / "x.parquet")
    expected = np.array(
        [[1.5, np.nan, 3.5, np.nan, 5.5], [1, 2, np.nan, 4, 2**40], [0.1, 0.2, 0.3, np.nan, 0.5], [7, 8, 9, 1, 2]]
    ).T
    np.testing.assert_array_equal(assemble(reader), expected)
    for rows, genes in (([0, 1, 2, 3, 4], [2, 0, 3, 1]), ([1, 4], [3, 1]), ([3], [0])):
        blocks = list(reader.selected(np.array(rows), np.array(genes), 1))
        np.testing.assert_array_equal(np.concatenate([each.values for each in blocks]), expected[np.ix_(rows, genes)])
        assert [block.start for block in blocks] == list(range(len(rows)))


@pytest.mark.parametrize("most", [0, 2**25])
def test_parquet__with_two_columns_of_one_name_keeps_both(tmp_path, monkeypatch, most):
    monkeypatch.setattr(parquet_table, "MOST_AT_ONCE", most)
    pq.write_table(pa.table([pa.array([1.0, None]), pa.array([3, 4])], names=["A", "A"]), tmp_path / "x.parquet")
    reader = ParquetTableReader(tmp_path / "x.parquet")
    np.testing.assert_array_equal(assemble(reader), [[1, 3], [np.nan, 4]])
    np.testing.assert_array_equal(next(reader.selected(np.array([1]), np.array([1]))).values, [[4.0]])


def test_faults__name_line_and_column(tmp_path):
    path = tmp_path / "x.csv"
    lines = ["id,TP53,MYC", *(f"s{i},{i},2" for i in range(60))]
    path.write_text("\n".join([*lines, "s60,1,two"]) + "\n")
    with pytest.raises(SourceFormatError, match="not a number") as caught:
        assemble(TableReader(path))
    assert "line 62" in str(caught.value)
    assert "'MYC'" in str(caught.value)
    path.write_text("\n".join([*lines, "s60,1"]) + "\n")
    with pytest.raises(SourceFormatError, match="another number of fields") as caught:
        TableReader(path)
    assert "line 62" in str(caught.value)
    with pytest.raises(SourceFormatError, match="no column 'dose'"):
        TableReader(write_wide(tmp_path / "y.csv", MATRIX, ROWS.select("index"), GENES), described_by=["dose"])


def test_layout__of_a_format_that_has_its_own_is_refused(tmp_path):
    path = write_wide_parquet(tmp_path / "x.parquet", MATRIX, ROWS.select("line"), GENES)
    with pytest.raises(SourceFormatError, match="genes are columns"):
        open_source(path, layout={"genes_in": "rows"})
    text = write_genes_by_samples(tmp_path / "x.csv", MATRIX, ROWS["index"].to_list(), GENES, "plain")
    reader = open_source(text, layout={"genes_in": "rows"})
    assert reader.n_rows == 3
    reader.close()


@pytest.mark.parametrize(
    "content",
    [
        b"#1.2\n1\t2\nName\tDescription\ta\tb\ng\td\t1\t2\n",
        b"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 5\n",
        b"1\t5\t3\n2\t6\t1\n",
        b"one line, of text\n",
        b"a,b\nc,d\n",
        b"SAMD11\nNOC2L\n",
    ],
)
def test_recognises__no_other_text(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert not TableFormat.recognises(path)
    path.write_bytes(gzip.compress(content))
    assert not TableFormat.recognises(path)


@pytest.mark.parametrize("name", ["*", "^.*$"])
def test_wide__a_column_called_like_a_pattern_is_one_column(tmp_path, name):
    path = tmp_path / "x.tsv"
    path.write_text(f"sample\t{name}\tbatch\tENSG00000141510\ns1\tA\tB\t1\ns2\tC\tD\t2\n", encoding="utf-8")
    reader = TableReader(path)
    assert reader.rows().rows() == [("s1", "A", "B"), ("s2", "C", "D")]
    assert reader.rows([f"{name}_"]).rows() == [("A",), ("C",)]
