"""Token lists: any mixture of marked and unmarked cells gives the counts, and nothing is left out unsaid."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.layouts.tokens import ORION, TAHOE, write_tokens, write_vocabulary
from ingest.readers.tokens import TokensFormat
from ingest.testing import assemble


@settings(deadline=None, max_examples=40)
@given(
    marked=st.sets(st.integers(0, 36)),
    stray=st.sampled_from([None, 0, 2, 14, 62_713]),
    block_bytes=st.integers(1, 4000),
    row_group=st.integers(1, 40),
)
def test_matrix__markers_and_strays_are_left_out(
    tmp_path_factory, counts, cells, genes, marked, stray, block_bytes, row_group
):
    folder = tmp_path_factory.mktemp("tokens")
    write_vocabulary(folder / "metadata", genes)
    path = write_tokens(folder / "data" / "x.parquet", counts, cells, marked=marked, stray=stray)
    pq.write_table(pq.read_table(path), path, row_group_size=row_group)
    reader = TokensFormat.open(path)
    np.testing.assert_array_equal(assemble(reader, block_bytes), counts)
    assert reader.left_out() == ({} if stray is None else {str(stray): len(counts) // 2})
    assert reader.files == (path, folder / "metadata" / "gene_metadata.parquet")


@pytest.mark.parametrize(("dialect", "symbol"), [(TAHOE, "gene_symbol"), (ORION, "gene_name")])
def test_tables__as_published(tmp_path, counts, cells, genes, dialect, symbol):
    write_vocabulary(tmp_path, genes, dialect=dialect)
    reader = TokensFormat.open(write_tokens(tmp_path / "x.parquet", counts, cells, dialect=dialect))
    assert reader.rows().equals(cells)
    assert reader.genes().columns == ["index", symbol, "ensembl_id"]
    assert reader.genes()["ensembl_id"].to_list() == genes["index"].to_list()
    assert reader.genes()["index"].to_list()[:2] == ["3", "4"]
    with pytest.raises(SourceFormatError, match="did you mean 'gem_group'"):
        reader.rows(["gem_grup"])


def test_vocabulary__is_read_once_for_many_files(tmp_path, counts, cells, genes):
    write_vocabulary(tmp_path, genes)
    paths = [write_tokens(tmp_path / f"{number}.parquet", counts, cells) for number in range(3)]
    tables = [TokensFormat.open(path).genes() for path in paths]
    assert tables[0] is tables[1] is tables[2]


def lists(folder, tokens, values, genes):
    write_vocabulary(folder, genes)
    path = folder / "x.parquet"
    columns = {"genes": pa.array(tokens), "expressions": pa.array(values)}
    pq.write_table(pa.table(columns | {"BARCODE_SUB_LIB_ID": [f"c{i}" for i in range(len(tokens))]}), path)
    return path


@pytest.mark.parametrize(
    ("tokens", "values", "said"),
    [
        ([[3, 4], [3]], [[1.0, 2.0], [1.0, 5.0]], "row 1 of"),
        ([[3, None]], [[1.0, 2.0]], "without a value"),
        ([[3, 5, 3]], [[1.0, 2.0, 3.0]], "token twice"),
        ([["a"]], [[1.0]], "does not hold lists of numbers"),
    ],
)
def test_lists__that_do_not_fit_are_refused(tmp_path, genes, tokens, values, said):
    with pytest.raises(SourceFormatError, match=said):
        list(TokensFormat.open(lists(tmp_path, tokens, values, genes)).blocks())


@pytest.mark.parametrize("tokens", [[3, 3], [3, None], [-1, 4], [3, 2**40], ["a", "b"]])
def test_vocabulary__that_does_not_number_the_genes_is_refused(tmp_path, genes, tokens):
    path = lists(tmp_path, [[3]], [[1.0]], genes)
    pl.DataFrame({"token_id": tokens, "ensembl_id": ["a", "b"]}).write_parquet(tmp_path / "gene_metadata.parquet")
    with pytest.raises(SourceFormatError, match="does not number the genes"):
        TokensFormat.open(path)


def test_vocabulary__that_is_not_there_is_asked_for(tmp_path, genes):
    path = lists(tmp_path, [[3]], [[1.0]], genes)
    (tmp_path / "gene_metadata.parquet").unlink()
    with pytest.raises(SourceFormatError, match=r"fetch gene_metadata\.parquet"):
        TokensFormat.open(path)


def test_recognises__no_other_parquet(tmp_path, genes):
    table = tmp_path / "gene_metadata.parquet"
    write_vocabulary(tmp_path, genes)
    assert not TokensFormat.recognises(table)
    with pytest.raises(SourceFormatError, match="no lists of tokens"):
        TokensFormat.open(table)
