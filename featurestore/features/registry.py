"""Feature specs by name and version, kept in the warehouse with the snapshot and the files they were saved with.

::

    features/<name>/0001.json        the spec's text, its snapshot, the checksums of its files; never rewritten
    features/<name>/0001.retired     there once the version is retired, with the reason
    features/files/<sha256>/<name>   copies of the embeddings

Records have their own checksum; one that is damaged says so, and stops no other.
"""

from __future__ import annotations

import difflib
import json
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featurestore.errors import FeatureError, FeatureStoreError, WarehouseError, did_you_mean
from featurestore.features.kinds.embedding import EmbeddingFeature
from featurestore.features.matrix.written import MANIFEST, read_manifest
from featurestore.features.spec import FeatureSpec, parse_spec, read_spec, spec_of
from featurestore.query.warehouse import Warehouse
from featurestore.scarcity import heed_scarcity
from featurestore.storage.checksums import file_sha256
from featurestore.storage.folders import is_there, listed
from featurestore.storage.sealed import differing, sealed, unsealed
from featurestore.storage.snapshot import CHECKSUM, read_json, snapshot_numbers
from featurestore.storage.whole import beside, create

FEATURES = "features"
RETIRED = ".retired"
KEYS = {"text", "snapshot", "saved_at", "files"}
"""What a record of an older program had, without a checksum."""
LABEL = "label"
"""What a record has more: the name and version that it was saved under."""
FILES = "files"


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
    text = path.read_text(encoding="utf-8-sig")
    number = spec.snapshot or warehouse.snapshot.number
    try:
        files = {Path(f.file).name: _keep(warehouse, Path(f.file)) for f in spec.embeddings}
        versions = [saved for saved in saved_specs(warehouse) if saved.name == spec.name]
        for saved in versions:
            if (saved.text, saved.snapshot, saved.files, saved.retired) == (text, number, files, None):
                return saved
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"text": text, "snapshot": number, "saved_at": moment, "files": files}
        version = _create(warehouse.path / FEATURES / spec.name, record)
    except OSError as error:
        raise FeatureError("The spec cannot be saved.", where=str(warehouse.path), got=str(error)) from None
    return Saved(spec.name, version, text, number, moment, files)


def _create(folder: Path, record: dict[str, Any]) -> int:
    """Write a record under the next version that nobody else takes meanwhile, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    version = max((int(path.stem) for path in folder.glob("[0-9]*.json")), default=0) + 1
    while not create(folder / f"{version:04d}.json", _record_text(record, folder.name, version)):
        version += 1
    return version


def _record_text(record: dict[str, Any], name: str, version: int) -> str:
    return json.dumps(sealed(record | {LABEL: f"{name}@{version}"}), indent=1)


def pinned_snapshots(root: Path) -> set[int]:
    """Return the snapshots that saved specs need, not those of retired versions; all where a record is damaged."""
    saved, damaged = _saved(root)
    return set(snapshot_numbers(root)) if damaged else {each.snapshot for each in saved if each.retired is None}


def saved_specs(warehouse: Warehouse) -> list[Saved]:
    """List every version of every spec that can be read, by name and version."""
    return _saved(warehouse.path)[0]


def missing_files(root: Path) -> list[tuple[str, Path]]:
    """List the copies of files that are not there, with the version that needs each."""
    copies = (
        (saved.label, root / FEATURES / FILES / checksum / name)
        for saved in _saved(root)[0]
        for name, checksum in saved.files.items()
    )
    return [(label, copy) for label, copy in copies if not is_there(copy)]


def damaged_specs(root: Path) -> list[FeatureStoreError]:
    """List what is wrong with the versions that cannot be read."""
    return _saved(root)[1]


def _saved(root: Path) -> tuple[list[Saved], list[FeatureStoreError]]:
    found: list[Saved] = []
    damaged: list[FeatureStoreError] = []
    for path in listed(root / FEATURES, "*", "[0-9]*.json"):
        try:
            found.append(_read(path))
        except (WarehouseError, ValueError, KeyError, TypeError, OSError) as error:
            heed_scarcity(error)
            damaged.append(
                FeatureError(
                    "A saved spec is damaged.",
                    where=str(path),
                    got=" ".join(str(error).split()),
                    do=f"take it from a backup, or move it away and save the spec again: mv {shlex.quote(str(path))} .",
                )
            )
    return found, damaged


def _read(path: Path) -> Saved:
    """Read a version; its mark of retirement, by older programs, is the reason alone."""
    content = read_json(path)
    record = unsealed(content, path, is_older=set(content) == KEYS)
    marker = path.with_suffix(RETIRED)
    retired, labels = None, [record.get(LABEL)]
    if marker.is_file():
        text = marker.read_text(encoding="utf-8")
        is_record = text.startswith("{") or f'"{CHECKSUM}"' in text
        mark = unsealed(json.loads(text), marker, is_older=False) if is_record else {"reason": text}
        labels.append(mark.get(LABEL))
        retired = mark["reason"]
    saved = Saved(
        path.parent.name,
        int(path.stem),
        record["text"],
        record["snapshot"],
        record["saved_at"],
        record["files"],
        retired,
    )
    if other := [label for label in labels if label not in {None, saved.label}]:
        raise WarehouseError("A record is of another spec.", where=str(path), got=str(other[0]))
    return saved


def find(warehouse: Warehouse, label: str) -> Saved:
    """Find a version, ``name@2``, or the latest that is not retired, ``name``.

    Raises
    ------
    FeatureError
        There is none, or it is damaged.
    """
    name, _, number = label.partition("@")
    every, damaged = _saved(warehouse.path)
    chosen = [s for s in every if s.name == name and (str(s.version) == number if number else s.retired is None)]
    latest = chosen[-1].version if chosen else 0
    for error in damaged:
        version = int(Path(error.where).stem)
        if Path(error.where).parent.name == name and (str(version) == number if number else version > latest):
            raise error
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
        with beside(warehouse.path / FEATURES / saved.name / f"{saved.version:04d}{RETIRED}") as path:
            path.write_text(json.dumps(sealed({"reason": reason, LABEL: saved.label})), encoding="utf-8")
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

    manifest = read_manifest(folder)
    spec = spec_of(manifest["spec"], str(folder / MANIFEST))
    releases = manifest["releases"].items()
    hashes = {name.removeprefix("file:"): release for name, release in releases if name.startswith("file:")}
    spec = _with_copies(warehouse, spec, hashes)
    with tempfile.TemporaryDirectory() as work, warehouse.at(manifest["snapshot"]) as store:
        again = Path(work)
        build(store, spec, cache=False).write(again)
        names = sorted({path.name for path in (*folder.iterdir(), *again.iterdir()) if path.is_file()})
        return [name for name in names if _bytes(folder / name) != _bytes(again / name)]


def _keep(warehouse: Warehouse, path: Path) -> str:
    checksum = file_sha256(path)
    copy = warehouse.path / FEATURES / FILES / checksum / path.name
    if differing(copy.parent, {copy.name: checksum}):
        copy.parent.mkdir(parents=True, exist_ok=True)
        with beside(copy) as work:
            shutil.copyfile(path, work)
    return checksum


def _with_copies(warehouse: Warehouse, spec: FeatureSpec, hashes: dict[str, str]) -> FeatureSpec:
    def kept(feature: EmbeddingFeature) -> Path:
        name = Path(feature.file).name
        copy = warehouse.path / FEATURES / FILES / hashes.get(name, "") / name
        if differing(copy.parent, {name: hashes.get(name, "")}):
            raise FeatureError(
                f"The embedding '{name}' is not in the registry, or damaged there.",
                where=str(copy if copy.is_file() else warehouse.path / FEATURES),
                do="save the spec with the same file: featurestore features save SPEC.toml",
            )
        return copy

    return spec.with_files(kept)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
