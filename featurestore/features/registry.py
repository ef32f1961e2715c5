"""Feature specs by name and version, kept in the warehouse with the snapshot and the files they were saved with.

::

    features/<name>/0001.json        the spec's text, its snapshot, the checksums of its files; never rewritten
    features/<name>/0001.retired     there once the version is retired, with the reason
    features/files/<sha256>/<name>   copies of the embeddings
"""

from __future__ import annotations

import difflib
import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featurestore.errors import FeatureError, did_you_mean
from featurestore.features.kinds import EmbeddingFeature
from featurestore.features.spec import FeatureSpec, parse_spec, read_spec, spec_of
from featurestore.snapshot import file_sha256, read_json
from featurestore.warehouse import Warehouse

FEATURES = "features"
_FILES = "files"


@dataclass(frozen=True, slots=True)
class Saved:
    """One version of a spec: its text as it was saved, the snapshot, checksums of its files, why it was retired."""

    name: str
    version: int
    text: str
    snapshot: int
    saved_at: str
    files: dict[str, str]
    retired: str | None = None

    @property
    def label(self) -> str:
        """Name and version, ``name@2``."""
        return f"{self.name}@{self.version}"


def save(warehouse: Warehouse, path: Path) -> Saved:
    """Save the spec of a file under its name; the same spec on the same snapshot is the version it already is.

    Raises
    ------
    SpecError
        The spec is wrong.
    FeatureError
        The warehouse cannot be written to, or a file of the spec cannot be read.
    """
    spec = read_spec(path)
    text = path.read_text(encoding="utf-8")
    number = spec.snapshot or warehouse.snapshot.number
    try:
        files = {Path(f.file).name: _keep(warehouse, Path(f.file)) for f in _embeddings(spec)}
        versions = [saved for saved in saved_specs(warehouse) if saved.name == spec.name]
        for saved in versions:
            if (saved.text, saved.snapshot, saved.files, saved.retired) == (text, number, files, None):
                return saved
        latest = max((saved.version for saved in versions), default=0)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"text": text, "snapshot": number, "saved_at": moment, "files": files}
        folder = warehouse.path / FEATURES / spec.name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{latest + 1:04d}.json").open("x", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
    except OSError as error:
        raise FeatureError("The spec cannot be saved.", where=str(warehouse.path), got=str(error)) from None
    return Saved(spec.name, latest + 1, text, number, moment, files)


def pinned_snapshots(root: Path) -> set[int]:
    """Return the snapshots that saved specs need, those of retired versions not among them."""
    return {saved.snapshot for saved in _saved(root) if saved.retired is None}


def saved_specs(warehouse: Warehouse) -> list[Saved]:
    """List every version of every spec, by name and version."""
    return _saved(warehouse.path)


def _saved(root: Path) -> list[Saved]:
    found = []
    for path in sorted((root / FEATURES).glob("*/[0-9]*.json")):
        marker = path.with_suffix(".retired")
        retired = marker.read_text(encoding="utf-8") if marker.is_file() else None
        found.append(Saved(name=path.parent.name, version=int(path.stem), retired=retired, **read_json(path)))
    return found


def find(warehouse: Warehouse, label: str) -> Saved:
    """Find a version, ``name@2``, or the latest that is not retired, ``name``.

    Raises
    ------
    FeatureError
        There is none.
    """
    name, _, number = label.partition("@")
    every = saved_specs(warehouse)
    chosen = [s for s in every if s.name == name and (str(s.version) == number if number else s.retired is None)]
    retired = [saved.label for saved in every if saved.name == name]
    if not chosen and not number and retired:
        raise FeatureError(
            f"Every version of the spec '{name}' is retired.",
            got=", ".join(retired),
            do=f"name a version to read it, such as {retired[-1]}, or save the spec again",
        )
    if not chosen:
        names = sorted({saved.name for saved in every} | {saved.label for saved in every})
        raise FeatureError(f"There is no saved spec '{label}'.", do=did_you_mean(label, names) if names else "save one")
    return chosen[-1]


def saved_spec(warehouse: Warehouse, saved: Saved) -> FeatureSpec:
    """Return a saved spec, pinned to its snapshot, with the copies of its files."""
    spec = parse_spec(saved.text, saved.label).model_copy(update={"snapshot": saved.snapshot})
    return _with_copies(warehouse, spec, saved.files)


def retire(warehouse: Warehouse, label: str, reason: str) -> Saved:
    """Mark a version as no longer to be used; it stays readable.

    Raises
    ------
    FeatureError
        There is no such version, or the warehouse cannot be written to.
    """
    saved = find(warehouse, label)
    try:
        path = warehouse.path / FEATURES / saved.name / f"{saved.version:04d}.retired"
        path.write_text(reason, encoding="utf-8")
    except OSError as error:
        raise FeatureError("The spec cannot be retired.", where=str(warehouse.path), got=str(error)) from None
    return saved


def difference(old: Saved, new: Saved) -> str:
    """Return what changed from one version to another, as a unified diff of their texts, snapshots and files."""
    texts = [
        [*saved.text.splitlines(), f"# snapshot {saved.snapshot}", *(f"# {k} {v}" for k, v in saved.files.items())]
        for saved in (old, new)
    ]
    return "\n".join(difflib.unified_diff(texts[0], texts[1], old.label, new.label, lineterm=""))


def rebuild(warehouse: Warehouse, folder: Path) -> list[str]:
    """Build a written matrix again from its manifest and compare every byte.

    Returns
    -------
    Names of the files that differ; none where the matrix is proven.

    Raises
    ------
    FeatureError
        The folder holds no matrix, or an embedding of it is not in the registry.
    WarehouseError
        Its snapshot is gone.
    """
    from featurestore.features.builder import build  # noqa: PLC0415, a list of specs needs no model library
    from featurestore.features.feature_matrix import MANIFEST  # noqa: PLC0415
    from featurestore.features.pairs.pair_matrix import read_matrix  # noqa: PLC0415

    manifest = read_matrix(folder).manifest
    spec = spec_of(manifest["spec"], str(folder / MANIFEST))
    releases = manifest["releases"].items()
    hashes = {name.removeprefix("file:"): release for name, release in releases if name.startswith("file:")}
    spec = _with_copies(warehouse, spec, hashes)
    with tempfile.TemporaryDirectory() as work, Warehouse(warehouse.path, manifest["snapshot"]) as store:
        again = Path(work)
        build(store, spec, cache=False).write(again)
        names = sorted({path.name for path in (*folder.iterdir(), *again.iterdir()) if path.is_file()})
        return [name for name in names if _bytes(folder / name) != _bytes(again / name)]


def _embeddings(spec: FeatureSpec) -> list[EmbeddingFeature]:
    return [feature for feature in spec.feature if isinstance(feature, EmbeddingFeature)]


def _keep(warehouse: Warehouse, path: Path) -> str:
    checksum = file_sha256(path)
    copy = warehouse.path / FEATURES / _FILES / checksum / path.name
    if not copy.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return checksum


def _with_copies(warehouse: Warehouse, spec: FeatureSpec, hashes: dict[str, str]) -> FeatureSpec:
    features: list[Any] = []
    for feature in spec.feature:
        if isinstance(feature, EmbeddingFeature):
            name = Path(feature.file).name
            copy = warehouse.path / FEATURES / _FILES / hashes.get(name, "") / name
            if not copy.is_file():
                raise FeatureError(
                    f"The embedding '{name}' is not in the registry.",
                    where=str(warehouse.path / FEATURES),
                    do="save the spec with the same file: featurestore features save SPEC.toml",
                )
            features.append(feature.model_copy(update={"file": str(copy)}))
        else:
            features.append(feature)
    return spec.model_copy(update={"feature": features})


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
