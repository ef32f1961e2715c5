"""A matrix in a folder: its files come whole, the manifest last, and are what its checksums say when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import FeatureError, WarehouseError, first_of
from featurestore.scarcity import heed_scarcity
from featurestore.storage.sealed import FILES, differing, file_sums, sealed, unsealed
from featurestore.storage.whole import UNFINISHED, filled

MANIFEST = "manifest.json"


@contextmanager
def written(folder: Path, names: Sequence[str], manifest: dict[str, Any]) -> Iterator[Path]:
    """Give the folder that Parquet files of these names are to be written to; at the end they come into theirs.

    Raises
    ------
    FeatureError
        A file of such a name is there that no build wrote, or the folder cannot be written to.
    """
    try:
        files = [folder / MANIFEST, *(folder / f"{name}.parquet" for name in names)]
        if not (folder / f"{MANIFEST}{UNFINISHED}").exists() and not _is_manifest(folder / MANIFEST):
            _refuse_foreign(files)
        with filled(folder, MANIFEST) as work:
            yield work
            text = json.dumps(sealed(manifest | {FILES: file_sums(work)}), indent=2, ensure_ascii=False)
            (work / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise FeatureError("The matrix cannot be written.", where=str(folder), got=str(error)) from None


def read_whole(folder: Path) -> dict[str, Any]:
    """Read the manifest of a matrix whose files are all as they were written; older programs wrote no checksums.

    Raises
    ------
    FeatureError
        The manifest or a file is missing or has other bytes.
    """
    manifest = read_manifest(folder)
    if other := differing(folder, manifest.pop(FILES, {})):
        raise incomplete(folder, f"missing, or other bytes: {first_of(other)}")
    return manifest


def read_frame(folder: Path, name: str) -> pl.DataFrame:
    """Read one table of a matrix, as it was written.

    Raises
    ------
    FeatureError
        The manifest or the table is missing or has other bytes.
    """
    file = f"{name}.parquet"
    sums = read_manifest(folder).get(FILES, {})
    if differing(folder, {file: sums[file]} if file in sums else {}):
        raise incomplete(folder, f"missing, or other bytes: {file}")
    return pl.read_parquet(folder / file, glob=False)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a matrix, whatever its files hold.

    Raises
    ------
    FeatureError
        It is missing or damaged.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return unsealed(content, folder / MANIFEST, is_older=FILES not in content) if isinstance(content, dict) else {}
    except (OSError, ValueError, WarehouseError) as error:
        heed_scarcity(error)
        raise incomplete(folder, f"{MANIFEST}: {' '.join(str(error).split())}") from None


def incomplete(folder: Path, got: str) -> FeatureError:
    """Say that a folder holds no matrix, or not all of one."""
    do = "build it: featurestore build SPEC.toml -o DIR"
    return FeatureError("There is no complete feature matrix.", where=str(folder), got=got, do=do)


def _is_manifest(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(content, dict) and "recipe" in content


def _refuse_foreign(files: Sequence[Path]) -> None:
    for path in files:
        if path.exists():
            raise FeatureError(
                "A file is in the way that no build wrote.",
                where=str(path),
                expected="an empty folder, or one with a matrix and its manifest",
                do="name another folder with -o, or move the file",
            )
