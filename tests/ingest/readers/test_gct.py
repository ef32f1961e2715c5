"""GCT files: the same rows, genes and values as their HDF5 twins."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.layouts import write_gctx
from ingest.readers import gct_text
from ingest.readers.gct import GctFormat
from ingest.readers.gctx import GctxFormat
from layouts.gct import write_gct


@pytest.fixture(scope="module")
def signatures() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "index": ["S1", "S2", "S3", "S4"],
            "pert_idose": ["10 µM", None, '1 "µM"', "500 nM"],
            "distil_nsample": [3, None, 4, 5],
            "tas": [0.25, 0.5, None, 1.0],
            "plate": ["007", "010", "1", "2"],
        }
    )


@pytest.fixture(scope="module")
def measured() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "index": ["200814_at", "222103_at", "201453_x_at"],
            "pr_gene_title": ["proteasome, 'alpha'", 'a "quoted" title', "Ras"],
            "pr_is_lm": [1, 0, 1],
        }
    )


@pytest.fixture(scope="module")
def z_scores() -> np.ndarray:
    scores = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    scores[1, 2] = np.nan
    return scores


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_reader__same_as_the_hdf5_twin(tmp_path, z_scores, signatures, measured, read_matrix, encoding):
    text = GctFormat.open(write_gct(tmp_path / "a.gct", z_scores, signatures, measured, encoding=encoding))
    twin = GctxFormat.open(write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured, encoding=encoding))
    assert (text.n_rows, text.n_genes) == (twin.n_rows, twin.n_genes)
    assert text.rows().equals(twin.rows(text.row_columns()))
    assert text.genes().equals(twin.genes().select(text.genes().columns))
    np.testing.assert_array_equal(read_matrix(text).astype(np.float32), read_matrix(twin))
    text.close()
    twin.close()


def test_rows__numbers_are_numbers_and_identifiers_stay_text(tmp_path, z_scores, signatures, measured):
    reader = GctFormat.open(write_gct(tmp_path / "a.gct", z_scores, signatures, measured))
    assert reader.row_columns() == signatures.columns
    assert reader.rows().equals(signatures)
    assert reader.rows().schema == signatures.schema
    assert reader.genes().equals(measured)
    with pytest.raises(SourceFormatError, match="did you mean 'pert_idose'"):
        reader.rows(["pert_dose"])
    reader.close()


def test_rows__a_byte_that_r_escaped_is_read_as_the_character(tmp_path, z_scores, signatures, measured):
    escaped = signatures.with_columns(pl.col("pert_idose").str.replace("µ", "<b5>"))
    reader = GctFormat.open(write_gct(tmp_path / "a.gct", z_scores, escaped, measured))
    assert reader.rows().equals(signatures)
    reader.close()


def test_rows__an_id_field_that_repeats_the_key_is_left_out(tmp_path, z_scores, signatures, measured):
    both = [table.with_columns(id="index") for table in (signatures, measured)]
    reader = GctFormat.open(write_gct(tmp_path / "a.gct", z_scores, *both))
    assert "id" not in reader.row_columns() + reader.genes().columns
    reader.close()
    other = signatures.with_columns(id=pl.lit("other"))
    reader = GctFormat.open(write_gct(tmp_path / "b.gct", z_scores, other, measured))
    assert reader.rows(["id"])["id"].to_list() == ["other"] * 4
    reader.close()


def test_version_1_2__has_descriptions_and_no_metadata(tmp_path, z_scores, signatures, measured, read_matrix):
    path = write_gct(tmp_path / "a.gct", z_scores, signatures, measured, version="1.2")
    reader = GctFormat.open(path)
    assert reader.rows().equals(signatures.select("index"))
    assert reader.genes()["Description"].to_list() == measured["pr_gene_title"].to_list()
    np.testing.assert_array_equal(read_matrix(reader).astype(np.float32), z_scores)
    reader.close()


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "na", "-666", "-666.0"])
def test_matrix__missing_words_are_nan(tmp_path, z_scores, signatures, measured, read_matrix, word):
    path = write_gct(tmp_path / "a.gct", z_scores, signatures, measured)
    path.write_bytes(path.read_bytes().replace(b"\tnan", b"\t" + word.encode()))
    reader = GctFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader).astype(np.float32), z_scores)
    reader.close()


def test_text__compressed_windows_and_marked(tmp_path, z_scores, signatures, measured, read_matrix):
    path = write_gct(tmp_path / "a.gct", z_scores, signatures, measured, encoding="utf-8")
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")))
    assert GctFormat.recognises(path)
    reader = GctFormat.open(path)
    assert reader.format == "gct (gzip)"
    assert reader.rows().equals(signatures)
    np.testing.assert_array_equal(read_matrix(reader).astype(np.float32), z_scores)
    reader.close()


@given(shape=st.tuples(st.integers(1, 12), st.integers(1, 40)), block_bytes=st.integers(1, 4000))
def test_blocks__any_size_gives_the_same_matrix(tmp_path_factory, read_matrix, shape, block_bytes):
    values = np.random.default_rng(shape[1]).normal(size=shape)
    tables = [pl.DataFrame({"index": [f"n{number}" for number in range(side)]}) for side in shape]
    path = write_gct(tmp_path_factory.mktemp("gct") / "a.gct", values, *tables)
    reader = GctFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, block_bytes), values)
    reader.close()


def test_blocks__of_many_stretches_of_genes(tmp_path, read_matrix, monkeypatch):
    """Text that is parsed in many pieces gives the same matrix as in one."""
    monkeypatch.setattr(gct_text, "TEXT_BYTES", 1)
    values = np.random.default_rng(0).normal(size=(7, 400))
    tables = [pl.DataFrame({"index": [f"n{number}" for number in range(side)]}) for side in values.shape]
    reader = GctFormat.open(write_gct(tmp_path / "a.gct", values, *tables))
    np.testing.assert_array_equal(read_matrix(reader, 9000), values)
    assert len(reader._matrix().widths) > 10
    reader.close()


def replaced(old: bytes, new: bytes, count: int = -1):
    return lambda raw: raw.replace(old, new, count)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:20], "fields"),
        (lambda raw: raw[: raw.rindex(b"\n201453")], "as many genes as it says"),
        (lambda raw: raw[:-20], "damaged"),
        (lambda raw: raw + raw.splitlines(keepends=True)[-1], "as many genes as it says"),
        (replaced(b"3\t4\t2\t4", b"3\t4"), "sizes of the matrix are not given"),
        (replaced(b"3\t4\t2\t4", b"3\tfour\t2\t4"), "sizes of the matrix are not given"),
        (replaced(b"3\t4\t2\t4", b"3\t1000000000000\t2\t4"), "another number of fields"),
        (replaced(b"3\t4\t2\t4", b"1000000000000\t4\t2\t4"), "as many genes as it says"),
        (replaced(b"3\t4\t2\t4", b"3\t4\t2\t1000000000000"), "another number of fields"),
        (replaced(b"\tnan", b"\tlow"), "damaged"),
        (replaced(b"\tnan", b""), "damaged"),
        (replaced(b"\tS4\n", b"\tS4\tS5\n"), "another number of fields"),
    ],
)
def test_damage__is_named(tmp_path, z_scores, signatures, measured, damage, message):
    path = write_gct(tmp_path / "a.gct", z_scores, signatures, measured)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceFormatError) as caught:
        GctFormat.open(path).genes()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_damage__truncated_gzip_is_named(tmp_path, z_scores, signatures, measured):
    path = write_gct(tmp_path / "a.gct", z_scores, signatures, measured)
    path.write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(SourceFormatError, match="damaged"):
        GctFormat.open(path).genes()
