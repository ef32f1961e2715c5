"""Kill an ingest anywhere, fill the disk, make it read-only: the warehouse opens, is whole, and takes a retry."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import workers
from faulty_disk import FAULTS, Died, FaultyDisk

from featurestore.errors import FeatureStoreError, WarehouseError
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.search.index import INDEXES
from featurestore.storage.locks import PUBLISHING
from featurestore.storage.snapshot import RELEASES, read_snapshot, release_path, snapshot_path
from featurestore.store import Store
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.collect import collect
from ingest.release.publish import publish
from ingest.release.staging import staging
from ingest.release.tables import write_table
from ingest.release.trash import bring_back
from ingest.sums import summing

KILL_PARTS = 3 if os.environ.get("FEATURESTORE_STRESS") else 1
"""In how many parts a long row of kills is, so that several workers share it."""
SAMPLE = 12
"""Every twelfth boundary is tried in the quick share, others for each fault."""


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} if root.exists() else set()


def contents(root: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def put(root: Path, reference: Path, dataset_id: str, release_id: str) -> None:
    with staging(root) as workspace:
        folder = workspace / "release"
        folder.mkdir()
        write_table(folder, "gene", pl.DataFrame({"gene_index": [0], "gene_id": ["ENSG1"], "gene_symbol": ["ONE"]}))
        publish(root, folder, {"dataset_id": dataset_id, "release_id": release_id, "gene_reference": "ref"}, reference)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    columns = ("gene_id", "gene_symbol", "entrez_id", "hgnc_id", "biotype", "chromosome")
    pl.DataFrame([("ENSG1", "ONE", "1", "HGNC:1", "x", "1")], schema=columns, orient="row").write_parquet(
        folder / "gene.parquet"
    )
    return folder


def require_whole(root: Path, allowed: list[dict[str, str]]) -> None:
    """Require that the warehouse opens at one of some states."""
    if root.exists():
        assert read_snapshot(root).datasets in allowed
        with Warehouse(root) as store:
            assert (
                sorted(store.snapshot.datasets)
                == store.frame("select distinct dataset_id from release.gene order by 1")["dataset_id"].to_list()
            )
    else:
        assert {} in allowed


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_first", [True, False], ids=["a new warehouse", "a second release"])
def test_publish__survives_a_fault_at_every_boundary(fault, is_first, tmp_path, reference, faults, share):
    error, stays = FAULTS[fault]
    template, expected = tmp_path / "template", tmp_path / "expected"
    if not is_first:
        put(template, reference, "a", "r1")
        shutil.copytree(template, expected)
    with FaultyDisk().inserted() as counted:
        put(expected, reference, "a", "r2")
    assert counted.n_calls > 20
    step = share(SAMPLE, 1)
    allowed = [{}] if is_first else [{"a": "r1"}]
    with faults(f"{fault}, at every fsync, rename, link, mkdir, write of publishing") as trials:
        for at in range(1 + list(FAULTS).index(fault) % step, counted.n_calls + 1, step):
            root = tmp_path / f"{fault}-{at}"
            if not is_first:
                shutil.copytree(template, root)
            disk = FaultyDisk(at, error, stays=stays)
            with trials.trial(f"call {at}"):
                with contextlib.suppress(Died, FeatureStoreError), disk.inserted():
                    put(root, reference, "a", "r2")
                assert disk.failed
                require_whole(root, [*allowed, {"a": "r2"}])
                put(root, reference, "a", "r2")
                collect(root, retention=timedelta())
                assert verify(root).notes == []
                assert names(root) == names(expected)
            shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_gc__survives_a_fault_at_every_boundary(fault, published, tmp_path, faults, share):
    """Whatever it had set aside by then comes back, and what it had not is as it was."""
    error, stays = FAULTS[fault]
    before = {name: content for name, content in contents(published).items() if name != DATABASE}
    shutil.copytree(published, tmp_path / "counted")
    with FaultyDisk().inserted() as counted:
        collect(tmp_path / "counted", keep=1)
    step = share(4 * SAMPLE, 1)
    with faults(f"{fault}, at every fsync, rename, mkdir, write of gc") as trials:
        for at in range(1 + list(FAULTS).index(fault) * SAMPLE % step, counted.n_calls + 1, step):
            root = tmp_path / f"{fault}-{at}"
            shutil.copytree(published, root)
            disk = FaultyDisk(at, error, stays=stays)
            with trials.trial(f"call {at}"):
                with contextlib.suppress(Died, FeatureStoreError), disk.inserted():
                    collect(root, keep=1)
                assert disk.failed
                with Warehouse(root) as store:
                    assert store.snapshot.number == 3
                    assert store.frame("select count(*) as n from signature")["n"].item() > 0
                assert verify(root).faults == []
                bring_back(root)
                collect(root)
                left = {name: content for name, content in contents(root).items() if name != DATABASE}
                assert left == before
            shutil.rmtree(root)


@pytest.mark.parametrize("fault", ["one I/O error", "disk full", "disk turned read-only"])
def test_refused__is_one_clear_error_and_changes_nothing_before_the_snapshot(fault, tmp_path, reference):
    error, stays = FAULTS[fault]
    root = tmp_path / "warehouse"
    put(root, reference, "a", "r1")
    before = contents(root)
    disk = FaultyDisk(6, error, stays=stays)
    with pytest.raises(WarehouseError) as caught, disk.inserted():
        put(root, reference, "a", "r2")
    assert os.strerror(error) in str(caught.value)
    assert "featurestore doctor" in str(caught.value)
    assert contents(root) == before


@pytest.mark.parametrize("is_first", [True, False], ids=["a new warehouse", "a second dataset"])
def test_refused__of_the_snapshot_takes_the_release_back(is_first, tmp_path, reference, monkeypatch):
    root = tmp_path / "warehouse"
    if not is_first:
        put(root, reference, "a", "r1")
    before = contents(root)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(WarehouseError, match="The disk is full"):
        put(root, reference, "b", "r1")
    left = {name for name in contents(root) if name not in before}
    assert not [name for name in left if name.startswith("releases")]
    assert {name: contents(root)[name] for name in before} == before


def test_refused__by_polars_is_told_as_by_all_others(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        text = "parquet: underlying IO error: No space left on device (os error 28)"
        raise pl.exceptions.ComputeError(text)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    with pytest.raises(WarehouseError, match="The disk is full") as caught, staging(tmp_path / "w") as folder:
        write_table(folder, "gene", pl.DataFrame({"gene_index": [0], "gene_id": ["ENSG1"], "gene_symbol": ["ONE"]}))
    assert os.strerror(errno.ENOSPC) in str(caught.value)


def test_publish__everything_is_on_the_disk_before_the_snapshot_names_it(tmp_path, reference, monkeypatch):
    """What power loss could take is flushed first: every file, and every folder that an entry was added to."""
    root = tmp_path / "deep" / "warehouse"
    flushed: set[str] = set()
    fsync, link = os.fsync, os.link

    def remember(descriptor: int) -> None:
        flushed.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def require(source: Path, target: Path) -> None:
        release = release_path(root, "a", "r1")
        staged = {path.rpartition("/staging/")[2].partition("/release")[2] for path in flushed if "/release" in path}
        for path in release.rglob("*"):
            assert f"/{path.relative_to(release)}" in staged
        reference_folder = root / "reference" / "ref"
        assert any(path.endswith("/ref/gene.parquet") for path in flushed)
        for folder in (release.parent, release.parent.parent, root, reference_folder.parent, target.parent.parent):
            assert str(folder) in flushed
        assert str(source) in flushed
        link(source, target)

    monkeypatch.setattr(os, "fsync", remember)
    monkeypatch.setattr(os, "link", require)
    put(root, reference, "a", "r1")
    assert str(root / "snapshots") in flushed
    assert read_snapshot(root).datasets == {"a": "r1"}


def ingest_arguments(root: Path, spec: Path) -> list[str]:
    return ["--warehouse", str(root), "ingest", str(spec)]


def is_as_before(root: Path, template: Path) -> bool:
    """Say whether nothing was published, and all that was there is there byte by byte: the template is whole."""
    before = contents(template)
    return {name: content for name, content in contents(root).items() if name in before} == before and (
        read_snapshot(root).number == read_snapshot(template).number
    )


def require_survived(root: Path, template: Path, spec: Path, expected: set[str]) -> None:
    """Require that a killed ingest left the warehouse whole, and that a retry and gc make it as it should be."""
    number = read_snapshot(root).number
    if not is_as_before(root, template):
        assert verify(root).faults == []
        with Warehouse(root) as store:
            assert store.frame("select count(*) as n from signature")["n"].item() > 0
    outcome = ingest_dataset(spec, root)
    assert outcome.snapshot >= number
    collect(root, retention=timedelta())
    report = verify(root)
    assert (report.faults, report.notes) == ([], [])
    assert names(root) == expected


@pytest.fixture(scope="module")
def two_specs(tmp_path_factory, dataset) -> tuple[Path, Path, set[str]]:
    """A warehouse with one dataset, the spec of another, and what is there after both."""
    folder = tmp_path_factory.mktemp("kill")
    ingest_dataset(dataset(folder / "files", "first", seed=1), folder / "warehouse")
    spec = dataset(folder / "files", "second", seed=2)
    shutil.copytree(folder / "warehouse", folder / "both")
    ingest_dataset(spec, folder / "both")
    return folder / "warehouse", spec, names(folder / "both")


def ingested(root: Path, spec: Path, moment: float | None = None) -> tuple[int | None, float]:
    """Ingest in another process, killed at a moment if it lasts as long; give how it ended, and how long it took."""
    process = workers.context().Process(target=workers.command, args=ingest_arguments(root, spec))
    started = time.monotonic()
    process.start()
    process.join(moment)
    if moment is not None:
        process.kill()
        process.join()
    return process.exitcode, time.monotonic() - started


@pytest.mark.parametrize("part", range(KILL_PARTS))
def test_ingest__survives_kill_9_at_random_moments(part, two_specs, tmp_path, faults, share):
    """A moment in each stretch of an ingest; a run that ends before it is not counted, and makes the next sooner."""
    template, spec, expected = two_specs
    rng = random.Random(9 + part)
    n, root, whole = share(3, 150), tmp_path / "w", float("inf")
    for _ in range(2):
        shutil.copytree(template, root)
        code, seconds = ingested(root, spec)
        assert code == 0
        whole = min(whole, seconds)
        shutil.rmtree(root)
    with faults("kill -9 of an ingest at a random moment") as trials:
        for number in range(part, n, KILL_PARTS):
            code = 0
            while code == 0:
                shutil.rmtree(root, ignore_errors=True)
                shutil.copytree(template, root)
                code, seconds = ingested(root, spec, (number + rng.random()) / n * whole)
                whole = whole if code else 0.98 * min(whole, seconds)
            with trials.trial(f"kill {number}"):
                assert code == -signal.SIGKILL
                require_survived(root, template, spec, expected)


@pytest.mark.skipif(not os.environ.get("FEATURESTORE_STRESS"), reason="part of make stress")
@pytest.mark.parametrize("fault", FAULTS)
def test_ingest__survives_a_fault_at_every_boundary(fault, two_specs, tmp_path, faults):
    template, spec, expected = two_specs
    error, stays = FAULTS[fault]
    shutil.copytree(template, tmp_path / "counted")
    with FaultyDisk().inserted() as counted:
        ingest_dataset(spec, tmp_path / "counted")
    with faults(f"{fault}, at every fsync, rename, link, mkdir, write of an ingest") as trials:
        for at in range(1, counted.n_calls + 1):
            root = tmp_path / "w"
            shutil.copytree(template, root)
            disk = FaultyDisk(at, error, stays=stays)
            with trials.trial(f"call {at}"):
                with contextlib.suppress(Died, FeatureStoreError), disk.inserted():
                    ingest_dataset(spec, root)
                require_survived(root, template, spec, expected)
            shutil.rmtree(root)


STRACE = shutil.which("strace")


def injected(fault: str, said: Path, *arguments: str) -> int | None:
    """Run a command in a process that has imported all, once strace has hold of it; give how it ended."""
    context = workers.context()
    end, inside = context.Pipe()
    process = context.Process(target=workers.command_when_told, args=(inside, said, *arguments))
    process.start()
    call = fault.removeprefix("inject=").partition(":")[0]
    trace = [str(STRACE), "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", fault, "-p", str(process.pid)]
    with subprocess.Popen(trace, stderr=subprocess.PIPE, text=True) as tracer:
        if "attached" in tracer.stderr.readline():
            end.send("go")
        else:
            process.kill()
            pytest.skip("strace may not attach to processes here")
        tracer.stderr.read()
        process.join()
    return process.exitcode


@pytest.mark.skipif(not os.environ.get("FEATURESTORE_STRESS") or STRACE is None, reason="part of make stress")
@pytest.mark.parametrize("injection", ["signal=KILL", "error=ENOSPC", "error=EIO"])
def test_command__survives_a_fault_at_system_calls(injection, two_specs, tmp_path, faults):
    """The same from below: the real command, its libraries written in C among it, as the kernel would fail it."""
    template, spec, expected = two_specs
    calls = {"fsync": 22, "mkdir": 12, "rename": 2, "link": 1, "unlink": 7, "rmdir": 7, "pwrite64": 5, "write": 150}
    codes = []
    with faults(f"{injection.partition('=')[2]} at a system call of the ingest command, by strace") as trials:
        for call, n in calls.items():
            for at in range(1, n + 1, max(1, n // 4)):
                root, said = tmp_path / "w", tmp_path / f"said-{call}-{at}"
                shutil.copytree(template, root)
                with trials.trial(f"{call} {at}"):
                    codes.append(injected(f"inject={call}:{injection}:when={at}", said, *ingest_arguments(root, spec)))
                    assert "Traceback" not in said.read_text()
                    require_survived(root, template, spec, expected)
                shutil.rmtree(root)
    n_hit = sum(code != 0 for code in codes)  # the others came once all was published, or may fail
    assert n_hit > len(codes) // 4, codes


IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount a small disk of its own, where that is allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    if not IS_ROOT or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def telling(words: str) -> Iterator[None]:
    """Require that an error, if there is one, says some words."""
    try:
        yield
    except WarehouseError as error:
        if words not in str(error):
            raise AssertionError(str(error)) from error
        raise


def test_full_disk__is_one_clear_error_and_changes_nothing(two_specs, tmp_path, faults, share):
    template, spec, expected = two_specs
    size = sum(path.stat().st_size for path in template.rglob("*") if path.is_file())
    n_left = 0
    with (
        mounted(tmp_path / "disk", f"size={size // 1024 + 900}k") as disk,
        faults("a disk of that size, full") as trials,
    ):
        shutil.copytree(template, disk / "warehouse")
        ballast = disk / "ballast"
        before = contents(disk / "warehouse")
        for kilobytes in range(0, 320, share(160, 8)):
            usage = shutil.disk_usage(disk)
            ballast.write_bytes(b"x" * max(usage.free - kilobytes * 1024, 0))
            with trials.trial(f"{kilobytes} kB free"):
                with contextlib.suppress(WarehouseError), telling("The disk is full"):
                    ingest_dataset(spec, disk / "warehouse")
                if read_snapshot(disk / "warehouse").number == 1:
                    assert contents(disk / "warehouse") == before
                    n_left += 1
                ballast.unlink()
                require_survived(disk / "warehouse", template, spec, expected)
            shutil.rmtree(disk / "warehouse")
            shutil.copytree(template, disk / "warehouse")
    assert n_left > 0


def test_gc__on_a_full_disk_makes_room_by_what_is_derived(published, tmp_path):
    """The moves need room for folders: the database of views gives it, and nothing else goes but what was asked for."""
    size = sum(path.stat().st_size for path in published.rglob("*") if path.is_file())
    with mounted(tmp_path / "disk", f"size={size // 1024 + 900}k") as disk:
        root = disk / "warehouse"
        shutil.copytree(published, root)
        before = {path: path.read_bytes() for path in (root / RELEASES).rglob("*.parquet")}
        (disk / "ballast").write_bytes(b"x" * shutil.disk_usage(disk).free)
        told = []
        collect(root, keep=1, tell=told.extend)
        assert [each.kind for each in told] == ["database", "snapshot", "snapshot", "release"]
        assert verify(root).faults == []
        assert len(bring_back(root)) == 3
        assert {path: path.read_bytes() for path in before} == before
        (root / DATABASE).unlink(missing_ok=True)
        (disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(disk).free + (disk / "ballast").stat().st_size))
        with pytest.raises(WarehouseError, match="The disk is full"):
            collect(root, keep=1, retention=timedelta())
        assert {path: path.read_bytes() for path in before} == before


def test_search__on_a_full_disk_is_answered_without_an_index(published, tmp_path):
    shutil.copytree(published, tmp_path / "elsewhere")
    with Store(tmp_path / "elsewhere") as store:
        expected = store.search(perturbation="TP53")
    of_index = sum(path.stat().st_size for path in (tmp_path / "elsewhere" / INDEXES).rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in published.rglob("*") if path.is_file())
    with mounted(tmp_path / "disk", f"size={size // 1024 + 900}k") as disk:
        root = disk / "warehouse"
        shutil.copytree(published, root, ignore=shutil.ignore_patterns(INDEXES))
        for free in (0, of_index // 4, of_index // 2):
            (disk / "ballast").write_bytes(b"x" * max(shutil.disk_usage(disk).free - free, 0))
            with Store(root) as store:
                assert store.search(perturbation="TP53").equals(expected)
            assert not list((root / INDEXES).glob("*")) if (root / INDEXES).exists() else True
            (disk / "ballast").unlink()


def test_read_only_disk__reads_and_refuses_to_write(two_specs, tmp_path, faults):
    template, spec, _ = two_specs
    with mounted(tmp_path / "disk", "size=8m") as disk:
        shutil.copytree(template, disk / "warehouse")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with faults("a disk that can only be read") as trials:
            with trials.trial("read"), Warehouse(disk / "warehouse") as store:
                assert store.frame("select n_genes from dataset")["n_genes"].to_list() == [4]
            for what in (lambda: ingest_dataset(spec, disk / "warehouse"), lambda: collect(disk / "warehouse")):
                with trials.trial("write"), pytest.raises(WarehouseError, match="can only be read"):
                    what()
            with trials.trial("ingest of what is there"):
                assert not ingest_dataset(spec.with_name("first.toml"), disk / "warehouse").is_new
            with trials.trial("verify"):
                assert verify(disk / "warehouse").faults == []


def test_ingest__a_file_that_changes_while_it_is_read_is_refused(two_specs, tmp_path, monkeypatch, dataset):
    spec = dataset(tmp_path / "files", "second", seed=2)
    root = tmp_path / "warehouse"
    accumulate = summing.accumulate

    def meanwhile(reader, *rest):
        accumulate(reader, *rest)
        os.utime(reader.path, (1, 1))

    monkeypatch.setattr(summing, "accumulate", meanwhile)
    with pytest.raises(FeatureStoreError, match="changed while it was read"):
        ingest_dataset(spec, root)
    assert not root.exists()


def test_retry__after_a_kill_between_snapshot_and_database(two_specs, tmp_path):
    template, spec, expected = two_specs
    root = tmp_path / "warehouse"
    shutil.copytree(template, root)
    (root / PUBLISHING).touch()
    stale = (root / DATABASE).read_bytes()
    ingest_dataset(spec, root)
    (root / DATABASE).write_bytes(stale)
    assert "shows an older snapshot" in verify(root).notes[0]
    assert not ingest_dataset(spec, root).is_new
    assert verify(root).notes == []
    assert snapshot_path(root, 2).exists()
    assert names(root) == expected


def test_errno__of_a_quota_is_named(tmp_path, reference):
    with pytest.raises(WarehouseError, match="quota"), FaultyDisk(4, errno.EDQUOT).inserted():
        put(tmp_path / "warehouse", reference, "a", "r1")
    assert not (tmp_path / "warehouse").exists()
