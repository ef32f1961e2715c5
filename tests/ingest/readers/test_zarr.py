"""AnnData and MuData as Zarr, written by AnnData: the same as HDF5's, and nothing that was lost passes for zeros."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from featurestore.errors import SourceFormatError
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.readers.notes import has_note, note
from ingest.readers.open import open_source
from ingest.readers.zarr import ZarrFormat, open_store
from ingest.readers.zarr_storage import Mirror
from ingest.testing import assemble
from layouts.examples import CELLS, COUNTS, GENES, SPEC
from layouts.zarr import write_zarr, zipped

LAYOUTS = {
    "v2": {"version": 2},
    "v2 dense": {"version": 2, "layout": "dense"},
    "v3 csc": {"layout": "csc"},
    "v3 csr sharded": {"sharded": (16, 64)},
    "v3 dense sharded": {"sharded": (5, 10), "layout": "dense"},
}


def write(folder, **how):
    return write_zarr(folder / "a.zarr", COUNTS, CELLS, GENES, **how)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_zarr__is_what_was_written(tmp_path, layout):
    path = write(tmp_path, **LAYOUTS[layout])
    reader = open_source(path)
    assert reader.rows().equals(CELLS)
    assert reader.genes().equals(GENES)
    np.testing.assert_array_equal(assemble(reader, 200), COUNTS)
    reader.close()


def test_zarr__packed_is_the_same_whether_members_are_deflated_or_in_a_folder(tmp_path):
    path = write(tmp_path, sharded=(16, 64))
    packed = zipped(path)
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as other:
        for name in archive.namelist():
            other.writestr(f"a.zarr/{name}", archive.read(name))
    for each in (packed, tmp_path / "b.zip"):
        reader = open_source(each)
        assert reader.format == "zarr (v3, csr, zstd, sharded)"
        assert reader.rows().equals(CELLS)
        np.testing.assert_array_equal(assemble(reader), COUNTS)
        reader.close()


def test_zarr__reads_the_only_layer_where_there_is_no_x(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", None, CELLS, GENES, layers={"counts": COUNTS})
    reader = open_source(path)
    assert reader.matrices == ("layers/counts",)
    np.testing.assert_array_equal(assemble(reader), COUNTS)
    reader.close()


def test_zarr__an_absent_raw_that_stands_as_null_is_no_matrix(tmp_path):
    path = write(tmp_path)
    assert json.loads((path / "raw" / "zarr.json").read_text())["attributes"]["encoding-type"] == "null"
    reader = open_source(path)
    assert reader.matrices == ("X",)
    reader.close()


def test_notes__are_read_of_zarr_as_of_hdf5(tmp_path):
    path = write(tmp_path, uns={"log1p": {"base": 2.0}, "organism": "Homo sapiens"})
    assert note(path, "uns/log1p/base") == 2.0
    assert note(path, "uns/organism") == "Homo sapiens"
    assert has_note(path, "uns/log1p")
    assert not has_note(path, "uns/species")


def test_files__are_those_that_a_release_depends_on(tmp_path):
    path = write(tmp_path, layers={"scaled": COUNTS})
    (path / "obs" / ".DS_Store").write_bytes(b"of the system")
    reader = open_source(path)
    tops = {file.relative_to(path).parts[:2] for file in reader.files}
    reader.close()
    assert {("obs", "perturbation"), ("var", "gene_name"), ("X", "data"), ("zarr.json",)} <= tops
    assert ("obs", ".DS_Store") not in tops
    assert not {top for top in tops if top[0] in {"obsm", "uns"} or top == ("layers", "scaled")}


def test_ingest__of_zarr_has_the_tables_of_its_twin(tmp_path):
    write_h5ad(tmp_path / "a.h5ad", COUNTS, CELLS, GENES)
    zipped(write(tmp_path, sharded=(16, 64)))
    made = {}
    for name in ("a.h5ad", "a.zarr", "a.zarr.zip"):
        spec = tmp_path / "twin.toml"
        spec.write_text(SPEC.format(name), encoding="utf-8")
        manifest = ingest_dataset(spec, tmp_path / name.replace(".", "_")).manifest
        made[name] = {file["path"]: file["blake3"] for file in manifest["files"] if file["table"] != "dataset"}
        assert [file["name"] for file in manifest["inputs"]] == [name], "a folder is one input"
    assert made["a.zarr"] == made["a.zarr.zip"] == made["a.h5ad"]


def test_ingest__of_the_same_store_changes_nothing_and_of_another_chunk_does(tmp_path):
    path = write(tmp_path)
    spec = tmp_path / "twin.toml"
    spec.write_text(SPEC.format("a.zarr"), encoding="utf-8")
    first = ingest_dataset(spec, tmp_path / "w")
    shutil.rmtree(path / "obsm")
    again = ingest_dataset(spec, tmp_path / "w")
    assert (again.is_new, again.release_id) == (False, first.release_id)
    shutil.rmtree(path)
    write_zarr(path, COUNTS + (COUNTS > 3), CELLS, GENES)
    assert ingest_dataset(spec, tmp_path / "w").release_id != first.release_id


def test_far_store__gives_each_chunk_once_however_small_the_blocks(tmp_path):
    path = write(tmp_path, sharded=(16, 64))
    sizes = {file.relative_to(path).as_posix(): file.stat().st_size for file in path.rglob("*") if file.is_file()}
    fetched = []

    def read_range(key, start, length):
        fetched.append((key, start, length))
        return (path / key).read_bytes()[start : start + length]

    reader = open_store(Mirror(tmp_path / "far", sizes, read_range))
    fetched.clear()
    np.testing.assert_array_equal(assemble(reader, 200), COUNTS)
    assert len(fetched) == len(set(fetched))
    assert sum(length for key, _, length in fetched if key.startswith("X/data")) <= sum(
        size for key, size in sizes.items() if key.startswith("X/data/c")
    )


def test_mudata__as_zarr_is_read_as_its_hdf5(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", None, CELLS.select("index"), GENES.head(0))
    for name, rows in (("rna", CELLS.select("index", "gem_group")), ("gdo", CELLS)):
        write_zarr(tmp_path / name, COUNTS, rows, GENES)
        shutil.move(tmp_path / name, path / "mod" / name)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["encoding-type"] = "MuData"
    (path / "zarr.json").write_text(json.dumps(root))
    (path / "mod" / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group"}))
    reader = open_source(path)
    assert reader.format == "zarr (v3, rna: csr, zstd)"
    assert reader.rows(["gdo:perturbation"])["gdo:perturbation"].equals(CELLS["perturbation"])
    np.testing.assert_array_equal(assemble(reader), COUNTS)
    reader.close()


def data_chunk(path: Path) -> Path:
    return next(file for file in sorted(path.glob("X/data/c/*")) if file.is_file())


def refused(path):
    with pytest.raises(SourceFormatError) as caught:
        reader = ZarrFormat.open(path)
        reader.rows()
        for _ in reader.blocks():
            pass
    return str(caught.value)


@pytest.mark.parametrize("sharded", [None, (16, 64)])
def test_damage__a_lost_chunk_of_values_is_not_zeros(tmp_path, sharded):
    """Zarr, and AnnData with it, would read the values of a file that was not copied as 0."""
    path = write(tmp_path, sharded=sharded)
    data_chunk(path).unlink()
    assert "is not stored" in refused(path)


def test_damage__chunks_of_a_full_matrix_that_are_not_stored_are_said(tmp_path):
    values = COUNTS.copy()
    values[:8] = 0
    path = write_zarr(tmp_path / "a.zarr", values, CELLS, GENES, sharded=(4, 8), layout="dense")
    reader = ZarrFormat.open(path)
    assert reader.format.endswith("; 1 parts of it are not stored and read as 0)")
    np.testing.assert_array_equal(assemble(reader), values)
    reader.close()


def test_damage__links_are_not_followed(tmp_path):
    path = write(tmp_path)
    chunk = data_chunk(path)
    shutil.move(chunk, tmp_path / "elsewhere")
    chunk.symlink_to(tmp_path / "elsewhere")
    assert "link leads out of the store" in refused(path)
    chunk.unlink()
    shutil.move(path / "obs" / "gem_group", tmp_path / "gem_group")
    (path / "obs" / "gem_group").symlink_to(tmp_path / "gem_group")
    assert "link leads out of the store" in refused(path)


def rewrite(path, name, change):
    noted = json.loads((path / name / "zarr.json").read_text())
    change(noted)
    (path / name / "zarr.json").write_text(json.dumps(noted))


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("obs/gem_group", "shape", [10**12], "not as long as the table"),
        ("obs/perturbation/categories", "shape", [10**12], "claims far more than is stored"),
        ("X/data", "shape", [10**12], "ndptr does not match"),
        ("X/data", "shape", "many", "damaged"),
        ("X/data", "shape", None, "damaged"),
        ("X/data", "data_type", "complex64", "complex64"),
        ("X/data", "data_type", ["float32"], "damaged"),
        ("X/data", "chunk_grid", [], "damaged"),
        ("X/data", "codecs", [{"name": "bytes"}, {"name": "pcodec"}], "write the store anew"),
        ("X/data", "codecs", [{"name": "bytes"}, {"name": "blosc"}], "damaged"),
    ],
)
def test_damage__of_metadata_is_said(tmp_path, name, key, value, message):
    path = write(tmp_path)
    rewrite(path, name, lambda noted: noted.update({key: value}))
    assert message in refused(path)


def test_damage__a_chunk_that_would_fill_the_memory_is_not_unpacked(tmp_path):
    path = write(tmp_path)
    rewrite(path, "X/data", lambda noted: noted["codecs"].__setitem__(1, {"name": "gzip", "configuration": {}}))
    data_chunk(path).write_bytes(gzip.compress(bytes(2**24)))
    assert "holds more than" in refused(path)
    rewrite(path, "X/data", lambda noted: noted["codecs"].__setitem__(1, {"name": "zstd", "configuration": {}}))
    frame = struct.pack("<IBQ", 0xFD2FB528, 0xE0, 2**45)
    data_chunk(path).write_bytes(frame + b"\x01\x00\x00")
    assert "claims 35,184,372,088,832 bytes" in refused(path)
    rewrite(path, "X/data", lambda noted: noted["codecs"].__setitem__(1, {"name": "blosc", "configuration": {}}))
    data_chunk(path).write_bytes(struct.pack("<4BIII", 2, 1, 0x21, 4, 2**31 - 1, 2**31 - 1, 40) + bytes(24))
    assert "claims 2,147,483,647 bytes" in refused(path)
    data_chunk(path).write_bytes(data_chunk(path).read_bytes()[:-1])
    assert "a chunk of 40 bytes has 39" in refused(path)


def test_damage__an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.readers.zarr_storage.BOMB_BYTES", 2**20)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", bytes(2**22))
    with pytest.raises(SourceFormatError, match="claims far more than is stored"):
        ZarrFormat.recognises(path)


def test_recognises__a_store_of_something_else_is_left(tmp_path):
    path = write(tmp_path)
    assert not ZarrFormat.recognises(path / "obsm")
    assert not ZarrFormat.recognises(path / "X")
    assert ZarrFormat.recognises(path)
