"""A warehouse on an object store (``s3://bucket/prefix``, ``gs://``, ``az://``): same files, same names, same SQL.

What a snapshot says, its manifests and the gene tables are small, and are copied when it is opened; tables stay where
they are, and DuckDB fetches the ranges of them that a query needs. Keys come from the environment, as the store's own
tools read them: ``AWS_ACCESS_KEY_ID``, ``AWS_REGION``, and ``AWS_ENDPOINT_URL`` (with ``AWS_ALLOW_HTTP``) for others
than Amazon's.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Any

from featurestore.errors import WarehouseError
from featurestore.storage.addresses import SEPARATOR, keys_of, plain_url
from featurestore.storage.snapshot import (
    EMPTY,
    HEADS,
    LOST,
    MANIFEST,
    REFERENCES,
    RELEASES,
    SNAPSHOTS,
    Snapshot,
    read_manifest,
    read_snapshot,
    release_path,
    snapshot_path,
)

RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
PIECE_BYTES = 8 * 2**20


class ObjectStore:
    """A folder on an object store.

    Parameters
    ----------
    url
        Such as ``s3://bucket/warehouse``.

    Raises
    ------
    WarehouseError
        The support of object stores is not installed, or the address is of none that is known.
    """

    def __init__(self, url: str) -> None:
        self.url = plain_url(url)
        scheme, _, rest = self.url.partition(SEPARATOR)
        if not rest.strip("/") or (rest.startswith("/") and scheme != "file"):
            expected = f"{scheme}{SEPARATOR}bucket/folder"
            raise WarehouseError("An address names no bucket.", where=url, expected=expected, got=url)
        if "//" in rest:
            meant = re.sub("//+", "/", rest)
            do = f"did you mean {scheme}{SEPARATOR}{meant}?"
            raise WarehouseError("An address has an empty part.", where=url, expected="one slash", got="//", do=do)
        try:
            import obstore  # noqa: PLC0415, an extra
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError as error:
            do = "pip install 'perturbation-featurestore[cloud]'"
            raise WarehouseError("Object stores are not supported.", where=url, got=str(error), do=do) from None
        self._api: Any = obstore
        with self._telling():
            self._store: Any = from_url(self.url, retry_config=RETRIES)

    def names(self, folder: str = "") -> dict[str, int]:
        """List what is in a folder and below: name from here -> bytes."""
        with self._telling(folder):
            found = [entry for batch in self._api.list(self._store, folder or None) for entry in batch]
        return {entry["path"]: int(entry["size"]) for entry in found}

    def read(self, name: str) -> bytes:
        """Read an object.

        Raises
        ------
        WarehouseError
            There is none, or the store does not answer.
        """
        with self._telling(name):
            return bytes(self._api.get(self._store, name).bytes())

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Read a part of an object. Unit: bytes."""
        with self._telling(name):
            return bytes(self._api.get_range(self._store, name, start=start, length=length))

    def fetch(self, name: str, path: Path) -> Iterator[int]:
        """Copy an object to a file, and yield the bytes of each piece.

        A copy of the same version stays, and one that was interrupted continues where it stopped: what there is of it
        lies beside it until it is whole, and an empty mark from then on, both under the name of the version.

        Raises
        ------
        WarehouseError
            There is none, it changes meanwhile, or the store does not answer.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._telling(name):
            there = self._api.head(self._store, name)
            size = int(there["size"])
            version = hashlib.sha256(f"{there['e_tag']} {there['last_modified']} {size}".encode()).hexdigest()[:12]
            begun, mark = (path.with_name(f".{path.name}.{version}.{end}") for end in ("part", "whole"))
            if mark.exists() and path.exists():
                yield size
                return
            for other in path.parent.glob(f".{escape(path.name)}.*.whole"):
                other.unlink()
            start = begun.stat().st_size if begun.exists() else 0
            with begun.open("ab") as file:
                yield start
                for piece in self._pieces(name, start, there["e_tag"]) if start < size else ():
                    yield file.write(piece)
            begun.replace(path)
            mark.touch()

    def _pieces(self, name: str, start: int, version: str | None) -> Iterator[bytes]:
        """Stream an object from a byte on."""
        got = self._api.get(self._store, name, options={"range": {"offset": start}} if start else None)
        if got.meta["e_tag"] != version:
            raise WarehouseError("An object changed while it was fetched.", where=f"{self.url}/{name}", do="try again")
        yield from got.stream(min_chunk_size=PIECE_BYTES)

    def write(self, name: str, path: Path) -> None:
        """Copy a file to an object."""
        with self._telling(name):
            self._api.put(self._store, name, path)

    def create(self, name: str, content: bytes) -> bool:
        """Create an object; say False where there is one: the store decides, whoever else tries at the same time."""
        with self._telling(name):
            try:
                self._api.put(self._store, name, content, mode="create")
            except self._api.exceptions.AlreadyExistsError:
                return False
        return True

    def snapshot_numbers(self) -> list[int]:
        """List the snapshots, oldest first."""
        return self._numbers(SNAPSHOTS)

    def _numbers(self, folder: str) -> list[int]:
        names = (Path(name).name.partition(".") for name in self.names(folder))
        return sorted(int(stem) for stem, _, end in names if end == "json" and stem.isascii() and stem.isdigit())

    def copy_snapshot(self, root: Path, number: int | None = None) -> Snapshot:
        """Copy a snapshot, the latest by default, into a folder laid out like this one, and read it.

        Raises
        ------
        WarehouseError
            There is no snapshot of that number, or it is damaged.
        """
        recorded = self._numbers(HEADS)  # before the snapshots: it is written after them
        numbers = self.snapshot_numbers()
        if number is None:
            self._check_newest(recorded, numbers)
            number = numbers[-1] if numbers else 0
            if number == 0:
                return EMPTY
        if number not in numbers:
            known = f"one of {numbers[0]} to {numbers[-1]}" if numbers else "none"
            raise WarehouseError(f"There is no snapshot {number}.", where=self.url, expected=known)
        self._copy(snapshot_path(root, number), root)
        return read_snapshot(root, number)

    def _check_newest(self, recorded: list[int], numbers: list[int]) -> None:
        """Refuse where the newest snapshot was lost: another was recorded, or there are releases and none."""
        newest = numbers[-1] if numbers else 0
        is_lost = recorded[-1] > newest if recorded else not numbers and bool(self.names(RELEASES))
        if is_lost:
            raise WarehouseError(
                "The newest snapshot is missing.",
                where=f"{self.url}/{SNAPSHOTS}",
                expected=f"snapshot {recorded[-1]}, as {HEADS}/ has it" if recorded else "a snapshot of its releases",
                got=f"snapshots up to {newest}" if numbers else "no snapshot",
                do=LOST,
            )

    def copy_manifests(self, root: Path, snapshot: Snapshot) -> None:
        """Copy the manifests that a snapshot names, and the gene tables that those name."""
        references = set()
        for dataset_id, release_id in snapshot.datasets.items():
            self._copy(release_path(root, dataset_id, release_id) / MANIFEST, root)
            references.add(read_manifest(root, dataset_id, release_id).get("gene_reference"))
        for reference in references:
            for name in self.names(f"{REFERENCES}/{reference}"):
                self._copy(root / name, root)

    def filesystem(self) -> Any:
        """Return the store as fsspec knows it, for DuckDB to read through."""
        from obstore.fsspec import FsspecStore  # noqa: PLC0415, an extra

        protocol: Any = self.url.partition(SEPARATOR)[0]
        return FsspecStore(protocol, retry_config=RETRIES)

    def _copy(self, path: Path, root: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.read(path.relative_to(root).as_posix()))

    @contextmanager
    def _telling(self, name: str = "") -> Iterator[None]:
        """Raise what the store refuses as one error."""
        try:
            yield
        except (self._api.exceptions.BaseError, FileNotFoundError, PermissionError, ValueError) as error:
            is_missing = isinstance(error, FileNotFoundError)
            raise WarehouseError(
                "There is no such object." if is_missing else "The object store does not do what it is asked.",
                where=f"{self.url}/{name}".rstrip("/"),
                got=" ".join(str(error).split())[:300],
                do=keys_of(self.url),
            ) from error


def copy_described(url: str, number: int | None = None) -> Path:
    """Copy what a snapshot of a warehouse on an object store says, but no tables, into a new temporary folder.

    Raises
    ------
    WarehouseError
        Nothing is there, or no snapshot of that number.
    """
    root = Path(tempfile.mkdtemp(prefix="featurestore-")).resolve()
    try:
        _copy_described(ObjectStore(url), root, number)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return root


def _copy_described(store: ObjectStore, root: Path, number: int | None) -> None:
    snapshot = store.copy_snapshot(root, number)
    if snapshot.number == 0 and not store.names():
        raise WarehouseError(
            "There is no warehouse at this address.",
            where=store.url,
            got="nothing",
            do="check the address, or ingest a dataset there first: featurestore ingest SPEC.toml",
        )
    store.copy_manifests(root, snapshot)
