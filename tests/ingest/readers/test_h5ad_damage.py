"""Damaged AnnData files: each is refused with one error that names the place, and none gives wrong numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from featurestore.errors import SourceFormatError
from ingest.layouts import write_h5ad, write_replogle
from ingest.readers.h5ad import H5adFormat
from ingest.readers.hdf5_heap import FREE, HEAD, MARK, OBJECT

Damage = Callable[[h5py.File], None]


def read_all(path: Path) -> None:
    """Read all that a file holds."""
    reader = H5adFormat.open(path)
    try:
        reader.rows()
        reader.genes()
        for _ in reader.blocks(1000):
            pass
    finally:
        reader.close()


def replace(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(file: h5py.File) -> None:
        values, attributes = change(file[name][...]), dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=values).attrs.update(attributes)

    return damage


def put(name: str, at: int, value: float) -> Damage:
    def change(values: np.ndarray) -> np.ndarray:
        values[at] = value
        return values

    return replace(name, change)


def remove(name: str) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[name]

    return damage


def attribute(name: str, key: str, value: object) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[name].attrs[key]
        if value is not None:
            file[name].attrs[key] = value

    return damage


def dataset(name: str, **how: object) -> Damage:
    """Put a dataset in the place of what is there."""

    def damage(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **how).attrs.update(attributes)

    return damage


def link(name: str, target: object) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[name]
        file[name] = target

    return damage


def group_in_place(file: h5py.File) -> None:
    del file["X"]
    file.create_group("X").attrs.update({"encoding-type": "awkward-array", "encoding-version": "0.1.0"})


def a_missing_chunk(file: h5py.File) -> None:
    values = file["X/data"][...]
    del file["X/data"]
    half_written = file.create_dataset("X/data", values.shape, values.dtype, chunks=(8,))
    half_written[:16] = values[:16]


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(file["X/data"].shape, "i8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", file["X/data"].shape)
    del file["X/data"]
    file.create_virtual_dataset("X/data", layout)


def external(file: h5py.File) -> None:
    n = len(file["X/data"])
    del file["X/data"]
    file.create_dataset("X/data", (n,), "i8", external=[("/etc/hostname", 0, n * 8)])


SPARSE = {
    "no matrix": (remove("X"), "no matrix 'x'"),
    "no cells": (remove("obs"), "'obs' is missing"),
    "no genes": (remove("var"), "'var' is missing"),
    "no values": (remove("X/data"), "'data' is missing"),
    "no indptr": (remove("X/indptr"), "'indptr' is missing"),
    "no key": (remove("obs/_index"), "'_index' is missing"),
    "no column": (remove("obs/perturbation"), "'perturbation' is missing"),
    "no codes": (remove("obs/perturbation/codes"), "'codes' is missing"),
    "no categories": (remove("obs/perturbation/categories"), "'categories' is missing"),
    "no shape": (attribute("X", "shape", None), "does not say its shape"),
    "shape of three": (attribute("X", "shape", [37, 11, 1]), "does not say its shape"),
    "negative shape": (attribute("X", "shape", [37, -11]), "does not say its shape"),
    "absurd rows": (attribute("X", "shape", [10**15, 11]), "indptr does not fit"),
    "absurd genes": (attribute("X", "shape", [37, 2**62]), "does not fit its tables"),
    "one row less": (attribute("X", "shape", [36, 11]), "indptr does not fit"),
    "one gene less": (attribute("X", "shape", [37, 10]), "does not fit its tables"),
    "unknown matrix": (attribute("X", "encoding-type", "coo_matrix"), "not known"),
    "group as matrix": (group_in_place, "not known"),
    "text as matrix": (link("X", "text"), "not two-dimensional"),
    "text as values": (replace("X/data", lambda values: values.astype("S")), "not numbers"),
    "falling indptr": (put("X/indptr", 7, 10**6), "does not rise"),
    "indptr not from 0": (put("X/indptr", 0, 1), "does not rise"),
    "indptr too short": (replace("X/indptr", lambda values: values[:-1]), "indptr does not fit"),
    "indptr beyond the values": (put("X/indptr", -1, 10**6), "does not match the stored values"),
    "values cut off": (replace("X/data", lambda values: values[:-5]), "does not match the stored values"),
    "indices cut off": (replace("X/indices", lambda values: values[:-5]), "differ in length"),
    "float indices": (replace("X/indices", lambda values: values.astype(float)), "not whole numbers"),
    "gene beyond the last": (put("X/indices", 9, 11), "outside the matrix"),
    "negative gene": (put("X/indices", 9, -1), "outside the matrix"),
    "gene twice": (put("X/indices", 1, 0), "given twice"),
    "code beyond the last": (put("obs/perturbation/codes", 2, 99), "no category"),
    "code below -1": (put("obs/perturbation/codes", 2, -2), "no category"),
    "float codes": (dataset("obs/perturbation/codes", data=np.zeros(37)), "whole number a row"),
    "short column": (replace("obs/gem_group", lambda values: values[:-1]), "not as long as the table"),
    "short mask": (replace("obs/n_guides/mask", lambda values: values[:-1]), "mask"),
    "column of pairs": (dataset("obs/gem_group", data=np.zeros((37, 2))), "shape (37, 2)"),
    "unknown column": (attribute("obs/perturbation", "encoding-type", "rec-array"), "not known"),
    "unwritten column": (dataset("obs/gem_group", shape=(37,), dtype="i8"), "not written to the end"),
    "absurd column": (
        dataset("obs/gem_group", shape=(10**14,), dtype="i8", chunks=(10**6,)),
        "not as long as the table",
    ),
    "missing chunk": (a_missing_chunk, "not written to the end"),
    "matrix elsewhere": (link("X", h5py.ExternalLink("elsewhere.h5ad", "X")), "external link"),
    "column elsewhere": (link("obs/gem_group", h5py.ExternalLink("elsewhere.h5ad", "obs")), "external link"),
    "layers elsewhere": (link("layers", h5py.ExternalLink("elsewhere.h5ad", "layers")), "external link"),
    "link in a circle": (link("X", h5py.SoftLink("/X")), "circle"),
    "link to nothing": (link("obs/gem_group", h5py.SoftLink("/nowhere")), "missing"),
    "virtual values": (virtual, "virtual dataset"),
    "external values": (external, "external dataset"),
}


@pytest.mark.parametrize(("damage", "message"), SPARSE.values(), ids=SPARSE)
def test_damage__of_a_sparse_file_is_named(tmp_path, counts, cells, genes, damage, message):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    read_all(path)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(SourceFormatError) as caught:
        read_all(path)
    assert message in str(caught.value).lower()
    assert str(path) in str(caught.value)
    assert "got" in str(caught.value) or "do " in str(caught.value)


DENSE = {
    "three axes": (dataset("X", data=np.zeros((37, 11, 1))), "not two-dimensional"),
    "one axis": (dataset("X", data=np.zeros(37)), "not two-dimensional"),
    "turned": (replace("X", np.transpose), "does not fit its tables"),
    "text": (dataset("X", data=np.full((37, 11), b"a")), "not numbers"),
    "truth values": (dataset("X", data=np.ones((37, 11), bool)), "not numbers"),
    "unwritten": (dataset("X", shape=(37, 11), dtype="f4"), "not written to the end"),
    "absurd": (dataset("X", shape=(10**9, 10**6), dtype="f4", chunks=(100, 100)), "not written to the end"),
    "no space": (dataset("X", data=h5py.Empty("f4")), "not two-dimensional"),
    "no category": (put("obs/gene", 3, 40), "no category"),
    "no categories": (remove("obs/__categories"), ""),
    "categories as a group": (link("obs/__categories/gene", h5py.SoftLink("/var")), "not an array"),
    "key as a number": (dataset("obs/cell_barcode", data=np.float64(1)), "damaged"),
}


@pytest.mark.parametrize(("damage", "message"), DENSE.values(), ids=DENSE)
def test_damage__of_a_legacy_dense_file_is_named(tmp_path, counts, cells, genes, damage, message):
    rows = cells.select("index", gene="barcode_note", gem_group="gem_group")
    path = write_replogle(tmp_path / "a.h5ad", counts, rows, genes, with_references=False)
    read_all(path)
    with h5py.File(path, "r+") as file:
        damage(file)
    if not message:
        read_all(path)  # codes without categories are numbers
        return
    with pytest.raises(SourceFormatError) as caught:
        read_all(path)
    assert message in str(caught.value).lower()


def test_damage__a_soft_link_within_the_file_is_followed(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    with h5py.File(path, "r+") as file:
        file.move("X/data", "elsewhere/values")
        file["X/data"] = h5py.SoftLink("/elsewhere/values")
        file["obs/other"] = h5py.SoftLink("gem_group")
    read_all(path)


def test_damage__an_unknown_filter_is_named(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, compression="lzf", chunk_length=8)
    lzf, unknown = np.uint16(h5py.h5z.FILTER_LZF).tobytes(), np.uint16(511).tobytes()  # of tests, says the HDF Group
    pattern = re.compile(re.escape(lzf) + rb"(?=[^\x00]\x00[\x00-\x03]\x00.\x00)", re.DOTALL)
    raw, n_replaced = pattern.subn(unknown, path.read_bytes())
    assert n_replaced >= len(("data", "indices", "indptr"))
    path.write_bytes(raw)
    with pytest.raises(SourceFormatError, match="filter 511"):
        read_all(path)


@pytest.mark.parametrize("layout", ["csr", "dense"])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_damage__a_truncated_file_is_refused(tmp_path, counts, cells, genes, layout, compression, share):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, layout=layout, compression=compression)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(SourceFormatError, match="damaged"):
        read_all(path)


def test_damage__in_a_compressed_chunk_is_named(tmp_path, counts, cells, genes):
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes, compression="gzip", chunk_length=64)
    with h5py.File(path) as file:
        chunk = file["X/data"].id.get_chunk_info(1)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset : chunk.byte_offset + 8] = b"\x00" * 8
    path.write_bytes(raw)
    with pytest.raises(SourceFormatError, match=r"damaged(.|\n)*X/data"):
        read_all(path)


@pytest.mark.parametrize("size", [0, 2**64 - 16])
def test_damage__a_heap_without_an_end_is_refused_before_hdf5_sees_it(tmp_path, counts, cells, genes, size):
    path = write_h5ad(tmp_path / "x.h5ad", counts, cells, genes)
    raw = bytearray(path.read_bytes())
    first = raw.index(MARK) + HEAD.size
    _, references, reserved, _ = OBJECT.unpack_from(raw, first)
    OBJECT.pack_into(raw, first, 1 if size else FREE, references, reserved, size)
    path.write_bytes(raw)
    with pytest.raises(SourceFormatError, match="A heap of text has an object without a length") as caught:
        read_all(path)
    assert f"byte {first - HEAD.size:,} of {path}" in str(caught.value)
