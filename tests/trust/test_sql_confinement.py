"""From a query, only the warehouse can be read: no file, network, extension, setting or memory of the program."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prison import processor_seconds

from featurestore.errors import QueryError
from featurestore.query.warehouse import Warehouse

SECRET = "secret-of-another-file"

WRITES = [
    "copy (select 1) to '{root}/releases/x.csv'",
    "copy dataset to '{release}/gene.parquet'",
    "copy (select 1) to '{root}/releases' (format parquet, partition_by (x), overwrite_or_ignore)",
    "copy dataset to '/dev/stdout'",
    "COPY(select 1)TO'{root}/releases/x.csv'",
    "/* explain */ copy (select 1) to '{root}/releases/x.csv'",
    "explain analyze copy (select 1) to '{root}/releases/x.csv'",
    "explain/**/analyze/**/copy (select 1) to '{root}/releases/x.csv'",
    "explain (analyze) copy (select 1) to '{root}/releases/x.csv'",
    "explain (format json) copy (select 1) to '{root}/releases/x.csv'",
    "explain explain analyze copy (select 1) to '{root}/releases/x.csv'",
    "--\nexplain analyze create table t as\nselect 1",
    "--explain\nexplain analyze copy (select 1) to '{root}/releases/x.csv'",
    "/*\nexplain analyze */ create table t as select 1",
    "with x as (insert into dataset values (1) returning *) select * from x",
    "with x as (copy (select 1) to '{root}/releases/x.csv') select * from x",
    "with x as (copy (select 1) to '{release}/gene.parquet') select 1",
    "with y as (select 1), x as materialized (copy dataset to '{root}/releases/x.csv') select * from y",
    "explain analyze with x as (copy (select 1) to '{root}/releases/x.csv') select * from x",
    "select * from (with x as (copy (select 1) to '{root}/releases/x.csv') select * from x)",
    "select * from query('with x as (copy (select 1) to ''{root}/releases/x.csv'') select * from x')",
    "describe with x as (copy (select 1) to '{root}/releases/x.csv') select * from x",
    "select 1 union all (with x as (copy (select 1) to '{root}/releases/x.csv') select * from x)",
    "with x as (update release.condition set n_cells = 0 returning 1) select * from x",
    "with x as (delete from release.condition returning 1) select * from x",
    "select * from (copy (select 1) to '{root}/releases/x.csv')",
    "from (insert into dataset select * from dataset)",
    "attach '{root}/releases/new.duckdb'",
    "attach if not exists '{release}/gene.parquet' as x",
    "attach ':memory:' as x",
    "detach memory",
    "use memory.release",
    "create temp table t as select 1",
    "create macro m() as table select * from read_text('/etc/passwd')",
    "create secret (type s3, key_id 'a', secret 'b')",
    "create type t as enum ('a')",
    "create sequence s",
    "create schema s",
    "create index i on dataset (dataset_id)",
    "alter view dataset rename to other",
    "comment on view dataset is 'x'",
    "drop schema release cascade",
    "delete from release.condition",
    "update release.condition set n_cells = 0",
    "truncate release.condition",
    "merge into dataset using dataset as d on true when matched then delete",
    "begin transaction",
    "rollback",
    "vacuum",
    "analyze",
    "export database '{root}/releases/x'",
    "import database '{root}/releases'",
    "call force_checkpoint()",
    "pivot dataset on assay using count(*)",
    "execute p",
    "deallocate p",
    "select 1;;select 2",
    "select 1; copy (select 1) to '{root}/releases/x.csv'",
    "select 1 /* ; */ ; drop view dataset",
    "select * from query('copy (select 1) to ''{root}/releases/x.csv''')",
    "select * from query('select 1; drop view dataset')",
    "select * from query_table('copy')",
    "select * from destroy_external_resource('query', 'copy (select 1) to ''{root}/releases/x.csv''')",
    "select * from json_execute_serialized_sql(json_serialize_sql('copy (select 1) to ''{root}/releases/x.csv'''))",
]

READS = [
    "select * from '{secret}'",
    'select * from "{secret}"',
    "from '{secret}' select *",
    "select * from read_csv('{secret}')",
    "select * from read_csv(['{root}/releases/../../secret/file.txt'])",
    "select * from read_csv_auto('{secret}', all_varchar = true)",
    "select * from read_json('{secret}')",
    "select * from read_json_objects('{secret}')",
    "select * from read_ndjson_objects('{secret}')",
    "select * from read_text('{secret}')",
    "select * from read_blob('{secret}')",
    "select * from read_text('file://{secret}')",
    "select * from read_text('file:{secret}')",
    "select * from read_text('{root}/releases/../../secret/file.txt')",
    "select * from read_text('{root}/releases/./../../secret/file.txt')",
    "select * from read_text('{root}/releases//..//../secret/file.txt')",
    "select * from read_text('{root}/snapshots/00000001.json')",
    "select * from read_text('{root}/RELEASES/../snapshots/00000001.json')",
    "select * from read_text('secret/file.txt')",
    "select * from read_text('~/.bashrc')",
    "select * from read_text('/dev/stdin')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_blob('/dev/fd/0')",
    "select * from read_blob('/proc/self/mem')",
    "select * from read_parquet('{secret}')",
    "select * from read_parquet('{secret}', filename = true)",
    "select * from parquet_metadata('{secret}')",
    "select * from parquet_schema('{secret}')",
    "select * from parquet_kv_metadata('{secret}')",
    "select * from sniff_csv('{secret}')",
    "select * from read_duckdb('{secret}')",
    "select * from glob('/etc/*')",
    "select * from glob('{root}/*')",
    "select * from glob('{root}/releases/../*')",
    "select * from query('select * from read_text(''{secret}'')')",
    "select * from query_table('{secret}')",
    "select * from destroy_external_resource('read_text', '{secret}')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''{secret}'')'))",
    "select (select content from read_text('{secret}'))",
    "select * from dataset, lateral (select * from read_text('{secret}'))",
    "with recursive r as (select 1 union all select * from read_text('{secret}')) select * from r",
    "describe select * from read_csv('{secret}')",
    "summarize '{secret}'",
    "explain analyze select * from read_text('{secret}')",
]

NETWORK_AND_EXTENSIONS = [
    "select * from read_parquet('https://example.com/x.parquet')",
    "select * from read_csv('http://127.0.0.1:9/x.csv')",
    "select * from read_csv('s3://bucket/x.csv')",
    "select * from read_csv('gcs://bucket/x.csv')",
    "select * from read_parquet('hf://datasets/x/y.parquet')",
    "select * from read_csv('az://x/y.csv')",
    "install httpfs",
    "force install httpfs from community",
    "load httpfs",
    "load '{secret}'",
    "update extensions",
    "select * from read_xlsx('{secret}')",
    "select * from sqlite_scan('{secret}', 'x')",
    "select * from postgres_query('x', 'select 1')",
    "select * from delta_scan('{root}')",
    "select * from iceberg_scan('{root}')",
    "select * from st_read('{secret}')",
    "select * from load_aws_credentials()",
    "select * from duckdb_secrets()",
    "select * from duckdb_extensions()",
    "select * from which_secret('s3://x', 's3')",
]

SETTINGS = [
    "set enable_external_access = true",
    "set global enable_external_access = true",
    "set lock_configuration = false",
    "set allowed_directories = ['/']",
    "set temp_directory = '/tmp'",
    "set memory_limit = '1TB'",
    "set log_query_path = '{root}/releases/log'",
    "set enable_profiling = 'json'",
    "set profiling_output = '{root}/releases/profile'",
    "set python_enable_replacements = true",
    "set variable x = 1",
    "reset enable_external_access",
    "pragma enable_external_access = true",
    "pragma memory_limit = '1TB'",
    "select * from enable_logging(storage = 'file')",
    "select * from enable_profiling()",
]

PROGRAM = [
    "select * from pandas_scan(1)",
    "select * from arrow_scan(1, 2, 3)",
    "select * from arrow_scan(1::pointer, 2::pointer, 3::pointer)",
    "select * from arrow_scan(null, null, null)",
    "select * from python_map_function((select 1))",
    "select * from store",
    "select * from SECRET",
    "select getenv('PATH')",
]


@pytest.fixture(scope="module")
def place(published) -> dict[str, str]:
    """A warehouse, and a file that is none of its business."""
    secret = published.parent / "secret" / "file.txt"
    secret.parent.mkdir()
    secret.write_text(SECRET)
    release = next((published / "releases").glob("*/*"))
    return {"root": str(published), "release": str(release), "secret": str(secret)}


@pytest.fixture(scope="module")
def store(place):
    with Warehouse(place["root"]) as store:
        yield store


def states(root: str) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path(root).rglob("*")}


@pytest.mark.parametrize("kind", ["WRITES", "READS", "NETWORK_AND_EXTENSIONS", "SETTINGS", "PROGRAM"])
def test_escape__is_refused(kind, place, store, faults, monkeypatch):
    monkeypatch.chdir(Path(place["root"]).parent)
    before = states(place["root"])
    views = "select view_name from duckdb_views() where not internal union select table_name from duckdb_tables()"
    n_views = store.frame(views).height
    with faults(f"SQL that would escape: {kind.lower().replace('_', ' ')}") as trials:
        for query in globals()[kind]:
            with trials.trial(query):
                with pytest.raises(QueryError) as caught:
                    store.frame(query.format(**place), timeout=300)
                assert SECRET not in str(caught.value)
                assert states(place["root"]) == before
                assert store.frame(views).height == n_views


def test_encoded_path__is_no_way_out(place, store):
    query = "select content from read_text('{root}/releases/%2e%2e/%2e%2e/secret/file.txt')"
    assert store.frame(query.format(**place)).height == 0


def test_deep_query__is_answered_or_refused(store):
    assert store.frame(f"select {'1+' * 200}1 as n")["n"].item() == 201
    with pytest.raises(QueryError, match=r"(?i)depth"):
        store.frame(f"select {'1+' * 5000}1 as n")


def test_deep_query__is_told_to_be_less_deep_not_to_change_a_setting(store):
    with pytest.raises(QueryError, match="nested too deeply") as caught:
        store.frame("select " + "(" * 2000 + "1" + ")" * 2000)
    assert (caught.value.do, "SET" in str(caught.value)) == ("nest it less deeply", False)


def test_text_of_a_query__may_name_anything(store):
    query = """select '"type":"COPY_QUERY_NODE"' as text"""
    assert store.frame(query)["text"].item() == '"type":"COPY_QUERY_NODE"'


def test_spill__goes_nowhere(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Warehouse(world, memory="60MB") as store, pytest.raises(QueryError, match=r"(?i)memory"):
        store.frame("select count(*) from (select range, repeat('x', 200) as text from range(3000000) order by text)")
    assert list(tmp_path.iterdir()) == []


def test_memory__of_a_result_is_bounded(world):
    with Warehouse(world, memory="100MB") as store:
        with pytest.raises(QueryError, match="larger than the memory"):
            store.frame("select range, range + 1 from range(100000000)")
        assert store.frame("select 1 as one")["one"].item() == 1


def test_memory__that_is_no_size_is_refused(world):
    with pytest.raises(QueryError, match="Memory must"):
        Warehouse(world, memory="banana")


ENDLESS = "select sum(hash(a.range, b.range) % 3) from range(1000000) as a, range(1000000) as b"


def test_timeout__ends_a_query_and_leaves_the_connection_usable(store):
    with pytest.raises(QueryError, match="took too long"):
        store.frame(ENDLESS, timeout=0.3)
    assert store.frame("select count(*) as n from dataset", timeout=300)["n"].item() == 2


@pytest.fixture
def interruptible():
    """Take SIGINT as Ctrl-C, as what is run in the background of a shell does not, nor what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt__is_one(store):
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        store.frame(ENDLESS)
    assert store.frame("select count(*) as n from dataset")["n"].item() == 2


def wait_until_at_work(process: int) -> None:
    """Wait until a process has used a second of processor time more, as a query without end does."""
    start, deadline = processor_seconds(process), time.monotonic() + 60
    while processor_seconds(process) < start + 1.0 and time.monotonic() < deadline:
        time.sleep(0.1)


def child_of(process: int) -> int:
    """Wait for the process that a command has doubled itself into."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    deadline = time.monotonic() + 60
    while not (children := listed.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(children[0])


@pytest.mark.parametrize(
    "query",
    [
        "select list(range) from range(100000000)",
        "select string_agg(repeat('x', 1000), '') from range(10000000)",
        "select range, repeat('y', 1000) from range(3000000)",
        "select range, repeat('y', 100) from range(2000000)",
    ],
)
def test_command__stays_within_its_memory(place, query):
    command = [sys.executable, "-m", "featurestore", "--warehouse", place["root"], "sql", query]
    with subprocess.Popen(
        [*command, "--memory", "200MB", "--format", "json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert "--memory" in said
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child begins as a copy of this process
    assert used.ru_maxrss < max(1_000_000, own + 1), "kB: the limit, what the program is, and what it may take to write"


def test_command__that_is_too_deep_is_refused_in_a_sentence(place, tmp_path):
    question = tmp_path / "deep.sql"
    question.write_text("select * from " + "(select * from " * 3000 + "dataset" + ")" * 3000)
    command = [sys.executable, "-m", "featurestore", "--warehouse", place["root"], "sql", str(question)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("QueryError: ")


@pytest.mark.usefixtures("interruptible")
def test_command__is_interrupted_by_ctrl_c(place, tmp_path):
    question = tmp_path / "question.sql"
    os.mkfifo(question)  # whoever reads it has started
    command = [sys.executable, "-m", "featurestore", "--warehouse", place["root"], "sql", str(question)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        question.write_text(ENDLESS)
        wait_until_at_work(child_of(process.pid))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=300)
    assert (process.returncode, output) == (130, b"")
    assert errors.strip() == b"interrupted"


@pytest.mark.parametrize(
    "query",
    [ENDLESS, "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))"],
    ids=["that is interrupted", "that does not look up"],
)
def test_command__gives_up_in_time(place, query):
    """The second would run for most of an hour in a single call, which no interrupt of DuckDB reaches."""
    command = [sys.executable, "-m", "featurestore", "--warehouse", place["root"], "sql", query, "--timeout", "0.2"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("QueryError: The query took too long.")
