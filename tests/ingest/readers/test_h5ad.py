"""AnnData files: every layout and encoding gives what AnnData itself would read."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.layouts import replogle_genes, replogle_rows, write_h5ad, write_h5ad_rows, write_replogle
from ingest.readers.h5ad import H5adFormat

LAYOUTS = ["csr", "csc", "dense"]
COMPRESSIONS = [None, "gzip", "lzf"]


def by_anndata(path: Path) -> anndata.AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anndata.read_h5ad(path)


def as_polars(table: pd.DataFrame) -> pl.DataFrame:
    """Turn a table that AnnData has read into what the reader should give."""
    columns = {"index": pl.Series(list(map(str, table.index)), dtype=pl.String)}
    for name in table.columns:
        values = [None if pd.isna(value) else value for value in table[name]]
        columns[name] = pl.Series(values)
    return pl.DataFrame(columns)


def assert_same_table(got: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert got.columns == expected.columns
    for name in got.columns:
        assert got[name].to_list() == expected[name].to_list(), name


@pytest.mark.parametrize(("layout", "compression"), list(itertools.product(LAYOUTS, COMPRESSIONS)))
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u2"])
def test_matrix__same_as_anndata_reads_it(tmp_path, counts, cells, genes, read_matrix, layout, compression, dtype):
    matrix = counts.astype(dtype)
    path = write_h5ad(tmp_path / "a.h5ad", matrix, cells, genes, layout=layout, compression=compression, chunk_length=5)
    reader = H5adFormat.open(path)
    expected = by_anndata(path).X
    expected = expected.toarray() if scipy.sparse.issparse(expected) else expected
    for block_bytes in (1, 300, 2**20):
        np.testing.assert_array_equal(read_matrix(reader, block_bytes), expected)
    reader.close()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">i8", ">u2"])
def test_matrix__of_types_that_are_not_the_machines(tmp_path, counts, cells, genes, read_matrix, layout, dtype):
    path = write_h5ad(tmp_path / "a.h5ad", counts % 2000, cells, genes, layout=layout)
    with h5py.File(path, "r+") as file:
        name = "X" if layout == "dense" else "X/data"
        values, attributes = file[name][...], dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=values.astype(dtype)).attrs.update(attributes)
    reader = H5adFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, 500), counts % 2000)
    reader.close()


@pytest.mark.parametrize(("layout", "compression"), list(itertools.product(LAYOUTS, COMPRESSIONS)))
def test_format__names_layout_and_compression(tmp_path, counts, cells, genes, layout, compression):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, layout=layout, compression=compression)
    reader = H5adFormat.open(path)
    assert reader.format == f"h5ad ({layout}, {compression})" if compression else f"h5ad ({layout})"
    assert (reader.n_rows, reader.n_genes) == counts.shape
    assert reader.files == (path,)
    reader.close()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "array"])
def test_matrix__written_by_anndata(tmp_path, counts, cells, genes, read_matrix, layout, kind):
    """Whatever AnnData writes, with its own choice of chunks and of integer types."""
    matrix = {"csr_matrix": scipy.sparse.csr_matrix, "csc_matrix": scipy.sparse.csc_matrix, "array": np.asarray}[kind](
        counts.astype(np.float32)
    )
    data = anndata.AnnData(matrix, pd.DataFrame(index=list(cells["index"])), pd.DataFrame(index=list(genes["index"])))
    data.layers["other"] = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix, "dense": np.asarray}[
        layout
    ](counts * 2)
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")
    for name, expected in ((None, counts), ("X", counts), ("layers/other", counts * 2)):
        reader = H5adFormat.open(tmp_path / "a.h5ad", matrix=name)
        np.testing.assert_array_equal(read_matrix(reader, 400), expected)
        assert reader.row_columns() == ["index"]
        reader.close()


@given(
    density=st.floats(0, 1),
    block_bytes=st.integers(1, 3000),
    layout=st.sampled_from(LAYOUTS),
    chunk=st.sampled_from([None, 1, 3, 50]),
    seed=st.integers(0, 99),
)
def test_blocks__any_size_gives_the_same_matrix(
    tmp_path_factory, read_matrix, density, block_bytes, layout, chunk, seed
):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 20, 2))
    matrix = (rng.random(shape) < density) * rng.integers(1, 9, shape)
    path = tmp_path_factory.mktemp("blocks") / "a.h5ad"
    names = [pl.DataFrame({"index": [f"n{number}" for number in range(side)]}) for side in shape]
    write_h5ad(path, matrix, *names, layout=layout, chunk_length=chunk, compression="gzip" if chunk else None)
    reader = H5adFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, block_bytes), matrix)
    reader.close()
    path.unlink()


def test_blocks__begin_afresh_each_time(tmp_path, counts, cells, genes, read_matrix):
    reader = H5adFormat.open(write_h5ad(tmp_path / "a.h5ad", counts, cells, genes))
    half_read = reader.blocks(200)
    next(half_read)
    np.testing.assert_array_equal(read_matrix(reader), counts)
    assert next(half_read).start > 0
    reader.close()


def test_blocks__of_a_mapped_matrix_can_be_written_to_without_touching_the_file(
    tmp_path, counts, cells, genes, read_matrix
):
    path = write_h5ad(tmp_path / "a.h5ad", counts.astype("f4"), cells, genes, layout="dense")
    before = path.read_bytes()
    reader = H5adFormat.open(path)
    for block in reader.blocks():
        block.values[:] = -1
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()
    assert path.read_bytes() == before


def test_rows__of_the_current_encodings(tmp_path, counts, cells, genes):
    reader = H5adFormat.open(write_h5ad(tmp_path / "a.h5ad", counts, cells, genes))
    assert reader.row_columns() == cells.columns
    assert reader.rows().equals(cells)
    assert reader.rows().schema == cells.schema
    assert reader.genes().equals(genes)
    assert reader.rows(["is_good", "index"]).columns == ["is_good", "index"]
    reader.close()


def test_rows__written_by_anndata(tmp_path, counts):
    n = len(counts)
    table = pd.DataFrame(
        {
            "label": pd.Categorical.from_codes(np.arange(n) % 3 - 1, ["nan", "b"]),
            "ordered": pd.Categorical.from_codes(np.arange(n) % 2, ["low", "high"], ordered=True),
            "group": pd.Categorical(np.arange(n) % 3 + 10),
            "free": [f"text {number}" for number in range(n)],
            "whole": pd.array([None, *range(1, n)], dtype="Int32"),
            "truth": pd.array([None, *([True] * (n - 1))], dtype="boolean"),
            "small": np.arange(n, dtype=np.uint8),
            "share": np.where(np.arange(n) % 2, np.nan, 0.25).astype(np.float32),
        },
        index=[f"cell {number}" for number in range(n)],
    )
    data = anndata.AnnData(scipy.sparse.csr_matrix(counts.astype("f4")), table)
    data.write_h5ad(tmp_path / "a.h5ad")
    reader = H5adFormat.open(tmp_path / "a.h5ad")
    assert_same_table(reader.rows(), as_polars(table))
    assert [str(dtype) for dtype in reader.rows().dtypes] == [
        *("String", "String", "String", "Int64", "String", "Int32", "Boolean", "UInt8", "Float32")
    ]
    assert reader.genes()["index"].to_list() == [str(number) for number in range(counts.shape[1])]
    reader.close()


def test_rows__nullable_text_of_anndata(tmp_path, counts):
    table = pd.DataFrame({"label": pd.array(["a", None, "b"] * 12 + ["c"], dtype="string")}, index=map(str, range(37)))
    with anndata.settings.override(allow_write_nullable_strings=True):
        anndata.AnnData(counts.astype("f4"), table).write_h5ad(
            tmp_path / "a.h5ad", convert_strings_to_categoricals=False
        )
    reader = H5adFormat.open(tmp_path / "a.h5ad")
    assert reader.rows()["label"].to_list() == ["a", None, "b"] * 12 + ["c"]
    reader.close()


@pytest.mark.parametrize("with_references", [True, False])
def test_rows__of_the_legacy_encoding(tmp_path, counts, read_matrix, with_references):
    gene = [["STAT1", "RPL3", "non-targeting"][number % 3] for number in range(len(counts))]
    rows = replogle_rows(counts, gene, [f"ENSG_{name}" for name in gene], np.arange(37) % 2 + 1, unresolved=["RPL3"])
    genes = replogle_genes(
        counts, [f"ENSG{number}" for number in range(11)], ["HSPA14"] * 2 + [f"S{n}" for n in range(9)]
    )
    path = write_replogle(tmp_path / "a.h5ad", counts, rows, genes, with_references=with_references)
    reader = H5adFormat.open(path)
    assert reader.format == "h5ad (dense)"
    assert reader.rows().equals(rows)
    assert reader.genes().equals(genes)
    assert set(reader.rows()["gene_id"]) == {"ENSG_STAT1", "nan", "ENSG_non-targeting"}
    np.testing.assert_array_equal(read_matrix(reader, 1000), counts)
    reader.close()
    if with_references:
        oracle = by_anndata(path)
        assert_same_table(rows, as_polars(oracle.obs))
        np.testing.assert_array_equal(oracle.X, counts)


def test_rows__of_compound_tables(tmp_path, counts, cells, genes, read_matrix):
    """Before AnnData 0.7 a table was one dataset of records, its categories in ``uns``."""
    obs = np.zeros(len(counts), [("index", "S12"), ("cluster", "i1"), ("n", "<f4")])
    obs["index"], obs["cluster"], obs["n"] = cells["index"].to_list(), np.arange(len(counts)) % 3 - 1, 0.5
    var = np.zeros(counts.shape[1], [("index", h5py.string_dtype())])
    var["index"] = genes["index"].to_list()
    sparse = scipy.sparse.csr_matrix(counts)
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        file["obs"], file["var"] = obs, var
        file.create_dataset("uns/cluster_categories", data=["T", "B"], dtype=h5py.string_dtype())
        group = file.create_group("X")
        group.attrs.update({"h5sparse_format": "csr", "h5sparse_shape": counts.shape})
        group.update({"data": sparse.data, "indices": sparse.indices, "indptr": sparse.indptr})
    reader = H5adFormat.open(tmp_path / "a.h5ad")
    rows = reader.rows()
    assert rows["index"].equals(cells["index"])
    assert rows["cluster"].to_list()[:4] == [None, "T", "B", None]
    assert rows["n"].unique().to_list() == [0.5]
    assert reader.genes().equals(genes.select("index"))
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


def test_rows__latin_1_is_read_value_by_value(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    with h5py.File(path, "r+") as file:
        del file["obs/barcode_note"]
        file["obs/barcode_note"] = np.array(["10 µM".encode("latin-1"), "10 µM".encode()] + [b"x"] * 35)
    reader = H5adFormat.open(path)
    assert reader.rows()["barcode_note"].to_list()[:3] == ["10 µM", "10 µM", "x"]
    reader.close()


def test_rows__a_column_called_index_does_not_hide_the_key(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells.with_columns(index_=pl.col("gem_group")), genes)
    with h5py.File(path, "r+") as file:
        file.move("obs/index_", "obs/index")
        order = [name if name != "index_" else "index" for name in file["obs"].attrs["column-order"]]
        file["obs"].attrs["column-order"] = order
    reader = H5adFormat.open(path)
    assert reader.row_columns()[-1] == "index_"
    assert reader.rows(["index"])["index"].equals(cells["index"])
    assert reader.rows(["index_"])["index_"].equals(cells["gem_group"].alias("index_"))
    reader.close()


def test_rows__may_have_the_same_barcode_twice(tmp_path, counts, cells, genes):
    same = cells.with_columns(index=pl.lit("AAAC-1"))
    reader = H5adFormat.open(write_h5ad(tmp_path / "a.h5ad", counts, same, genes))
    assert reader.rows(["index"])["index"].n_unique() == 1
    reader.close()


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("perturbaton", "did you mean 'perturbation'?"), ("_index", "call it 'index'"), ("zzz", "known: ")],
)
def test_rows__an_unknown_column_names_the_nearest(tmp_path, counts, cells, genes, asked, hint):
    reader = H5adFormat.open(write_h5ad(tmp_path / "a.h5ad", counts, cells, genes))
    with pytest.raises(SourceFormatError, match="There is no column") as caught:
        reader.rows(["index", asked])
    assert hint in str(caught.value)
    reader.close()


def test_matrix__raw_has_genes_of_its_own(tmp_path, counts, cells, genes, read_matrix):
    path = write_h5ad(tmp_path / "a.h5ad", counts[:, :4] / 7, cells, genes.head(4), raw=(counts, genes))
    reader = H5adFormat.open(path, matrix="raw/X")
    assert reader.genes().equals(genes)
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()
    with h5py.File(path, "r+") as file:
        file.move("raw/X", "raw.X")
        file.move("raw/var", "raw.var")
    reader = H5adFormat.open(path, matrix="raw.X")
    assert reader.n_genes == genes.height
    reader.close()


def test_matrix__an_unknown_name_lists_those_there_are(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, layers={"counts": counts})
    with pytest.raises(SourceFormatError, match=r"no matrix 'layers/count'.*\n.*\n.*did you mean 'layers/counts'"):
        H5adFormat.open(path, matrix="layers/count")
    with h5py.File(path, "r+") as file:
        del file["X"], file["layers/counts"]
    with pytest.raises(SourceFormatError, match="There is no matrix 'X'"):
        H5adFormat.open(path)


def test_matrix__the_only_one_is_read_where_there_is_no_x(tmp_path, counts, cells, genes, read_matrix):
    layers = {"counts": counts, "scaled": counts / 2}
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, layers=layers)
    with h5py.File(path, "r+") as file:
        del file["X"]
        file["X"] = h5py.Empty("f4")  # as AnnData writes None
        file["X"].attrs["encoding-type"] = "null"
    with pytest.raises(SourceFormatError, match=r"no X(.|\n)*layers/counts, layers/scaled(.|\n)*name the one"):
        H5adFormat.open(path)
    with h5py.File(path, "r+") as file:
        del file["layers/scaled"]
    reader = H5adFormat.open(path)
    assert reader.format.startswith("h5ad (layers/counts: csr")
    np.testing.assert_array_equal(read_matrix(reader, 500), counts)
    reader.close()


def test_matrix__behind_a_user_block_is_mapped_at_the_right_place(tmp_path, counts, cells, genes, read_matrix):
    path = tmp_path / "a.h5ad"
    write_h5ad(tmp_path / "plain.h5ad", counts.astype("f4"), cells, genes, layout="dense")
    with h5py.File(path, "w", userblock_size=1024) as file, h5py.File(tmp_path / "plain.h5ad") as plain:
        for name in plain:
            plain.copy(name, file)
        file.attrs.update(plain.attrs)
    reader = H5adFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, 500), counts)
    reader.close()


def test_matrix__in_chunks_of_columns_is_read_within_bounds(tmp_path, cells, genes, counts, read_matrix):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, layout="dense")
    with h5py.File(path, "r+") as file:
        attributes = dict(file["X"].attrs)
        del file["X"]
        file.create_dataset("X", data=counts, chunks=(len(counts), 1), compression="gzip").attrs.update(attributes)
    reader = H5adFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, 200), counts)
    reader.close()


def test_matrix__unsorted_indices_are_read_as_they_are(tmp_path, counts, cells, genes, read_matrix):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    with h5py.File(path, "r+") as file:
        start, stop = file["X/indptr"][1:3]
        for name in ("data", "indices"):
            file[f"X/{name}"][start:stop] = file[f"X/{name}"][start:stop][::-1]
    reader = H5adFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
def test_matrix__index_types(tmp_path, counts, cells, genes, read_matrix, dtype):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    with h5py.File(path, "r+") as file:
        for name in ("X/indptr", "X/indices"):
            values = file[name][...].astype(dtype)
            del file[name]
            file[name] = values
    reader = H5adFormat.open(path)
    assert {block.indices.dtype for block in reader.blocks()} == {np.dtype(np.int32)}
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


def test_matrix__without_cells_has_no_blocks(tmp_path, counts, cells, genes):
    for layout in ("csr", "dense"):
        path = write_h5ad(tmp_path / f"{layout}.h5ad", counts[:0], cells.head(0), genes, layout=layout)
        reader = H5adFormat.open(path)
        assert reader.n_rows == reader.rows().height == 0
        assert list(reader.blocks()) == []
        reader.close()


def test_write_h5ad_rows__same_file_content_as_at_once(tmp_path, counts, cells, genes, read_matrix):
    parts = [scipy.sparse.csr_array(counts[start : start + 10]) for start in range(0, len(counts), 10)]
    path = write_h5ad_rows(tmp_path / "a.h5ad", parts, cells, genes, chunk_length=16)
    reader = H5adFormat.open(path)
    assert reader.format == "h5ad (csr, gzip)"
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()
    np.testing.assert_array_equal(by_anndata(path).X.toarray(), counts)
