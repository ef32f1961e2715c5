"""Loom files: genes by cells, given by cell; keys are found, embeddings left out."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.loom import LoomFormat
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.loom import write_loom

N, G = 150, 70
COUNTS = np.random.default_rng(0).poisson(1.0, (N, G))
CELLS = pl.DataFrame({"index": [f"C{at}" for at in range(N)], "perturbation": ["NT", "STAT1", "JAK2"] * 50, "n": 1.5})
GENES = pl.DataFrame({"index": [f"G{at}" for at in range(G)], "Accession": [f"ENSG{at:011d}" for at in range(G)]})


@pytest.fixture
def path(tmp_path):
    return write_loom(tmp_path / "a.loom", COUNTS, CELLS, GENES, layers={"spliced": COUNTS * 2})


def test_loom__is_turned_to_cells_by_genes(path):
    reader = open_source(path)
    assert reader.format == "loom (genes by cells, gzip)"
    assert reader.rows().select(CELLS.columns).equals(CELLS)
    assert reader.genes().select(GENES.columns).equals(GENES)
    for block_bytes in (1, 8 * G * 100, 2**24):
        np.testing.assert_array_equal(assemble(reader, block_bytes), COUNTS)
    part = list(reader.stretch(70, 131, 8 * G * 10))
    assert [block.start for block in part][:2] == [70, 80]
    np.testing.assert_array_equal(np.concatenate([block.values for block in part]), COUNTS[70:131])
    reader.close()


def test_loom__keys_of_other_names_are_found(tmp_path):
    """As exporters call them that are not loompy."""
    path = write_loom(tmp_path / "a.loom", COUNTS, CELLS, GENES, gene_key="gene_short_name")
    with h5py.File(path, "r+") as file:
        file.move("col_attrs/CellID", "col_attrs/cell_barcode")
    reader = LoomFormat.open(path)
    assert reader.has_key
    assert reader.rows()["index"].equals(CELLS["index"])
    assert reader.genes()["index"].equals(GENES["Accession"].alias("index"))
    assert reader.genes()["gene_short_name"].to_list() == GENES["index"].to_list()
    reader.close()


def test_loom__has_layers(path):
    reader = LoomFormat.open(path, matrix="layers/spliced")
    assert reader.matrices == ("matrix", "layers/spliced")
    np.testing.assert_array_equal(assemble(reader), COUNTS * 2)
    reader.close()
    with pytest.raises(SourceFormatError, match="did you mean 'layers/spliced'"):
        LoomFormat.open(path, matrix="layers/splced")


def test_loom__embeddings_are_no_columns_and_cells_may_have_no_name(path):
    with h5py.File(path, "r+") as file:
        file["col_attrs/X_umap"] = np.zeros((N, 2))
        del file["col_attrs/CellID"]
        del file["row_attrs/Gene"]
    reader = LoomFormat.open(path)
    assert sorted(reader.row_columns()) == ["index", "n", "perturbation"]
    assert not reader.has_key
    assert reader.rows(["index"])["index"].to_list()[:2] == ["0", "1"]
    assert reader.genes()["index"].equals(GENES["Accession"].alias("index"))
    reader.close()


def test_loom__a_table_that_is_too_short_is_refused(path):
    with h5py.File(path, "r+") as file:
        del file["col_attrs/CellID"]
        file["col_attrs/CellID"] = [b"C0"]
    reader = LoomFormat.open(path)
    with pytest.raises(SourceFormatError, match="not as long as the table"):
        reader.rows(["index"])
    reader.close()
