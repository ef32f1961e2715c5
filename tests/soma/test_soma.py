"""Experiments of TileDB-SOMA, written by tiledbsoma itself, are what their h5ad is; run by ``make test-soma``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from contextlib import closing

import anndata
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tiledbsoma = pytest.importorskip("tiledbsoma", reason="part of make test-soma")
    io = pytest.importorskip("tiledbsoma.io")

from featurestore.errors import SourceFormatError
from ingest.conditions.counted_beside import counts_beside
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers import soma, soma_child
from ingest.readers.open import open_source
from ingest.testing import CHECKS, Case, assemble
from layouts.examples import CELLS, COUNTS, GENES, SPEC

pytestmark = pytest.mark.filterwarnings("ignore")


def cells(key=None):
    """The example's cells as AnnData, counts beside logarithms."""
    obs, var = (table.to_pandas().set_index("index") for table in (CELLS, GENES))
    obs.index.name, var.index.name = None, key
    counts = scipy.sparse.csr_matrix(COUNTS.astype(np.float32))
    data = anndata.AnnData(counts, obs=obs, var=var, layers={"logged": counts.log1p()})
    data.raw = data
    return data


def written(folder, data, name="RNA", **how):
    io.from_anndata((folder / "soma").as_posix(), data, name, **how)
    return folder / "soma"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return written(tmp_path_factory.mktemp("soma"), cells())


@pytest.mark.parametrize("check", CHECKS)
def test_soma__keeps_the_contract(path, check):
    check(Case(soma.SomaFormat, path))


@pytest.mark.parametrize("key", [None, "gene_id", "index"])
def test_soma__is_what_was_written_with_genes_keyed_by_name(tmp_path, key):
    reader = open_source(written(tmp_path, cells(key)))
    assert reader.format == "soma (RNA, data: coordinates)"
    assert reader.matrices == ("ms/RNA/X/data", "ms/RNA/X/logged", "ms/raw/X/data")
    assert reader.rows().equals(CELLS)
    assert reader.genes().equals(GENES)
    for block_bytes in (1, 200, 2**20):
        np.testing.assert_array_equal(assemble(reader, block_bytes), COUNTS)
    assert {block.data.dtype for block in reader.blocks()} == {np.dtype(np.float32)}
    reader.close()


def test_ingest__has_the_tables_of_its_twin(path, tmp_path):
    shutil.copytree(path, tmp_path / "a.soma")
    cells().write_h5ad(tmp_path / "a.h5ad")
    made = {}
    for name in ("a.h5ad", "a.soma"):
        (tmp_path / "twin.toml").write_text(SPEC.format(name), encoding="utf-8")
        manifest = ingest_dataset(tmp_path / "twin.toml", tmp_path / name.replace(".", "_")).manifest
        made[name] = {file["path"]: file["blake3"] for file in manifest["files"] if file["table"] != "dataset"}
        assert [file["name"] for file in manifest["inputs"]] == [name], "a folder is one input"
    assert made["a.soma"] == made["a.h5ad"]
    assert inspect_file(tmp_path / "a.soma").values.kind == "counts"


def by_hand(folder, ids, measured):
    """Write an experiment with join ids of one's own; ``measured`` has genes and whole counts by measurement."""

    def add(owner, name, joined, key):
        table = pa.table({"soma_joinid": joined[::-1], key: [f"{name}{at}" for at in joined[::-1]]})
        owner.add_new_dataframe(name, schema=table.schema, domain=[[0, 20]]).write(table)

    with tiledbsoma.Experiment.create((folder / "soma").as_posix()) as experiment:
        add(experiment, "obs", ids, "obs_id")
        parts = experiment.add_new_collection("ms")
        for name, (genes, values) in measured.items():
            part = parts.add_new_collection(name, tiledbsoma.Measurement)
            add(part, "var", genes, "var_id")
            matrix = part.add_new_collection("X").add_new_sparse_ndarray("data", type=pa.int32(), shape=(21, 21))
            rows, columns = (each.ravel() for each in np.meshgrid(ids, genes, indexing="ij"))
            matrix.write(pa.table({"soma_dim_0": rows, "soma_dim_1": columns, "soma_data": values.ravel()}))
    return folder / "soma"


def test_join_ids__with_gaps_and_out_of_order_are_found_and_other_measurements_are_columns(tmp_path):
    ids, genes, proteins = np.array([2, 5, 6, 9]), np.array([1, 3, 4]), np.array([7, 8])
    counts, of_proteins = (np.arange(1, 1 + 4 * n, dtype=np.int32).reshape(4, n) for n in (3, 2))
    reader = open_source(by_hand(tmp_path, ids, {"gex": (genes, counts), "adt": (proteins, of_proteins)}))
    assert reader.format == "soma (gex, data: coordinates)"
    assert reader.modalities == {"adt": "2 features", "gex": "3 features, read"}
    assert reader.rows()["index"].to_list() == [f"obs{at}" for at in ids]
    assert reader.genes()["index"].to_list() == [f"var{at}" for at in genes]
    np.testing.assert_array_equal(assemble(reader, 1), counts)
    assert np.concatenate([block.data for block in reader.stretch(1, 3)]).tolist() == counts[1:3].ravel().tolist()
    assert counts_beside(reader, ["adt:var8"])["adt:var8"].to_list() == of_proteins[:, 1].tolist()
    reader.close()


def test_streams__of_one_experiment_do_not_mix(path):
    with closing(open_source(path)) as reader:
        one, other = (reader.blocks(200) for _ in range(2))
        seen = [next(one).data, next(other).data, reader.genes().height, next(one).data, next(other).data]
        del one
        np.testing.assert_array_equal(seen[0], seen[1])
        np.testing.assert_array_equal(seen[3], seen[4])
        np.testing.assert_array_equal(assemble(reader, 200), COUNTS)
        rest = np.concatenate([seen[1], seen[4], *(block.data for block in other)])
        np.testing.assert_array_equal(rest, COUNTS[COUNTS > 0])


def test_process__that_ends_is_told_and_ends_with_its_reader(path):
    with closing(open_source(path)) as reader:
        ends = reader._process._process
        ends.terminate()
        with pytest.raises(SourceFormatError, match=r"ended tiledbsoma's process \(signal SIGTERM"):
            reader.rows()
        with pytest.raises(SourceFormatError):
            reader.rows()
    with closing(open_source(path)) as reader:
        ends = reader._process._process
    assert ends.returncode is not None


@pytest.mark.skipif(not soma_child.STATUS.exists(), reason="the system does not say what a process takes")
def test_process__takes_no_more_memory_than_an_experiment_can_need(path):
    """Sizes in a damaged file may claim any; beyond a gigabyte, 300 times the experiment is left to be taken."""
    program = (
        "import sys; from pathlib import Path; from ingest.readers import soma_child as child; "
        "child.limit_memory(Path(sys.argv[1])); bytearray(2**28); print('took'); bytearray(2**31)"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, path], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "took\n"
    assert "MemoryError" in ended.stderr


def test_part__that_lies_elsewhere_is_refused(path, tmp_path):
    """A group may name the absolute address of a part, where the experiment was written."""
    shutil.copytree(path, tmp_path / "made")
    with tiledbsoma.open((tmp_path / "made").as_posix(), "w") as experiment:
        del experiment["obs"]
    with tiledbsoma.open((tmp_path / "made").as_posix(), "w") as experiment:
        cells_there = tiledbsoma.open((path / "obs").as_posix())
        experiment.set("obs", cells_there, use_relative_uri=False)
    with pytest.raises(SourceFormatError, match="obs lies elsewhere, at file:"):
        open_source(tmp_path / "made")


def test_dense_matrix__is_read_by_cell(tmp_path):
    reader = open_source(written(tmp_path, cells(), X_kind=tiledbsoma.DenseNDArray))
    assert reader.format == "soma (RNA, data: dense)"
    np.testing.assert_array_equal(assemble(reader, 100), COUNTS)
    reader.close()


def test_matrix__that_is_not_told_or_not_there_is_asked_for(tmp_path, path):
    other = written(tmp_path, cells(), name="first")
    assert open_source(other).format == "soma (first, data: coordinates)", "raw is no choice"
    with pytest.raises(SourceFormatError, match="did you mean 'ms/RNA/X/logged'"):
        open_source(path, matrix="ms/RNA/X/loged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tiledbsoma", None)
        with pytest.raises(SourceFormatError, match=r"(?s)not installed.*featurestore\[soma\]"):
            open_source(path)
