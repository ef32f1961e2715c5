"""The one loop: a spec and its files become a release of the warehouse, or one error and nothing else.

Memory is the sums (36 bytes for each condition and gene, up to a limit) and two blocks of the file, one read while the
other is added; it does not grow with the number of cells beyond their labels and a few numbers for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import as_file
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import SourceError, SpecError, WarehouseError, did_you_mean
from featurestore.storage.snapshot import MANIFEST, read_manifest, read_snapshot, release_path
from ingest import reference
from ingest.conditions.described import open_matrix
from ingest.conditions.lookups import Lookups
from ingest.conditions.rows import RowTables, name_within
from ingest.conditions.side_tables import find_beside, open_side_tables
from ingest.harmonise.online import OnlineGenes
from ingest.job import read_job, write_release
from ingest.named_files import files_called
from ingest.reader import Reader
from ingest.readers.open import open_source
from ingest.release.checksums import Checksums
from ingest.release.heads import refresh_head
from ingest.release.publish import content_hash, keep_reference, name_release, publish
from ingest.release.staging import staging
from ingest.routes.opened import Opened
from ingest.spec import SPECS, DatasetSpec, read_spec

if TYPE_CHECKING:
    from ingest.reported.long_table import LongTable
    from ingest.sums.journal import Journal
    from ingest.sums.summing import Summing

DISTRIBUTION = "perturbation-featurestore"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ingest did: the release, the snapshot that names it, and whether anything was new."""

    dataset_id: str
    release_id: str
    snapshot: int
    is_new: bool
    manifest: dict[str, Any]


def ingest_dataset(
    spec_path: Path,
    root: Path,
    data: Path | None = None,
    *,
    online: OnlineGenes | None = None,
    memory_limit: int | None = None,
    cluster: Summing | None = None,
) -> Outcome:
    """Ingest one dataset.

    Parameters
    ----------
    spec_path
        The dataset's spec.
    root
        The warehouse, made if need be.
    data
        The folder that file names in the spec are relative to; the spec's own by default.
    online
        What to ask for genes that the reference leaves open; nothing without it. Its answers are part of the release's
        identity.
    memory_limit
        Most that sums of cells take in memory; a quarter of the machine's by default. It changes no digit of a
        release. Unit: bytes.
    cluster
        Who sums cells, see :func:`ingest.sums.cluster.on_cluster`; this process by default. It changes no digit either.

    Raises
    ------
    FeatureStoreError
        Spec or files are at fault; the warehouse is as it was.
    """
    spec = read_spec(spec_path)
    folder = data or spec_path.parent
    with ExitStack() as stack:
        beside = spec_path.parent
        opened = _open(spec, folder, beside, stack, online=online, memory_limit=memory_limit, cluster=cluster)
        stamps = {path: _stamp(path) for path in opened.paths}
        names = {path: name_within(path, folder) for path in opened.paths}
        folders = [name_within(source.path, folder) for source in opened.sources if source.path.is_dir()]
        checksums = stack.enter_context(Checksums(names, folders))
        job = read_job(opened) if online is not None else None
        identity = _Identity(opened, checksums, None if online is None else online.identity())
        outcome = _known(root, spec.dataset.id, identity) if _may_be_known(root, spec.dataset.id, checksums) else None
        if outcome is None:
            work = content_hash(identity.made_by | {"files": {str(path): stamp for path, stamp in stamps.items()}})
            with staging(root) as workspace, ExitStack() as journals:
                opening = partial(_open_journal, journals, workspace.parent, work)
                manifest = write_release(job or read_job(opened), workspace / "release", identity, opening)
                _refuse_changed(stamps)
                outcome = _publish(root, workspace / "release", manifest | {"spec_file": _spec_name(spec_path)})
    if online is not None:
        online.save()
    return outcome


def _open(
    spec: DatasetSpec,
    folder: Path,
    beside: Path,
    stack: ExitStack,
    *,
    online: OnlineGenes | None,
    memory_limit: int | None,
    cluster: Summing | None,
) -> Opened:
    """Open the files of a spec, the further matrices in them, and the tables beside them or beside the spec."""
    readers: list[Reader] = []
    listings: list[LongTable] = []
    layers: list[dict[str, Reader]] = []
    transcripts = find_beside(spec.genes.transcripts, (beside, folder)) if spec.genes.transcripts else None
    for path in find_files(spec, folder):
        if spec.lines is not None:
            from ingest.reported.long_table import LongTable, Sheet  # noqa: PLC0415, a matrix needs no SQL engine

            sheet = Sheet(spec.dataset.sheet, spec.dataset.header)
            listings.append(LongTable(path, spec.lines, spec.label_columns(), spec.dataset.format, sheet))
            continue
        readers.append(stack.enter_context(closing(open_matrix(path, spec, transcripts))))
        layers.append({})
        for statistic, matrix in spec.layers.named().items():
            layer = open_source(path, format=spec.dataset.format, matrix=matrix)
            layers[-1][statistic] = stack.enter_context(closing(layer))
    row_tables = RowTables(spec, open_side_tables(spec.rows, spec.rows.join, (beside, folder)), folder)
    gene_tables = open_side_tables(spec.genes, (), (beside, folder))
    lookups = Lookups.of(spec, folder, online)
    return Opened(spec, folder, readers, listings, layers, row_tables, gene_tables, lookups, memory_limit, cluster)


def _open_journal(stack: ExitStack, folder: Path, work: str) -> Journal:
    from ingest.sums.journal import Journal  # noqa: PLC0415, what is not summed needs no compiler of kernels

    return stack.enter_context(Journal(folder, work))


class _Identity:
    """All that a release follows from, by which it is named: inputs, spec, reference, code and a service's answers."""

    def __init__(self, opened: Opened, checksums: Checksums, answers: dict[str, Any] | None) -> None:
        self._checksums = checksums
        self._names = [name_within(source.path, opened.folder) for source in opened.sources]
        self.made_by: dict[str, Any] = {
            "spec": opened.spec.model_dump(mode="json"),
            "gene_reference": reference.reference_id(),
            "code": {"version": version(DISTRIBUTION), "contract_version": CONTRACT_VERSION},
        } | ({} if answers is None else {"online": answers})

    def __call__(self) -> dict[str, Any]:
        """Wait for the checksums of the inputs, and refuse two of one content."""
        inputs = self._checksums.inputs()
        _refuse_copies(self._names, inputs)
        return {"inputs": inputs, **self.made_by}


def _publish(root: Path, release: Path, manifest: dict[str, Any]) -> Outcome:
    """Publish a staged release with the tables of its reference."""
    with as_file(reference.data_dir()) as tables_of_reference:
        snapshot = publish(root, release, manifest, tables_of_reference)
    dataset_id, release_id = manifest["dataset_id"], manifest["release_id"]
    published = read_manifest(root, dataset_id, release_id)
    return Outcome(dataset_id, release_id, snapshot.number, is_new=True, manifest=published)


def find_files(spec: DatasetSpec, folder: Path) -> list[Path]:
    """Resolve the files of a spec: relative to the spec, globs in sorted order.

    Raises
    ------
    SpecError
        A name matches nothing, or a file is named twice.
    """
    found: list[Path] = []
    for pattern in spec.dataset.files:
        matches = files_called(folder, pattern)
        if not matches:
            near = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            raise SpecError(
                f"There is no file '{pattern}'.", where=str(folder), do=did_you_mean(Path(pattern).name, near)
            )
        found += matches
    named: dict[tuple[int, int], Path] = {}
    for path in found:
        first = named.setdefault((path.stat().st_dev, path.stat().st_ino), path)
        if first is not path:
            raise _twice([name_within(first, folder), name_within(path, folder)])
    return found


def _refuse_copies(names: Sequence[str], inputs: Sequence[dict[str, Any]]) -> None:
    """Refuse two files of one content, whose cells would count twice."""
    first: dict[str, str] = {}
    for file in inputs:
        if file["name"] in names and first.setdefault(file["blake3"], file["name"]) != file["name"]:
            raise _twice([first[file["blake3"]], file["name"]])


def _twice(names: Sequence[str]) -> SpecError:
    return SpecError(
        "A file is given twice, and its cells would count twice.",
        where="files under [dataset]",
        expected="each file once",
        got=" and ".join(map(repr, names)),
        do="name it once, or let patterns take different files",
    )


def _may_be_known(root: Path, dataset_id: str, checksums: Checksums) -> bool:
    """Say whether a release of the dataset is of files of these names and sizes: their checksums then come first."""
    for path in release_path(root, dataset_id, "").parent.glob(f"*/{MANIFEST}"):
        with suppress(WarehouseError):
            manifest = read_manifest(root, dataset_id, path.parent.name.removeprefix("release_id="))
            if [(each["name"], each["bytes"]) for each in manifest["inputs"]] == checksums.sizes:
                return True
    return False


def _known(root: Path, dataset_id: str, identity: Callable[[], dict[str, Any]]) -> Outcome | None:
    """Find the same release in the warehouse: in the latest snapshot, or in an older one, to which this returns."""
    release_id = content_hash(identity())
    if not (release_path(root, dataset_id, release_id) / MANIFEST).is_file():
        return None
    latest = read_snapshot(root)
    is_new = latest.datasets.get(dataset_id) != release_id
    snapshot = name_release(root, dataset_id, release_id) if is_new else latest
    if snapshot is None:
        return None
    from ingest.release.database import refresh_database  # noqa: PLC0415, what is new loads it while it is flushed

    keep_reference(root, reference.reference_id(), reference.data_dir())
    refresh_head(root)
    refresh_database(root)
    manifest = read_manifest(root, dataset_id, release_id)
    return Outcome(dataset_id, release_id, snapshot.number, is_new=is_new, manifest=manifest)


def _spec_name(path: Path) -> str:
    """Return what to type to ingest by this spec again: its file, or the name of one that comes with featurestore."""
    return path.stem if path.parent == SPECS else path.name


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _refuse_changed(stamps: dict[Path, tuple[int, int, int]]) -> None:
    """Refuse files that were written while they were read: the release would not be of their checksums."""
    for path, stamp in stamps.items():
        if not path.exists() or _stamp(path) != stamp:
            raise SourceError(
                "A file changed while it was read.", where=str(path), do="ingest it again when it is complete"
            )
