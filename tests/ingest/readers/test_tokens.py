"""Token lists: any mixture of marked and unmarked cells gives the counts, and nothing is left out unsaid."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers.parquet_table import ParquetTableFormat
from ingest.readers.tokens import TokensFormat
from ingest.testing import assemble
from layouts.tokens import ORION, TAHOE, write_tokens, write_vocabulary


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
        ([[True]], [[1.0]], "does not hold lists of numbers"),
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
    with pytest.raises(SourceFormatError, match="Which column holds the tokens"):
        TokensFormat.open(table)


def hugging_face(**features):
    info = {"info": {"features": {name: {"names": names, "_type": "ClassLabel"} for name, names in features.items()}}}
    return {"huggingface": json.dumps(info)}


def own(path, tokens, values, kind, metadata=None, **columns):
    """Write lists under names that are no publisher's, as the library datasets writes them."""
    table = pa.table(
        {"input_ids": pa.array(tokens, kind), "counts": pa.array(values, like(kind, pa.float32()))} | columns
    )
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def like(kind, item):
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size)
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.int32(), 3)])
def test_names__of_ones_own_are_named_or_known(tmp_path, kind):
    pl.DataFrame({"id": [3, 4, 5], "gene": ["TP53", "MYC", "ABL1"]}).write_csv(tmp_path / "vocab.csv")
    path = own(tmp_path / "x.parquet", [[3, 4, 0], [5, 0, 0]], [[1, 2, 0], [7, 0, 0]], kind, cell=["a", "b"])
    if not pa.types.is_fixed_size_list(kind):
        path = own(path, [[3, 4], [5]], [[1, 2], [7]], kind, cell=["a", "b"])
    named = {"tokens": "input_ids", "values": "counts", "key": "cell", "vocabulary": "vocab.csv"}
    for names in (named, named | {"token": "id"}):
        reader = TokensFormat.open(path, tokens=names)
        np.testing.assert_array_equal(assemble(reader, 1), [[1, 2, 0], [0, 0, 7]])
        assert reader.genes().rows() == [("3", "TP53"), ("4", "MYC"), ("5", "ABL1")]
        assert reader.rows()["index"].to_list() == ["a", "b"]
    assert TokensFormat.open(path).tokens == named
    (tmp_path / "vocab.csv").rename(tmp_path / "names.csv")
    with pytest.raises(SourceFormatError, match=r"no table of tokens(.|\n)*vocabulary under \[tokens\]"):
        TokensFormat.open(path)
    with pytest.raises(SourceFormatError, match="did you mean 'counts'"):
        TokensFormat.open(path, tokens=named | {"values": "count"})


@pytest.mark.parametrize("name", ["vocab.json", "gene_vocabulary.json", "token_dictionary.json"])
def test_vocabulary__of_json_numbers_the_genes(tmp_path, name):
    (tmp_path / name).write_text(json.dumps({"<pad>": 0, "TP53": 3, "MYC": 4}))
    reader = TokensFormat.open(own(tmp_path / "x.parquet", [[3, 4], [4]], [[1, 2], [7]], pa.list_(pa.int32())))
    np.testing.assert_array_equal(assemble(reader), [[0, 1, 2], [0, 0, 7]])
    assert reader.genes()["gene"].to_list() == ["<pad>", "TP53", "MYC"]
    assert reader.tokens["vocabulary"] == name
    (tmp_path / name).write_text('{"TP53": 3, "MYC"')
    with pytest.raises(SourceFormatError, match="the table of tokens"):
        TokensFormat.open(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("tokens", "kind", "genes"),
    [
        ([["TP53", "MYC"], ["ABL1"]], pa.large_list(pa.string()), ["ABL1", "MYC", "TP53"]),
        ([[7157, 4609], [25]], pa.list_(pa.int64()), ["25", "4609", "7157"]),
    ],
)
def test_tokens__that_are_genes_need_no_vocabulary(tmp_path, tokens, kind, genes):
    path = own(tmp_path / "x.parquet", tokens, [[1, 2], [7]], kind)
    names = {"tokens": "input_ids", "values": "counts", "are_genes": genes[0] == "25"}
    reader = TokensFormat.open(path, tokens=names)
    assert reader.genes()["index"].to_list() == genes
    np.testing.assert_array_equal(assemble(reader), [[0, 2, 1], [7, 0, 0]])
    assert (reader.rows()["index"].to_list(), reader.has_key, reader.files) == (["0", "1"], False, (path,))


def test_tokens__of_text_that_the_vocabulary_lacks_are_counted(tmp_path):
    pl.DataFrame({"gene": ["MYC", "TP53"], "id": ["ENSG00000136997", "ENSG00000141510"]}).write_parquet(
        tmp_path / "v.parquet"
    )
    path = own(tmp_path / "x.parquet", [["TP53", "MYC"], ["ABL1"]], [[1, 2], [7]], pa.list_(pa.string()))
    reader = TokensFormat.open(path, tokens={"tokens": "input_ids", "values": "counts", "vocabulary": "v.parquet"})
    np.testing.assert_array_equal(assemble(reader), [[2, 1], [0, 0]])
    assert reader.left_out() == {"names that the vocabulary lacks": 1}


def test_class_labels__have_the_names_of_the_schema_and_are_said_where_it_has_none(tmp_path):
    metadata = hugging_face(drug=["DMSO_TF", "Erdafitinib"], line=["0", "1"])
    columns = {"drug": [0, 1, -1], "line": [0, 1, 1]}
    path = own(tmp_path / "x.parquet", [["MYC"]] * 3, [[1]] * 3, pa.list_(pa.string()), metadata, **columns)
    rows = TokensFormat.open(path).rows()
    assert rows["drug"].to_list() == ["DMSO_TF", "Erdafitinib", None]
    found = inspect_file(path)
    assert found.unnamed_labels == ("line",)
    assert tomllib.loads(draft_spec(found, tmp_path).text)["tokens"] == {"tokens": "input_ids", "values": "counts"}
    path = own(path, [["MYC"]] * 3, [[1]] * 3, pa.list_(pa.string()), metadata, drug=[0, 1, 2], line=[0, 1, 1])
    with pytest.raises(SourceFormatError, match="Labels of 'drug' have no name"):
        TokensFormat.open(path).rows()


def test_ingest__of_lists_named_in_the_spec(tmp_path):
    cells = [["TP53", "MYC", "GAPDH"]] * 24
    counts = np.random.default_rng(2).poisson(9, (24, 3)) + 1
    labels = ["non-targeting", "TP53"] * 12
    own(tmp_path / "x.parquet", cells, counts.tolist(), pa.list_(pa.string(), 3), label=labels)
    (tmp_path / "x.toml").write_text(
        '[dataset]\nid = "x"\nfiles = ["x.parquet"]\nvalues = "counts"\nassay = "perturb_seq"\n[condition]\n'
        'perturbation = "label"\nkind = "crispri"\ncontrols = ["non-targeting"]\ncontext = { value = "K562" }\n'
        '[tokens]\ntokens = "input_ids"\nvalues = "counts"\n'
    )
    ingest_dataset(tmp_path / "x.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        sums = store.frame(
            "select is_control, gene_symbol, count from statistics join condition using (dataset_id, condition_id) "
            "join gene using (gene_id)"
        )
    expected = {
        (is_control, gene): int(counts[int(not is_control) :: 2, at].sum())
        for is_control in (True, False)
        for at, gene in enumerate(cells[0])
    }
    assert {(row[0], row[1]): row[2] for row in sums.iter_rows()} == expected


def test_class_labels__of_a_wide_table_are_no_genes(tmp_path):
    table = pa.table({"line": [1, 0], "TP53": [0.5, 1.0], "MYC": [2.0, 3.0]})
    pq.write_table(table.replace_schema_metadata(hugging_face(line=["A549", "K562"])), tmp_path / "x.parquet")
    reader = ParquetTableFormat.open(tmp_path / "x.parquet")
    assert (reader.rows()["line"].to_list(), reader.n_genes) == (["K562", "A549"], 2)
