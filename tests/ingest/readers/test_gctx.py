"""GCTX files: signatures by genes, whatever the encoding of their text and of what is missing."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.layouts import write_gctx
from ingest.readers.gctx import GctxFormat

N_SIGNATURES, N_GENES = 9, 5


@pytest.fixture
def signatures() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "index": [f"CPC004_A375_6H:BRD-K{number}:10" for number in range(N_SIGNATURES)],
            "pert_idose": ["10 µM", "-666", None] * 3,
            "pert_dose": ["300.0|300.000000", "-666.0", "10"] * 3,
            "pert_time": [6, None, 24] * 3,
            "distil_ss": pl.Series([3.5, None, 2.25] * 3, dtype=pl.Float32),
            "brew/prefix": ["CPC004_A375_6H"] * N_SIGNATURES,
        }
    )


@pytest.fixture
def measured() -> pl.DataFrame:
    return pl.DataFrame({"index": ["5720", "466", "6009", "2309", "387"], "pr_gene_symbol": list("ABCDE")})


@pytest.fixture
def z_scores() -> np.ndarray:
    scores = np.random.default_rng(3).normal(size=(N_SIGNATURES, N_GENES)).astype(np.float32)
    scores[2, 1], scores[4, 4] = np.nan, -666
    return scores


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunk_rows", [None, 1, 4])
@pytest.mark.parametrize("version_in_array", [True, False])
def test_matrix__missing_is_nan(
    tmp_path, z_scores, signatures, measured, read_matrix, dtype, chunk_rows, version_in_array
):
    path = tmp_path / "a.gctx"
    write_gctx(
        path, z_scores.astype(dtype), signatures, measured, chunk_rows=chunk_rows, version_in_array=version_in_array
    )
    assert GctxFormat.recognises(path)
    reader = GctxFormat.open(path)
    assert reader.format == ("gctx (dense, gzip)" if chunk_rows else "gctx (dense)")
    expected = np.where(z_scores == -666, np.nan, z_scores)
    for block_bytes in (1, 70, 2**20):
        np.testing.assert_array_equal(read_matrix(reader, block_bytes), expected)
    reader.close()


def test_matrix__of_whole_numbers_is_given_as_floats(tmp_path, signatures, measured, read_matrix):
    ranks = np.arange(N_SIGNATURES * N_GENES).reshape(N_SIGNATURES, N_GENES)
    ranks[0, 0] = -666
    reader = GctxFormat.open(write_gctx(tmp_path / "a.gctx", ranks, signatures, measured))
    expected = ranks.astype(float)
    expected[0, 0] = np.nan
    np.testing.assert_array_equal(read_matrix(reader), expected)
    reader.close()


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_rows__text_is_decoded_and_missing_is_null(tmp_path, z_scores, signatures, measured, encoding):
    reader = GctxFormat.open(write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured, encoding=encoding))
    rows = reader.rows(signatures.columns)
    assert rows["pert_idose"].to_list() == ["10 µM", None, None] * 3
    assert rows["pert_dose"].to_list() == ["300.0|300.000000", None, "10"] * 3
    assert rows["pert_time"].to_list() == [6, None, 24] * 3
    assert rows["distil_ss"].equals(signatures["distil_ss"])
    assert reader.row_columns()[0] == "index"
    assert set(reader.row_columns()) == set(signatures.columns)
    assert reader.genes().equals(measured)
    reader.close()


def test_rows__padding_is_stripped(tmp_path, z_scores, signatures, measured):
    path = write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured)
    with h5py.File(path, "r+") as file:
        del file["0/META/COL/pert_dose"]
        file["0/META/COL/pert_dose"] = np.array([b"1  ", b" 2\0\0", b"3"] * 3, dtype="S8")
    reader = GctxFormat.open(path)
    assert reader.rows(["pert_dose"])["pert_dose"].to_list() == ["1", " 2", "3"] * 3
    reader.close()


def test_rows__only_identifiers_as_in_public_files(tmp_path, z_scores, signatures, measured):
    reader = GctxFormat.open(write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured, with_metadata=False))
    assert reader.rows().equals(signatures.select("index"))
    assert reader.genes().equals(measured.select("index"))
    reader.close()


def test_rows__an_unknown_field_names_the_nearest(tmp_path, z_scores, signatures, measured):
    reader = GctxFormat.open(write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured))
    with pytest.raises(SourceFormatError, match="did you mean 'pert_dose'"):
        reader.rows(["pert_does"])
    with pytest.raises(SourceFormatError, match="call it 'index'"):
        reader.rows(["id"])
    reader.close()


def remove(file: h5py.File, name: str) -> None:
    del file[name]


def put(file: h5py.File, name: str, **how: object) -> None:
    del file[name]
    file.create_dataset(name, **how)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: remove(file, "0/DATA"), "matrix' is missing"),
        (lambda file: remove(file, "0/META/COL"), "0/META/COL' is missing"),
        (lambda file: remove(file, "0/META/ROW/id"), "'id' is missing"),
        (lambda file: put(file, "0/DATA/0/matrix", data=np.zeros((N_GENES, N_SIGNATURES))), "does not fit"),
        (lambda file: put(file, "0/DATA/0/matrix", data=np.zeros(4)), "not two-dimensional"),
        (
            lambda file: put(file, "0/DATA/0/matrix", shape=(N_SIGNATURES, N_GENES), dtype="f4"),
            "not written to the end",
        ),
        (lambda file: put(file, "0/META/COL/pert_time", data=[1, 2]), "not as long as the table"),
        (lambda file: put(file, "0/META/COL/pert_time", data=np.zeros((N_SIGNATURES, 2))), "shape (9, 2)"),
    ],
)
def test_damage__is_named(tmp_path, z_scores, signatures, measured, damage, message):
    path = write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured)
    with h5py.File(path, "r+") as file:
        damage(file)
    assert GctxFormat.recognises(path)
    with pytest.raises(SourceFormatError) as caught:
        GctxFormat.open(path).rows()
    assert message in str(caught.value)


def test_damage__a_truncated_file_is_refused(tmp_path, z_scores, signatures, measured):
    path = write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceFormatError, match="damaged"):
        GctxFormat.open(path)


def test_open__takes_no_name_of_a_matrix(tmp_path, z_scores, signatures, measured):
    path = write_gctx(tmp_path / "a.gctx", z_scores, signatures, measured)
    with pytest.raises(SourceFormatError, match="gctx holds one"):
        GctxFormat.open(path, matrix="layers/counts")
