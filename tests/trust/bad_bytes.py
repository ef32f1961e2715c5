"""Files whose bytes are not as they should be: cut, flipped, replaced, re-encoded; HDF5 and Parquet that lie."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Rng = np.random.Generator
BOMB = 2**30
"""What a bomb of a megabyte grows to. Unit: bytes."""


def _cut(share: float) -> Callable[[bytes, Rng], bytes]:
    return lambda raw, rng: raw[: int(len(raw) * share)]


def _flip(n: int) -> Callable[[bytes, Rng], bytes]:
    def change(raw: bytes, rng: Rng) -> bytes:
        changed = np.frombuffer(raw, np.uint8).copy()
        for at in rng.integers(0, len(raw), n):
            changed[at] ^= 1 << int(rng.integers(8))
        return changed.tobytes()

    return change


def _overwrite(n: int, *, with_zeros: bool) -> Callable[[bytes, Rng], bytes]:
    def change(raw: bytes, rng: Rng) -> bytes:
        at = int(rng.integers(0, max(1, len(raw) - n)))
        return raw[:at] + (bytes(n) if with_zeros else rng.bytes(n)) + raw[at + n :]

    return change


def _without(n: int) -> Callable[[bytes, Rng], bytes]:
    def change(raw: bytes, rng: Rng) -> bytes:
        at = int(rng.integers(0, max(1, len(raw) - n)))
        return raw[:at] + raw[at + n :]

    return change


def _zip(raw: bytes, rng: Rng) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("../../x", raw)
    return held.getvalue()


BYTE_FAULTS: dict[str, Callable[[bytes, Rng], bytes]] = {
    "empty": lambda raw, rng: b"",
    "one byte": lambda raw, rng: raw[:1],
    "cut at 5 %": _cut(0.05),
    "cut at 40 %": _cut(0.4),
    "cut at 80 %": _cut(0.8),
    "cut at 97 %": _cut(0.97),
    "the last byte cut": lambda raw, rng: raw[:-1],
    "one bit flipped": _flip(1),
    "another bit flipped": _flip(1),
    "eight bits flipped": _flip(8),
    "a hundred bits flipped": _flip(100),
    "zeros of a page": _overwrite(512, with_zeros=True),
    "64 random bytes": _overwrite(64, with_zeros=False),
    "a random byte": _overwrite(1, with_zeros=False),
    "7 bytes lost": _without(7),
    "twice": lambda raw, rng: raw * 2,
    "after junk": lambda raw, rng: b"\x00" + raw,
    "before junk": lambda raw, rng: raw + rng.bytes(100),
    "halves swapped": lambda raw, rng: raw[len(raw) // 2 :] + raw[: len(raw) // 2],
    "random bytes": lambda raw, rng: rng.bytes(len(raw)),
    "zeros": lambda raw, rng: bytes(len(raw)),
    "a web page": lambda raw, rng: b"<!DOCTYPE html>\n<html><body>Sign in, please</body></html>\n",
    "JSON": lambda raw, rng: b'{"error": "not found"}',
    "a pickle": lambda raw, rng: b"cos\nsystem\n(S'touch pickled'\ntR.",
    "gzip of it": lambda raw, rng: gzip.compress(raw),
    "gzip of nothing": lambda raw, rng: gzip.compress(b""),
    "gzip of zeros": lambda raw, rng: gzip.compress(bytes(2**20)),
    "a zip archive": _zip,
}
LINKS: dict[str, Callable[[Path], None]] = {
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
}
"""What can be at a path instead of a file."""


def _field(at_line: int, text: bytes) -> Callable[[bytes, Rng], bytes]:
    """Put a text in the place of the last field of a line."""

    def change(raw: bytes, rng: Rng) -> bytes:
        lines = raw.split(b"\n")
        line = lines[at_line]
        separator = max((b"\t", b",", b" "), key=line.count)
        fields = line.split(separator)
        lines[at_line] = separator.join([*fields[:-1], text])
        return b"\n".join(lines)

    return change


def _line(at: int, change: Callable[[bytes], bytes]) -> Callable[[bytes, Rng], bytes]:
    def changed(raw: bytes, rng: Rng) -> bytes:
        lines = raw.split(b"\n")
        lines[at] = change(lines[at])
        return b"\n".join(lines)

    return changed


def _absurd(raw: bytes, rng: Rng) -> bytes:
    """Make the second line, or the first after comments, claim a thousand million million."""
    lines = raw.split(b"\n")
    at = next((n for n, line in enumerate(lines[:4]) if n and not line.startswith((b"%", b"#"))), 1)
    lines[at] = b"\t".join([b"999999999999999"] * len(lines[at].replace(b"\t", b" ").split(b" ")))
    return b"\n".join(lines)


TEXT_FAULTS: dict[str, Callable[[bytes, Rng], bytes]] = {
    "UTF-16": lambda raw, rng: raw.decode("latin-1").encode("utf-16"),
    "a byte order mark": lambda raw, rng: b"\xef\xbb\xbf" + raw,
    "Latin-1 amid UTF-8": lambda raw, rng: raw.replace(b"MYC", b"caf\xe9").replace(b"TYK2", "caf\u00e9".encode()),
    "lines of Windows": lambda raw, rng: raw.replace(b"\n", b"\r\n"),
    "lines of old Macs": lambda raw, rng: raw.replace(b"\n", b"\r"),
    "a NUL": lambda raw, rng: raw[: len(raw) // 2] + b"\x00" + raw[len(raw) // 2 :],
    "absurd dimensions": _absurd,
    "negative dimensions": _line(2, lambda line: b"-1 -1 -1"),
    "a word for a number": _field(-2, b"word"),
    "no number": _field(-2, b""),
    "nan": _field(-2, b"nan"),
    "inf": _field(-2, b"inf"),
    "1e999": _field(-2, b"1e999"),
    "-3": _field(-2, b"-3"),
    "20 digits": _field(-2, b"99999999999999999999"),
    "a thousand digits": _field(-2, b"9" * 1000),
    "a hexadecimal": _field(-2, b"0x10"),
    "an underscore": _field(-2, b"1_0"),
    "Arabic digits": _field(-2, "\u0661".encode()),
    "a field more": _field(-2, b"1\t2,3 4"),
    "an open quote": _line(3, lambda line: b'"' + line),
    "an empty line": _line(4, lambda line: b""),
    "a line less": lambda raw, rng: b"\n".join(raw.split(b"\n")[:-2]) + b"\n",
    "a line twice": _line(-2, lambda line: line + b"\n" + line),
    "no header": lambda raw, rng: raw.split(b"\n", 1)[1],
    "a header alone": lambda raw, rng: raw.split(b"\n", 1)[0] + b"\n",
    "a line of 30 MB": _line(-2, lambda line: line + b" " + b"1" * 30_000_000),
    "a million separators": _line(-2, lambda line: line + b",\t " * 1_000_000),
    "a gigabyte of spaces": lambda raw, rng: raw + b" " * BOMB,
    "a gigabyte of lines": lambda raw, rng: raw + b"\n" * BOMB,
}


def of_text(name: str, raw: bytes, rng: Rng) -> bytes:
    """Change the text in a file, compressed as it was."""
    if raw[:2] != b"\x1f\x8b":
        return TEXT_FAULTS[name](raw, rng)
    return gzip.compress(TEXT_FAULTS[name](gzip.decompress(raw), rng), 1)


def _again(file: h5py.File, name: str, **how: object) -> None:
    """Put a dataset in the place of another, its attributes kept."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, **how).attrs.update(attributes)


def _link(target: object) -> Callable[[h5py.File, str], None]:
    def change(file: h5py.File, name: str) -> None:
        del file[name]
        file[name] = target

    return change


def _virtual(file: h5py.File, name: str) -> None:
    old = file[name]
    layout = h5py.VirtualLayout(old.shape, old.dtype)
    if old.shape:
        layout[...] = h5py.VirtualSource("/etc/hostname", "x", old.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _external(file: h5py.File, name: str) -> None:
    shape = file[name].shape or (1,)
    _again(file, name, shape=shape, dtype="u1", external=[("/etc/passwd", 0, int(np.prod(shape)))])


def _deep(file: h5py.File, name: str) -> None:
    """Put a dataset behind a hundred soft links."""
    file.move(name, "behind_0")
    for at in range(100):
        file[f"behind_{at + 1}"] = h5py.SoftLink(f"/behind_{at}")
    file[name] = h5py.SoftLink("/behind_100")


def _cycle(file: h5py.File, name: str) -> None:

    del file[name]
    group = file.create_group(name)
    group["again"] = group


def _bomb(file: h5py.File, name: str) -> None:
    """Write a gigabyte of zeros, which gzip makes a megabyte of."""
    old = file[name]
    n = BOMB // max(1, old.dtype.itemsize if old.dtype.kind in "iuf" else 1)
    kind = old.dtype if old.dtype.kind in "iuf" else "u1"
    shape = (n,) if old.ndim < 2 else (n // old.shape[1], old.shape[1])
    chunk = (2**20,) if old.ndim < 2 else (max(1, 2**20 // old.shape[1]), old.shape[1])
    _again(file, name, shape=shape, dtype=kind, chunks=chunk, compression="gzip", compression_opts=1)
    for start in range(0, shape[0], chunk[0]):
        file[name][start : start + chunk[0]] = 0


def _with(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[h5py.File, str], None]:
    return lambda file, name: _again(file, name, data=change(file[name][...]))


HDF5_FAULTS: dict[str, Callable[[h5py.File, str], None]] = {
    "removed": lambda file, name: file.__delitem__(name),
    "half of it": _with(lambda values: values[: len(values) // 2]),
    "twice": _with(lambda values: np.concatenate([values, values])),
    "an axis more": _with(lambda values: values[..., None]),
    "of no axis": lambda file, name: _again(file, name, data=1),
    "no space": lambda file, name: _again(file, name, data=h5py.Empty("f4")),
    "zero long": lambda file, name: _again(file, name, shape=(0,), dtype=file[name].dtype),
    "text": _with(lambda values: np.full(values.shape, b"\xff\xfeabc")),
    "numbers": _with(lambda values: np.arange(values.size, dtype="f8").reshape(values.shape)),
    "a million names": lambda file, name: _again(file, name, data=np.char.mod("name %d", np.arange(10**6)).astype("S")),
    "truth values": _with(lambda values: np.ones(values.shape, bool)),
    "complex numbers": _with(lambda values: np.ones(values.shape, complex)),
    "dates": _with(lambda values: np.ones(values.shape, "i8")),
    "-1": _with(lambda values: np.full(values.shape, -1)),
    "2^31 - 1": _with(lambda values: np.full(values.shape, 2**31 - 1, np.int32)),
    "past 2^31": _with(lambda values: np.full(values.shape, -(2**31), np.int32)),
    "2^63": _with(lambda values: np.full(values.shape, 2**63, np.uint64)),
    "NaN": _with(lambda values: np.full(values.shape, np.nan)),
    "never written": lambda file, name: _again(
        file, name, shape=file[name].shape, dtype="i8", chunks=file[name].shape or None
    ),
    "absurdly long": lambda file, name: _again(file, name, shape=(10**15,), dtype="i8", chunks=(10**6,)),
    "absurdly wide": lambda file, name: _again(file, name, shape=(10**6, 10**9), dtype="f4", chunks=(100, 100)),
    "a group": lambda file, name: (file.__delitem__(name), file.create_group(name)),
    "a group in itself": _cycle,
    "a link to itself": lambda file, name: _link(h5py.SoftLink(f"/{name}"))(file, name),
    "a link to nothing": _link(h5py.SoftLink("/nowhere")),
    "a link to the root": _link(h5py.SoftLink("/")),
    "a hundred links deep": _deep,
    "a link to another file": _link(h5py.ExternalLink("/etc/passwd", "/")),
    "a link to a file beside": _link(h5py.ExternalLink("other.h5", "/x")),
    "virtual": _virtual,
    "kept in another file": _external,
    "a bomb": _bomb,
    "references": lambda file, name: _again(file, name, data=np.array([file.ref], dtype=h5py.ref_dtype)),
    "lists": lambda file, name: _again(file, name, shape=(3,), dtype=h5py.vlen_dtype(np.int32)),
    "records": lambda file, name: _again(file, name, data=np.zeros(3, [("a", "i4"), ("b", "S3")])),
}


def datasets(path: Path) -> list[str]:
    """List the datasets of an HDF5 file."""
    names: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    return names


def _column(change: Callable[[pa.Array], pa.Array]) -> Callable[[pa.Table, int], pa.Table]:
    return lambda table, at: table.set_column(at, table.column_names[at], change(table.column(at).combine_chunks()))


PARQUET_FAULTS: dict[str, Callable[[pa.Table, int], pa.Table]] = {
    "no such column": lambda table, at: table.remove_column(at),
    "a column twice": lambda table, at: table.append_column(table.column_names[at], table.column(at)),
    "nulls": _column(lambda column: pa.nulls(len(column), column.type)),
    "of no type": _column(lambda column: pa.nulls(len(column))),
    "text": _column(lambda column: pa.array(["x"] * len(column))),
    "bytes": _column(lambda column: pa.array([b"\xff\xfe"] * len(column))),
    "truth values": _column(lambda column: pa.array([True] * len(column))),
    "-1": _column(lambda column: pa.array([-1] * len(column))),
    "NaN": _column(lambda column: pa.array([float("nan")] * len(column))),
    "dates": _column(lambda column: pa.array([0] * len(column), pa.timestamp("ns"))),
    "decimals": _column(lambda column: pa.array([1] * len(column)).cast(pa.decimal128(30, 5))),
    "lists of -1": _column(lambda column: pa.array([[-1]] * len(column))),
    "lists of nulls": _column(lambda column: pa.array([[None, 1]] * len(column))),
    "lists of lists": _column(lambda column: pa.array([[[1]]] * len(column))),
    "empty lists": _column(lambda column: pa.array([[]] * len(column), pa.list_(pa.int64()))),
    "lists of text": _column(lambda column: pa.array([["a", "b"]] * len(column))),
    "long lists": _column(lambda column: pa.array([[5] * 2000] * len(column))),
    "lists of 2^62": _column(lambda column: pa.array([[2**62, 2**62]] * len(column))),
    "records": _column(lambda column: pa.array([{"a": 1}] * len(column))),
    "a dictionary": _column(lambda column: column.dictionary_encode() if not pa.types.is_list(column.type) else column),
    "no lines": lambda table, at: table.slice(0, 0),
    "one line": lambda table, at: table.slice(0, 1),
    "no columns": lambda table, at: table.select([]),
}


def of_parquet(name: str, path: Path, at: int) -> None:
    """Change a column of a Parquet file."""
    pq.write_table(PARQUET_FAULTS[name](pq.read_table(path), at), path)
