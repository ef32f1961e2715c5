"""A folder given where a file is: which matrix of those that programs leave in it is meant."""

from __future__ import annotations

import pytest

from featurestore.errors import SourceFormatError
from ingest.readers import folder as folders
from ingest.readers.folder import matrices_in
from ingest.readers.open import open_source
from layouts.mtx import write_10x
from layouts.tenx import write_10x_h5

MATRICES = (".mtx", ".mtx.gz", ".h5", ".h5ad", ".loom", ".zarr")


def matrix_of(folder, *names: str) -> str:
    """Make files of these names; a folder whose name ends in ``.zarr`` is one matrix."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    found = matrices_in(folder, lambda path: path.name.endswith(MATRICES))
    return found[0].relative_to(folder).as_posix() if found else ""


@pytest.mark.parametrize(
    ("meant", "others"),
    [
        ("outs/filtered_feature_bc_matrix.h5", ["outs/raw_feature_bc_matrix.h5", "outs/molecule_info.h5"]),
        ("filtered_feature_bc_matrix.h5", ["filtered_feature_bc_matrix/matrix.mtx.gz", "raw_feature_bc_matrix.h5"]),
        ("Solo.out/Gene/filtered/matrix.mtx", ["Solo.out/Gene/raw/matrix.mtx", "Solo.out/SJ/raw/matrix.mtx"]),
        ("Gene/raw/matrix.mtx", ["Gene/raw/UniqueAndMult-EM.mtx", "Velocyto/raw/spliced.mtx", "SJ/raw/matrix.mtx"]),
        ("UniqueAndMult-EM.mtx", []),
        ("counts_filtered/cells_x_genes.mtx", ["counts_unfiltered/cells_x_genes.mtx", "counts_filtered/adata.h5ad"]),
        ("a/cells_x_genes.mtx", ["a/cellranger/matrix.mtx.gz", "a/adata.loom", "a/adata.h5ad"]),
        ("a/cells_x_genes.cell.mtx", [f"a/cells_x_genes.{part}.mtx" for part in ("mature", "nascent", "ambiguous")]),
        ("a/abundance.gene.mtx", ["b/cells_x_tcc.mtx", "a/matrix.abundance.mtx", "a/matrix.efflens.mtx"]),
        ("alevin/quants_mat.mtx", ["alevin/quants.h5ad"]),
        ("alevin/quants_mat.mtx", ["quant.json", "alevin/quants_mat_rows.txt"]),
        ("all-sample/DGE_filtered/DGE.mtx", ["all-sample/DGE_unfiltered/DGE.mtx", "s1/DGE_filtered/DGE.mtx"]),
        ("DGE_filtered/count_matrix.mtx", ["DGE_filtered/anndata.h5ad", "DGE_unfiltered/count_matrix.mtx"]),
        ("per_sample_outs/s1/count/sample_filtered_feature_bc_matrix.h5", ["multi/count/raw_feature_bc_matrix.h5"]),
        ("K562_raw_singlecell.h5ad", []),
        ("cells.zarr", ["cells.zarr/X/c.h5", ".hidden.h5ad"]),
    ],
)
def test_matrix__that_a_program_left(tmp_path, meant, others):
    assert matrix_of(tmp_path, *others, *([] if meant.endswith(".zarr") else [meant])) == meant


@pytest.mark.parametrize(
    "names",
    [
        ("a_normalized.h5ad", "a_raw.h5ad"),
        ("Gene/filtered/matrix.mtx", "GeneFull/filtered/matrix.mtx"),
        ("s1/matrix.mtx", "s2/matrix.mtx"),
    ],
)
def test_matrix__of_several_none_is_guessed(tmp_path, names):
    with pytest.raises(SourceFormatError, match="several matrices") as caught:
        matrix_of(tmp_path, *names)
    assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize("parts", [("spliced", "unspliced"), ("cells_x_genes.mature", "cells_x_genes.nascent")])
def test_matrix__of_parts_says_where_their_sum_is(tmp_path, parts):
    with pytest.raises(SourceFormatError, match="--sum=cell"):
        matrix_of(tmp_path, *(f"{part}.mtx" for part in parts))


def test_matrix__of_a_heap_of_files_is_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST_ENTRIES", 3)
    with pytest.raises(SourceFormatError, match="too many files"):
        matrix_of(tmp_path, *"abcd")


def test_open_source__takes_the_matrix_of_a_folder(tmp_path, counts, cells, genes):
    write_10x(tmp_path / "filtered_feature_bc_matrix", counts, cells, genes)
    assert open_source(tmp_path).format == "mtx (gzip)"
    write_10x_h5(tmp_path / "filtered_feature_bc_matrix.h5", counts, cells, genes)
    assert open_source(tmp_path).path == tmp_path / "filtered_feature_bc_matrix.h5"
    assert open_source(tmp_path, format="mtx").path.name == "matrix.mtx.gz"


@pytest.mark.parametrize("content", [b"", b"no banner"])
@pytest.mark.parametrize("place", ["filtered", "raw"])
def test_open_source__of_a_folder_with_a_damaged_matrix_takes_no_other_file(
    tmp_path, counts, cells, genes, content, place
):
    for each in ("filtered", "raw")[: 1 + (place == "filtered")]:
        write_10x(tmp_path / each, counts, cells, genes, compressed=False)
    cells.write_csv(tmp_path / "cells.csv")
    damaged = tmp_path / "filtered" / "matrix.mtx"
    damaged.write_bytes(content)
    with pytest.raises(SourceFormatError, match=r"file is empty|no known format") as caught:
        open_source(tmp_path)
    assert str(damaged) in str(caught.value)


def test_open_source__says_what_a_folder_without_a_matrix_holds(tmp_path):
    (tmp_path / "notes.md").write_text("see the paper")
    with pytest.raises(SourceFormatError, match="holds no matrix") as caught:
        open_source(tmp_path)
    assert "notes.md" in str(caught.value)
