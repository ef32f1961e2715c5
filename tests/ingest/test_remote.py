"""A warehouse and files on a real S3-compatible server on loopback: the same answers, the same confinement, no race."""

from __future__ import annotations

import json
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import duckdb
import httpx
import numpy as np
import obstore
import polars as pl
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from polars.testing import assert_frame_equal

from featurestore.cli import featurestore
from featurestore.errors import FeatureStoreError, QueryError, SpecError, WarehouseError
from featurestore.query.sqlfiles import sql_files
from featurestore.query.warehouse import Warehouse
from featurestore.search import search
from featurestore.storage import objects
from featurestore.storage.objects import ObjectStore
from ingest import pipeline, remote
from ingest.pipeline import ingest_dataset
from ingest.readers.zarr import is_read
from layouts.examples import GENES
from layouts.zarr import write_zarr

NAMES = ("replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo")


@pytest.fixture(scope="module")
def server():
    """The address of an S3-compatible server, in the environment of whoever asks."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
        }.items():
            patch.setenv(name, value)
        yield address
    running.stop()


@pytest.fixture
def bucket(server, request):
    """The address of an empty bucket."""
    name = f"b{abs(hash(request.node.name)) % 10**10}"
    httpx.put(f"{server}/{name}", timeout=120).raise_for_status()
    return f"s3://{name}"


@pytest.fixture(scope="module")
def there(server, world):
    """The small world on the server, and something beside it that is nobody's business."""
    httpx.put(f"{server}/lab", timeout=120).raise_for_status()
    store = ObjectStore("s3://lab/shared/warehouse")
    for path in sorted(world.rglob("*")):
        if path.is_file() and path.name != "featurestore.duckdb":
            store.write(path.relative_to(world).as_posix(), path)
    ObjectStore("s3://lab").create("shared/secret.csv", b"a,b\n1,2\n")
    return store.url


def run(*arguments):
    return CliRunner().invoke(featurestore, arguments, catch_exceptions=True)


def test_sql__the_worked_questions_have_the_same_answers(there, world):
    with Warehouse(world) as here, Warehouse(there) as store:
        for name, query in sql_files("examples").items():
            assert sorted(store.frame(query).rows(), key=str) == sorted(here.frame(query).rows(), key=str), name


def test_sql__reads_ranges_of_a_table_not_all_of_it(there, tmp_path, monkeypatch):
    path = tmp_path / "part-0.parquet"
    rng = np.random.default_rng(0)
    numbers = {name: rng.random(2_000_000) for name in "xyz"}
    pl.DataFrame({"key": np.arange(2_000_000)} | numbers).write_parquet(path, row_group_size=50_000)
    ObjectStore(there).write("releases/large.parquet", path)
    with Warehouse(there) as store:
        opened = type(store.filesystem.open(f"{there}/releases/large.parquet"))
        read, fetched = opened.read, []

        def counted(self, *size):
            data = read(self, *size)
            fetched.append(len(data))
            return data

        monkeypatch.setattr(opened, "read", counted)
        found = store.frame(f"select x from read_parquet('{there}/releases/large.parquet') where key = 1_234_567")
    assert found["x"].to_list() == [numbers["x"][1_234_567]]
    assert 0 < sum(fetched) < path.stat().st_size / 20


def test_sql__is_confined_to_the_warehouse(there, world):
    refused = (
        "select * from read_csv('s3://lab/shared/secret.csv')",
        f"select * from read_csv('{there}/../secret.csv')",
        f"select * from read_csv('{there}/releases/../../secret.csv')",
        "select * from read_text('/etc/hostname')",
        f"select * from read_text('{world}/snapshots/00000001.json')",
        f"select * from read_text('{there}/snapshots/00000001.json')",
        f"copy (select 1) to '{there}/releases/x.csv'",
        "set enable_external_access = true",
    )
    with Warehouse(there) as store:
        for query in refused:
            with pytest.raises((QueryError, duckdb.Error)):
                store.frame(query)


def test_search__there_has_the_same_answer_and_keeps_no_index(there, world):
    """But for the last digit: tables are read by SQL there, and by tiles here."""
    find = "select dataset_id || ':' || condition_id from condition where not is_control order by all limit 1"
    before = ObjectStore(there).names("search")
    with Warehouse(world) as here, Warehouse(there) as store:
        condition = here.frame(find).item()
        found = {score: search(store, condition=condition, score=score, top=0) for score in ("cosine", "wtcs")}
        for score, answer in found.items():
            expected = search(here, condition=condition, score=score, top=0)
            assert answer.height
            assert_frame_equal(answer, expected, abs_tol=1e-6, check_row_order=False)
    best = found["cosine"]["condition_id"].head(3).to_list()
    listed = run("--warehouse", there, "search", "--condition", condition, "--top", "3", "--format", "json")
    assert [row["condition_id"] for row in json.loads(listed.stdout)] == best
    assert ObjectStore(there).names("search") == before


def test_export_and_compare__there_answer_as_here(there, world, tmp_path):
    files = {}
    for place in (there, world):
        folder = tmp_path / ("here" if place is world else "there")
        folder.mkdir()
        for words in (
            ["export", NAMES[2], "-o", "matrix.csv", "--what", "matrix"],
            ["export", NAMES[0], "-o", "sums.parquet", "--what", "sums"],
            ["compare", NAMES[0], NAMES[1], "--format", "csv", "-o", "agreement.csv"],
        ):
            place_of = {word: str(folder / word) for word in words if "." in word}
            ran = CliRunner().invoke(featurestore, ["--warehouse", str(place), *(place_of.get(w, w) for w in words)])
            assert ran.exit_code == 0, (ran.output, ran.exception)
        files[place] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(files[there]) == 3
    assert files[there] == files[world]


def test_warehouse__there_is_copied_by_address_and_snapshot(there, world):
    with Warehouse(there, 3) as store, Warehouse(world) as here:
        again = pickle.loads(pickle.dumps(store))
        assert (again.url, again.snapshot) == (there, store.snapshot)
        assert again.manifest("lincs_demo") == here.manifest("lincs_demo")
        again.close()
        assert not again.path.exists()


def test_warehouse__there_is_given_at_an_older_snapshot(there):
    query = "select dataset_id, n_genes from dataset order by all"
    with Warehouse(there) as store, store.at(1) as older, Warehouse(there, 1) as opened:
        assert older.snapshot.number == 1 != store.snapshot.number
        assert older.frame(query).equals(opened.frame(query))
        with store.at(None) as same:
            assert same is store


def test_warehouse__at_an_address_written_otherwise_is_the_same(there, world):
    query = "select dataset_id, n_genes from dataset order by all"
    with Warehouse(world) as store, Warehouse(there.replace("s3://", "S3://") + "/") as other:
        assert other.frame(query).equals(store.frame(query))


def test_warehouse__at_an_address_with_an_empty_part_names_what_was_meant():
    with pytest.raises(WarehouseError) as caught:
        Warehouse("S3://lab//data///warehouse/")
    assert caught.value.do == "did you mean s3://lab/data/warehouse?"


@pytest.mark.parametrize(
    ("address", "expected", "do"),
    [
        ("s3://", "s3://bucket/folder", ""),
        ("S3:///lab/w", "s3://bucket/folder", ""),
        ("ftp://lab/w", "", "known: s3://, gs://, az://, file://, http://, https://"),
        ("s3n://lab/w", "", "known: s3://, gs://, az://, file://, http://, https://"),
        ("az://lab/w", "", "check the address and AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY"),
        ("http://127.0.0.1:1/w", "", "check the address"),
    ],
)
def test_warehouse__at_no_address_says_what_one_is(address, expected, do):
    with pytest.raises(WarehouseError) as caught:
        Warehouse(address)
    assert (caught.value.expected, caught.value.do) == (expected, do)


def test_warehouse__at_an_address_of_nothing_is_refused(bucket):
    for address in (bucket, f"{bucket}/nothing/here/"):
        with pytest.raises(WarehouseError, match="no warehouse at this address"):
            Warehouse(address)


def test_warehouse__whose_newest_snapshot_was_lost_is_refused(bucket):
    store = ObjectStore(f"{bucket}/lost")
    store.create("heads/00000002.json", b"{}")
    store.create("snapshots/00000001.json", b"{}")
    with pytest.raises(WarehouseError, match="newest snapshot is missing"):
        Warehouse(store.url)
    store = ObjectStore(f"{bucket}/copied")
    store.create("releases/dataset_id=a/release_id=b/manifest.json", b"{}")
    with pytest.raises(WarehouseError, match="newest snapshot is missing"):
        Warehouse(store.url)


def test_ingest__from_and_to_an_object_store_makes_the_same_release(bucket, world, world_files):
    data = ObjectStore(f"{bucket}/files")
    for path in world_files.glob("*_raw_singlecell.h5ad"):
        data.write(path.name, path)
    arguments = ("--warehouse", f"{bucket}/warehouse", "ingest", "--data", data.url)
    for number in (1, 2):
        result = run(*arguments, str(world_files / f"{NAMES[number - 1]}.toml"))
        assert result.exit_code == 0, result.output
        assert f"snapshot {number}" in result.output
    again = run(*arguments, str(world_files / f"{NAMES[0]}.toml"))
    assert "nothing to do" in again.output
    shown = run(
        "--warehouse", f"{bucket}/warehouse", "sql", "select dataset_id from dataset order by 1", "--format", "csv"
    )
    assert shown.output.split() == ["dataset_id", *NAMES[:2]]
    with Warehouse(world) as here, Warehouse(f"{bucket}/warehouse") as store:
        for name in NAMES[:2]:
            assert store.snapshot.datasets[name] == here.snapshot.datasets[name]
            ours, theirs = (
                {file["blake3"] for file in each.manifest(name)["files"] if file["table"] != "dataset"}
                for each in (here, store)
            )
            assert ours == theirs


@pytest.fixture(scope="module")
def ingested(world_files, tmp_path_factory):
    """Two scratch warehouses, each with a release of its own, and a third with the second's, made anew."""
    folder = tmp_path_factory.mktemp("scratch")
    roots = [folder / str(number) for number in range(3)]
    return [
        (root, ingest_dataset(world_files / f"{name}.toml", root))
        for root, name in zip(roots, (NAMES[0], NAMES[2], NAMES[2]), strict=True)
    ]


def test_push__writers_that_race_for_a_number_both_succeed(bucket, ingested, monkeypatch):
    """All read the latest snapshot before any creates the next, so that all but one lose."""
    together, reading = threading.Barrier(3), threading.local()
    copy_snapshot = ObjectStore.copy_snapshot

    def at_once(self, root, number=None):
        found = copy_snapshot(self, root, number)
        if not getattr(reading, "is_done", False):
            reading.is_done = True
            together.wait(30)
        return found

    monkeypatch.setattr(ObjectStore, "copy_snapshot", at_once)
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda given: remote.push(ObjectStore(bucket), *given), ingested))
    monkeypatch.undo()
    assert sorted({outcome.snapshot for outcome in outcomes}) == [1, 2]
    assert outcomes[1].manifest == outcomes[2].manifest
    assert ObjectStore(bucket).snapshot_numbers() == [1, 2]
    with Warehouse(bucket) as store:
        assert sorted(store.snapshot.datasets) == sorted([NAMES[0], NAMES[2]])
        assert store.frame("select count(distinct dataset_id) as n from signature")["n"].item() == 2
    with Warehouse(bucket, 1) as store:
        assert len(store.snapshot.datasets) == 1


def test_create__is_decided_by_the_store(bucket):
    store = ObjectStore(bucket)
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: store.create("one", str(number).encode()), range(8)))
    assert sum(created) == 1
    assert store.read("one") == str(created.index(True)).encode()


def test_push__a_release_that_is_there_is_not_written_again(bucket, ingested):
    store = ObjectStore(bucket)
    remote.push(store, *ingested[1])
    before = store.names()
    remote.push(store, *ingested[2])
    assert store.names() == before


def test_push__that_breaks_off_leaves_the_latest_snapshot_and_can_be_done_again(bucket, ingested, monkeypatch):
    store = ObjectStore(bucket)
    remote.push(store, *ingested[0])
    write, left = ObjectStore.write, [3]

    def breaking(self, name, path):
        left[0] -= 1
        if not left[0]:
            raise WarehouseError("The line is cut.")
        write(self, name, path)

    monkeypatch.setattr(ObjectStore, "write", breaking)
    with pytest.raises(WarehouseError):
        remote.push(store, *ingested[1])
    with Warehouse(bucket) as opened:
        assert opened.snapshot.number == 1
    monkeypatch.undo()
    assert remote.push(store, *ingested[1]).snapshot == 2


def test_faults__are_told_in_a_sentence(bucket, server, world_files, monkeypatch, tmp_path):
    with pytest.raises(WarehouseError, match="no snapshot 7"):
        Warehouse(bucket, 7)
    with pytest.raises(FeatureStoreError, match="AWS_ENDPOINT_URL"):
        Warehouse("s3://no-such-bucket/x")
    with pytest.raises(FeatureStoreError, match="object store"):
        ObjectStore("nonsense://x")
    with pytest.raises(SpecError, match=r"There is no file 'rpe1_raw_singlecell\.h5ad'"):
        remote_fetch(bucket, world_files, tmp_path)
    refused = run("--warehouse", bucket, "gc")
    assert "works on a warehouse in a folder" in str(refused.exception)


def remote_fetch(bucket, world_files, folder):
    from ingest.spec import read_spec

    store = ObjectStore(bucket)
    store.write("k562_raw_singlecell.h5ad", world_files / "k562_raw_singlecell.h5ad")
    remote.fetch_inputs(store, read_spec(world_files / "replogle_demo_rpe1.toml"), folder)


def test_inspect__drafts_a_spec_of_a_file_on_the_store(bucket, world_files, tmp_path):
    store = ObjectStore(f"{bucket}/files")
    path = world_files / "k562_raw_singlecell.h5ad"
    store.write(path.name, path)
    spec = tmp_path / "drafted.toml"
    there = run("inspect", f"{bucket}/files/{path.name}", "--write", str(spec))
    here = run("inspect", str(path))
    assert there.exit_code == 0, there.output
    assert there.stdout.splitlines()[:8] == here.stdout.splitlines()[:8]
    assert f'files = ["{path.name}"]' in spec.read_text(encoding="utf-8")
    lost = run("inspect", f"{bucket}/files/k562_raw_singlecel.h5ad")
    assert isinstance(lost.exception, SpecError)
    assert path.name in str(lost.exception)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A scratch folder that the user names."""
    monkeypatch.setenv(remote.SCRATCH, str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_fetch__continues_where_it_was_interrupted(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "PIECE_BYTES", 1000)
    store, raw = ObjectStore(bucket), np.random.default_rng(0).bytes(2_500_000)
    store.create("x", raw)
    pieces = store.fetch("x", tmp_path / "x")
    assert next(pieces) == 0
    n_first = next(pieces)
    pieces.close()
    assert 0 < n_first < len(raw)
    assert list(tmp_path.glob("x")) == []
    rest = list(store.fetch("x", tmp_path / "x"))
    assert rest[0] == n_first
    assert sum(rest) == len(raw)
    assert (tmp_path / "x").read_bytes() == raw
    assert list(store.fetch("x", tmp_path / "x")) == [len(raw)]
    ObjectStore(bucket).write("x", _file(tmp_path / "other", raw[::-1]))
    assert sum(store.fetch("x", tmp_path / "x")) == len(raw)
    assert (tmp_path / "x").read_bytes() == raw[::-1]
    assert list(tmp_path.glob(".x.*.part")) == []
    assert len(list(tmp_path.glob(".x.*.whole"))) == 1


def _file(path, raw):
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("broken", ["fetch", "write"])
def test_ingest__that_breaks_off_goes_on_from_what_is_kept(bucket, world_files, kept, monkeypatch, broken):
    files = ObjectStore(f"{bucket}/files")
    for path in world_files.glob("*_raw_singlecell.h5ad"):
        files.write(path.name, path)
    spec = str(world_files / f"{NAMES[0]}.toml")
    arguments = ("--warehouse", f"{bucket}/warehouse", "ingest", "--data", files.url, spec)
    fetched, written = [], []
    get, put = obstore.get, obstore.put

    def counted_get(store, name, **options):
        fetched.append(name)
        return get(store, name, **options)

    def counted_put(store, name, *rest, **options):
        written.append(name)
        if broken == "write" and len(written) == 3:
            raise KeyboardInterrupt
        return put(store, name, *rest, **options)

    summed = []
    write = pipeline.write_release

    def counted_write(job, *rest):
        summed.append(job)
        if broken == "fetch" and len(summed) == 1:
            raise KeyboardInterrupt
        return write(job, *rest)

    monkeypatch.setattr(obstore, "get", counted_get)
    monkeypatch.setattr(obstore, "put", counted_put)
    monkeypatch.setattr(pipeline, "write_release", counted_write)
    assert run(*arguments).exit_code != 0
    assert len(list(kept.iterdir())) == 1
    inputs = [name for name in fetched if name.endswith(".h5ad")]
    assert len(inputs) >= 1
    again = run(*arguments)
    assert again.exit_code == 0, again.output
    assert "snapshot 1" in again.output
    assert [name for name in fetched if name.endswith(".h5ad")] == inputs
    assert len(summed) == (2 if broken == "fetch" else 1)
    assert list(kept.iterdir()) == []
    with Warehouse(f"{bucket}/warehouse") as store:
        assert list(store.snapshot.datasets) == [NAMES[0]]
        assert store.frame("select count(*) as n from signature")["n"].item() > 0


def test_scratch__of_one_purpose_is_for_one_at_a_time(kept):
    with remote.scratch("a") as first, remote.scratch("a") as second, remote.scratch("b") as third:
        assert len({first, second, third}) == 3
        (first / "x").write_text("1")
    assert list(kept.iterdir()) == []


def counted(monkeypatch):
    """Count the bytes that are fetched of each object."""
    fetched = {}
    read, copy = ObjectStore.read_range, ObjectStore.fetch

    def read_range(self, name, start, length):
        fetched[name] = fetched.get(name, 0) + length
        return read(self, name, start, length)

    def fetch(self, name, path):
        for n_bytes in copy(self, name, path):
            fetched[name] = fetched.get(name, 0) + n_bytes
            yield n_bytes

    monkeypatch.setattr(ObjectStore, "read_range", read_range)
    monkeypatch.setattr(ObjectStore, "fetch", fetch)
    return fetched


def upload(store, folder):
    sizes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder.parent).as_posix()
            store.write(name, path)
            sizes[name] = path.stat().st_size
    return sizes


def test_zarr__on_a_store_is_looked_at_by_range_and_ingested_by_what_it_needs(bucket, tmp_path, monkeypatch):
    """A look fetches tables and the beginning of the matrix; an ingest those and the matrix, no embedding, no layer."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (4000, len(GENES))) * (rng.random((4000, len(GENES))) < 0.7)
    labels = [("non-targeting", "MYC", "STAT1", "TYK2")[at % 4] for at in range(4000)]
    rows = pl.DataFrame({"index": [f"C{at}" for at in range(4000)], "perturbation": labels, "cell_line": "K562"})
    path = write_zarr(tmp_path / "screen.zarr", counts, rows, GENES, sharded=(500, 4000), layers={"scaled": counts / 2})
    sizes = upload(ObjectStore(bucket), path)
    fetched = counted(monkeypatch)
    monkeypatch.setattr("ingest.inspection.sample.SAMPLE_BYTES", 1000)
    monkeypatch.setattr("ingest.inspection.sample.BLOCK", 8000)
    spec = tmp_path / "there.toml"
    there = run("inspect", f"{bucket}/screen.zarr", "--write", str(spec))
    here = run("inspect", str(path))
    assert there.exit_code == 0, there.output
    assert there.stdout.splitlines()[:8] == here.stdout.splitlines()[:8]
    matrix = {name: size for name, size in sizes.items() if name.startswith("screen.zarr/X/data/c")}
    n_fetched, n_there = sum(fetched.get(name, 0) for name in matrix), sum(matrix.values())
    assert 0 < n_fetched < n_there / 4, (n_fetched, n_there)
    assert not [name for name in fetched if "/c/" in name and name.startswith("screen.zarr/layers/")]
    fetched.clear()
    made = run("--warehouse", str(tmp_path / "w"), "ingest", str(spec), "--data", bucket)
    assert made.exit_code == 0, made.output
    needed = {name for name in sizes if is_read(name.removeprefix("screen.zarr/"), "X")}
    assert fetched == {name: sizes[name] for name in needed}
    local = run("--warehouse", str(tmp_path / "v"), "ingest", str(spec))
    assert local.exit_code == 0, local.output
    names = [snapshot_of(tmp_path / warehouse) for warehouse in "wv"]
    assert names[0] == names[1], "the same release, whether all of the store is there or what it depends on"


def snapshot_of(root):
    with Warehouse(root) as store:
        return store.frame("select dataset_id, release_id from dataset").rows()
