"""Verify what lies beside the releases: matrices, specs, reports, search indexes, answers; say what was not read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from featurestore.counts import count_of
from featurestore.errors import FeatureError, FeatureStoreError, WarehouseError, first_of
from featurestore.features.matrix.cache import KEY, MATRICES
from featurestore.features.matrix.written import read_whole
from featurestore.features.registry import FEATURES, FILES, RETIRED, damaged_specs, missing_files
from featurestore.query.views import DATABASE
from featurestore.search.index import INDEXES, index_faults
from featurestore.storage.checksums import file_sha256
from featurestore.storage.folders import listed
from featurestore.storage.locks import PUBLISHING
from featurestore.storage.scores import SCORES
from featurestore.storage.sealed import SUMS, differing, read_sealed, read_sums
from featurestore.storage.snapshot import HEADS, REFERENCES, RELEASES, SNAPSHOTS, STAGING
from featurestore.storage.whole import UNFINISHED
from featurestore.upkeep.examine import Fault, Report

REPORTS = "reports"
ANSWERS = "cache"
"""Where what a service on the network answered is kept."""
_READ = {ANSWERS, INDEXES, RELEASES, REFERENCES, SNAPSHOTS, HEADS, MATRICES, FEATURES, REPORTS, DATABASE}
_NEVER_READ = {STAGING, PUBLISHING, "README.md"}
"""What no answer is made of."""


def kept_faults(root: Path, report: Report) -> Iterator[Fault]:
    """Read all that was kept with its checksums, and note the rest."""
    for part in (_matrix_faults, _spec_faults, _report_faults, _search_faults, _answer_faults):
        try:
            yield from part(root, report)
        except WarehouseError as error:  # a folder that may not be read
            yield _fault(error)
    for path in sorted(root.iterdir()):
        if path.name not in _READ | _NEVER_READ and not path.name.startswith("."):
            report.notes.append(f"{path.name} was not read: it has no checksums")


def _matrix_faults(root: Path, report: Report) -> Iterator[Fault]:
    former: list[str] = []
    for folder in listed(root / MATRICES, "*"):
        _count(report, folder)
        do = f"it is built again where it is needed; move it away: {_away(folder)}"
        try:
            key = read_whole(folder).get(KEY)
        except FeatureError as error:
            yield Fault(
                "A kept matrix is damaged.", error.where, expected="the bytes that were built", got=error.got, do=do
            )
            continue
        if key is None:
            former.append(folder.name)
        elif key != folder.name:
            yield Fault("A kept matrix is of another key.", str(folder), expected=folder.name, got=str(key), do=do)
    if former:
        report.notes.append(
            f"{MATRICES}/ has {count_of(len(former), 'matrix')} of former versions, which are never read: "
            f"{first_of(former)}"
        )


def _spec_faults(root: Path, report: Report) -> Iterator[Fault]:
    for error in damaged_specs(root):
        yield _fault(error)
    for path in listed(root / FEATURES, "*", "[0-9]*"):
        if path.is_file() and path.suffix in {".json", RETIRED}:
            _count(report, path)
    for label, copy in missing_files(root):
        do = f"save the same file again, or take it from a backup; or retire it: featurestore features retire {label}"
        yield Fault(f"A file of the saved spec {label} is missing.", str(copy), do=do)
    for path in listed(root / FEATURES / FILES, "*", "*"):
        _count(report, path)
        found = "a folder" if path.is_dir() else file_sha256(path)
        if found != path.parent.name:
            do = "copy the same file there again, or from a backup"
            yield Fault("A file of a saved spec is damaged.", str(path), expected=path.parent.name, got=found, do=do)


def _report_faults(root: Path, report: Report) -> Iterator[Fault]:
    for folder in listed(root / REPORTS, "*"):
        report.seen.add(folder)
        if (folder / f"{SCORES}{UNFINISHED}").is_file():
            report.notes.append(f"{REPORTS}/{folder.name} was not finished: evaluate again")
            continue
        try:
            sums = read_sums(folder)
        except FeatureStoreError as error:
            yield _fault(error)
            continue
        if sums is None:
            report.notes.append(f"{REPORTS}/{folder.name} was not read: it has no {SUMS}; evaluate again to have one")
            continue
        _count(report, folder)
        if other := differing(folder, sums):
            do = "evaluate again: featurestore evaluate SPEC.toml -o FOLDER"
            yield Fault("A report is damaged.", str(folder), got=f"missing, or other bytes: {first_of(other)}", do=do)
        foreign = sorted({path.name for path in folder.iterdir()} - {*sums, SUMS})
        if foreign := [name for name in foreign if not name.endswith(UNFINISHED)]:
            report.notes.append(f"{REPORTS}/{folder.name} has files that were not read: {first_of(foreign)}")


def _search_faults(root: Path, report: Report) -> Iterator[Fault]:
    for folder in listed(root / INDEXES, "*"):
        _count(report, folder)
        changed, missing = index_faults(folder)
        if changed:  # once more: it may just have been replaced
            changed, missing = index_faults(folder)
        if changed:
            do = f"it is made again at the next search; move it away: {_away(folder)}"
            got = f"other bytes: {first_of(changed)}"
            yield Fault("A search index is damaged.", str(folder), expected="what was written", got=got, do=do)
        elif missing and folder.is_dir():
            report.notes.append(f"{INDEXES}/{folder.name} is not whole: it is made again at the next search")


def _answer_faults(root: Path, report: Report) -> Iterator[Fault]:
    for path in listed(root / ANSWERS, "*"):
        _count(report, path)
        try:
            if read_sealed(path) is None:
                report.notes.append(
                    f"{ANSWERS}/{path.name} was not read: it has no checksum; move it away to ask again"
                )
        except FeatureStoreError as error:
            do = f"the next --online asks again; move it away: {_away(path)}"
            yield Fault(error.what, error.where, expected=error.expected, got=error.got, do=do)


def _count(report: Report, path: Path) -> None:
    report.seen.add(path)
    with suppress(FileNotFoundError):  # what is made again at any time, and goes with its release
        for each in path.iterdir() if path.is_dir() else [path]:
            report.n_bytes += each.stat().st_size
            report.n_files += 1


def _away(path: Path) -> str:
    return f"mv {shlex.quote(str(path))} ."


def _fault(error: FeatureStoreError) -> Fault:
    return Fault(error.what, error.where, expected=error.expected, got=error.got, do=error.do)
