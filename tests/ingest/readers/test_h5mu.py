"""MuData files: RNA is read, what other modalities say of a cell is joined by its barcode, and guides are called."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.conditions.counted_beside import call_guides
from ingest.readers.h5ad import H5adFormat
from ingest.readers.h5mu import H5muFormat
from ingest.readers.open import open_source
from layouts.h5mu import HEAD, write_h5mu

N = 12
KEYS = [f"CELL{at}" for at in range(N)]
LABELS = [f"{['STAT1', 'NT', 'JAK2'][at % 3]}g{at % 2}" for at in range(N)]
RNA = np.random.default_rng(0).poisson(2.0, (N, 5))
GUIDES = np.random.default_rng(1).poisson(4.0, (N, 3))
GENES = pl.DataFrame({"index": ["TP53", "MYC", "STAT1", "JAK2", "ACTB"]})
GUIDE_TABLE = pl.DataFrame({"index": ["STAT1g0", "NTg1", "JAK2g0"]})
BACK = np.arange(N)[::-1]


def parts(**others):
    """RNA of all cells, and guides of most of them, the other way round."""
    rna = (RNA, pl.DataFrame({"index": KEYS, "batch": ["a", "b"] * 6}), GENES)
    kept = BACK[2:]
    labels = pl.DataFrame(
        {"index": [KEYS[at] for at in kept], "guide_ID": [LABELS[at] for at in kept], "batch": "other"}
    )
    return {"adt": (RNA[:, :2], rna[1], GENES.head(2)), "rna": rna, "gdo": (GUIDES[kept], labels, GUIDE_TABLE)} | others


@pytest.fixture
def path(tmp_path):
    return write_h5mu(tmp_path / "a.h5mu", parts())


def test_h5mu__is_told_from_anndata_by_its_content(path):
    assert path.read_bytes().startswith(HEAD)
    assert not H5adFormat.recognises(path)
    reader = open_source(path)
    assert reader.format == "h5mu (rna: csr)"
    assert reader.modalities == {"adt": "12 x 2", "rna": "12 x 5, read", "gdo": "10 x 3"}
    assert reader.matrices == ("mod/rna/X",)
    reader.close()


def test_rows__of_other_modalities_are_joined_by_barcode(path, read_matrix):
    reader = H5muFormat.open(path)
    np.testing.assert_array_equal(read_matrix(reader, 100), RNA)
    assert reader.row_columns() == ["index", "batch", "gdo:guide_ID"]
    rows = reader.rows()
    assert rows["index"].to_list() == KEYS
    assert rows["batch"].to_list() == ["a", "b"] * 6, "its own column comes before another's of that name"
    assert rows["gdo:guide_ID"].to_list() == [*LABELS[:10], None, None]
    reader.close()


def test_rows__of_the_common_table_are_there_once(tmp_path):
    common = pl.DataFrame({"index": KEYS[::-1], "line": LABELS[::-1], "gdo:guide_ID": "pulled", "rna:batch": "pulled"})
    reader = H5muFormat.open(write_h5mu(tmp_path / "a.h5mu", parts(), common=common))
    assert reader.row_columns() == ["index", "batch", "line", "gdo:guide_ID"]
    assert reader.rows(["line"])["line"].to_list() == LABELS
    assert reader.rows(["gdo:guide_ID"])["gdo:guide_ID"].to_list()[:2] == LABELS[:2]
    reader.close()


def test_rows__of_modalities_that_share_genes_are_not_joined(tmp_path):
    """Barcodes of other samples' cells are other cells, even where they read the same."""
    reader = H5muFormat.open(write_h5mu(tmp_path / "a.h5mu", parts(), axis=1))
    assert reader.row_columns() == ["index", "batch"]
    assert reader.counted("gdo") is None
    reader.close()


def test_rows__a_barcode_that_comes_twice_is_refused_where_it_is_joined_by(tmp_path):
    twice = pl.DataFrame({"index": ["CELL0", "CELL0"], "guide_ID": ["a", "b"]})
    path = write_h5mu(tmp_path / "a.h5mu", parts(gdo=(GUIDES[:2], twice, GUIDE_TABLE)))
    reader = H5muFormat.open(path)
    with pytest.raises(SourceFormatError, match=r"(?s)comes twice.*'CELL0'"):
        reader.rows(["gdo:guide_ID"])
    reader.close()


def test_guides__are_called_from_their_own_modality(path):
    reader = H5muFormat.open(path)
    names = GUIDE_TABLE["index"].to_list()
    calls = ["|".join(name for name, n in zip(names, GUIDES[at], strict=True) if n >= 5) or None for at in range(N)]
    assert call_guides(reader, 5).to_list() == [*calls[:10], None, None]
    reader.close()


def test_matrix__of_another_modality_is_read_where_it_is_asked_for(path, read_matrix):
    reader = H5muFormat.open(path, matrix="mod/gdo/X")
    np.testing.assert_array_equal(read_matrix(reader, 100), GUIDES[BACK[2:]])
    assert reader.rows(["guide_ID"])["guide_ID"][0] == LABELS[9]
    assert reader.counted("gdo") is None
    reader.close()
    with pytest.raises(SourceFormatError, match="did you mean 'mod/gdo/X'"):
        H5muFormat.open(path, matrix="mod/gda/X")


def test_modality__of_rna_that_is_not_told_is_asked_for(tmp_path):
    first, second = parts()["rna"], parts()["gdo"]
    path = write_h5mu(tmp_path / "a.h5mu", {"one": first, "two": second})
    with pytest.raises(SourceFormatError, match=r'(?s)not told.*one, two.*matrix = "mod/one/X"'):
        H5muFormat.open(path)
    reader = H5muFormat.open(write_h5mu(tmp_path / "b.h5mu", {"one": first}))
    assert reader.modality == "one"
    reader.close()


def test_modality__that_is_a_mudata_itself_is_left_out(path):
    with h5py.File(path, "r+") as file:
        file.copy("mod", file["mod/adt"])
    reader = H5muFormat.open(path)
    assert list(reader.modalities) == ["rna", "gdo"]
    reader.close()
