"""Matrix Market triplets: any orientation, order and compression gives the matrix that SciPy reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.readers import mtx_entries
from ingest.readers.mtx import MtxFormat
from layouts.mtx import write_10x, write_mtx, write_scperturb


@pytest.mark.parametrize("compressed", [True, False])
def test_10x__as_cell_ranger_writes_it(tmp_path, counts, cells, genes, read_matrix, compressed):
    path = write_10x(tmp_path, counts, cells, genes, compressed=compressed)
    assert MtxFormat.recognises(path)
    reader = MtxFormat.open(path)
    assert reader.format == ("mtx (gzip)" if compressed else "mtx")
    assert reader.rows().equals(cells.select("index"))
    assert reader.genes().select("index", "gene_name").equals(genes)
    assert ("feature_type" in reader.genes().columns) == compressed
    assert {file.parent for file in reader.files} == {tmp_path}
    assert len(reader.files) == 3
    np.testing.assert_array_equal(read_matrix(reader, 500), counts)
    np.testing.assert_array_equal(read_matrix(reader), scipy.io.mmread(path, spmatrix=False).T.toarray())
    reader.close()


def test_scperturb__tables_of_r_are_joined_by_barcode(tmp_path, counts, cells, genes, read_matrix):
    path = write_scperturb(tmp_path, counts, cells, genes)
    reader = MtxFormat.open(path)
    assert reader.rows().equals(cells)
    assert reader.rows().schema == cells.schema
    assert reader.rows(["is_good", "index"]).columns == ["is_good", "index"]
    assert reader.genes().equals(genes.select("index"))
    assert len(reader.files) == 4
    np.testing.assert_array_equal(read_matrix(reader), counts)
    with pytest.raises(SourceFormatError, match="did you mean 'perturbation'"):
        reader.rows(["pertubation"])
    reader.close()


@pytest.mark.parametrize("order", ["cell", "gene", "shuffled"])
@pytest.mark.parametrize("genes_first", [True, False])
@pytest.mark.parametrize("kind", ["integer", "real"])
def test_matrix__any_orientation_and_order(tmp_path, counts, cells, genes, read_matrix, order, genes_first, kind):
    path = write_10x(tmp_path, counts, cells, genes, compressed=False)
    values = counts if kind == "integer" else counts / 4
    write_mtx(path, values, genes_first=genes_first, order=order)
    reader = MtxFormat.open(path)
    for block_bytes in (1, 400, 2**20):
        np.testing.assert_array_equal(read_matrix(reader, block_bytes), values)
    assert {block.data.dtype.kind for block in reader.blocks()} == {kind[0] if kind == "integer" else "f"}
    reader.close()


def test_matrix__sorted_entries_are_removed_on_close(tmp_path, counts, cells, genes, monkeypatch, read_matrix):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = write_10x(tmp_path / "data", counts, cells, genes)
    write_mtx(path, counts, order="shuffled")
    reader = MtxFormat.open(path)
    read_matrix(reader)
    assert list(folder.iterdir())
    reader.close()
    assert not list(folder.iterdir())
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


def test_matrix__square_is_taken_as_genes_by_cells(tmp_path, counts, cells, genes, read_matrix):
    square = counts[:11]
    path = write_10x(tmp_path, square, cells.head(11), genes)
    reader = MtxFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader), square)
    reader.close()


@given(
    shape=st.tuples(st.integers(1, 25), st.integers(1, 9)),
    density=st.floats(0, 1),
    block_bytes=st.integers(1, 2000),
    order=st.sampled_from(["cell", "gene", "shuffled"]),
    text_bytes=st.sampled_from([40, 2**20]),
)
def test_blocks__any_size_gives_the_same_matrix(
    tmp_path_factory, read_matrix, shape, density, block_bytes, order, text_bytes
):
    rng = np.random.default_rng(shape[0])
    matrix = (rng.random(shape) < density) * rng.integers(1, 99, shape)
    tables = [pl.DataFrame({"index": [f"n{number}" for number in range(side)]}) for side in shape]
    path = write_10x(tmp_path_factory.mktemp("mtx"), matrix, *tables, compressed=False)
    write_mtx(path, matrix, order=order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtx_entries, "TEXT_BYTES", text_bytes)
        reader = MtxFormat.open(path)
        np.testing.assert_array_equal(read_matrix(reader, block_bytes), matrix)
        reader.close()


def test_header__comments_blank_lines_and_tabs(tmp_path, counts, cells, genes, read_matrix):
    path = write_10x(tmp_path, counts, cells, genes, compressed=False)
    lines = path.read_text().splitlines()
    head = [lines[0].upper().replace("%%MATRIXMARKET", "%%MatrixMarket").replace(" ", "\t"), "% by hand", "%", ""]
    path.write_text("\n".join([*head, *(line.replace(" ", "\t") for line in lines[2:])]) + "\n\n")
    reader = MtxFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


def test_matrix__of_several_gzip_members(tmp_path, counts, cells, genes, read_matrix):
    path = write_10x(tmp_path, counts, cells, genes)
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:300]) + gzip.compress(raw[300:]))
    reader = MtxFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader), counts)
    reader.close()


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("banner", "reason"),
    [
        ("array integer general", "dense matrix as text"),
        ("coordinate pattern general", "no values"),
        ("coordinate complex general", "no measurement"),
        ("coordinate integer symmetric", "not symmetric"),
        ("coordinate integer skew-symmetric", "not symmetric"),
        ("coordinate", "write it as matrix coordinate integer general"),
        ("coordinate unsigned general", "write it as matrix coordinate integer general"),
    ],
)
def test_header__other_kinds_are_refused_with_a_reason(tmp_path, counts, cells, genes, banner, reason):
    path = write_10x(tmp_path, counts, cells, genes, compressed=False)
    rewrite(path, "coordinate integer general", banner)
    with pytest.raises(SourceFormatError, match="not one of counts") as caught:
        MtxFormat.open(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize("size", ["11 37", "11 37 -1", "11 37 many"])
def test_header__without_a_size_is_refused(tmp_path, counts, cells, genes, size):
    path = write_10x(tmp_path, counts, cells, genes, compressed=False)
    rewrite(path, f"11 37 {np.count_nonzero(counts)}\n", f"{size}\n")
    with pytest.raises(SourceFormatError, match="size of the matrix is not given"):
        MtxFormat.open(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: lines[:-4], "as many entries as it says"),
        (lambda lines: [*lines, "1 37 1"], "as many entries as it says"),
        (lambda lines: lines[:3], "as many entries as it says"),
        (lambda lines: [*lines[:-1], "1 38 1"], "cell from 1 to 37"),
        (lambda lines: [*lines[:-1], "12 37 1"], "gene from 1 to 11"),
        (lambda lines: [*lines[:-1], "0 37 1"], "gene from 1 to 11"),
        (lambda lines: [*lines[:-1], "-1 37 1"], "gene from 1 to 11"),
        (lambda lines: [*lines[:-1], "1 37"], "after line 3"),
        (lambda lines: [*lines[:-1], "1 37 1 1"], "after line 3"),
        (lambda lines: [*lines[:-1], "1 37 one"], "after line 3"),
        (lambda lines: [*lines[:-1], "1 37 1.5"], "after line 3"),
        (lambda lines: [*lines[:-1], "1 37 "], "after line 3"),
        (lambda lines: [*lines[:-1], "1 99999999999999999999 1"], "after line 3"),
        (lambda lines: [*lines[:-1], lines[-2]], "given twice"),
        (lambda lines: [*lines[:3], lines[-1], *lines[4:]], "given twice"),
    ],
)
def test_damage__of_entries_is_named(tmp_path, counts, cells, genes, damage, message):
    path = write_10x(tmp_path, counts, cells, genes, compressed=False)
    path.write_text("\n".join(damage(path.read_text().splitlines())) + "\n")
    reader = MtxFormat.open(path)
    with pytest.raises(SourceFormatError) as caught:
        list(reader.blocks())
    reader.close()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_damage__truncated_gzip_is_named(tmp_path, counts, cells, genes, share):
    path = write_10x(tmp_path, counts, cells, genes)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(SourceFormatError):
        list(MtxFormat.open(path).blocks())


def test_open__takes_no_name_of_a_matrix(tmp_path, counts, cells, genes):
    with pytest.raises(SourceFormatError, match="mtx holds one"):
        MtxFormat.open(write_10x(tmp_path, counts, cells, genes), matrix="X")
