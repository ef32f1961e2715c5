from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore, main
from featurestore.query.warehouse import Warehouse

ENVIRONMENT = {"COLUMNS": "120", "FEATURESTORE_WAREHOUSE": None}


def words(arguments, warehouse):
    return [*(["--warehouse", str(warehouse)] if warehouse else []), *arguments]


def run(*arguments: str, warehouse=None):
    """Run a command as the console script does, but in this process: a new one takes a second to import all."""
    with pytest.MonkeyPatch.context() as patch, CliRunner().isolation(env=ENVIRONMENT) as (out, err, _):
        patch.setattr(sys, "argv", ["featurestore", *words(arguments, warehouse)])
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        said = (stream.getvalue().decode() for stream in (out, err))
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *said)


def run_apart(*arguments: str, warehouse=None):
    environment = {**os.environ, "COLUMNS": "120"}
    environment.pop("FEATURESTORE_WAREHOUSE", None)
    command = [sys.executable, "-m", "featurestore", *words(arguments, warehouse)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_help__names_every_command_in_order():
    answer = run_apart("--help")
    assert answer.returncode == 0
    places = [answer.stdout.index(f"\n  {name} ") for name in ("demo", "ingest", "datasets", "history", "sql", "build")]
    assert places == sorted(places)


@pytest.mark.parametrize("command", ["demo", "genes", "ingest", "datasets", "history", "sql", "build", "evaluate"])
def test_help__every_command_teaches(command):
    answer = run(command, "--help")
    assert answer.returncode == 0
    assert len(answer.stdout) > 200


def test_misuse__is_exit_code_2_and_suggests_the_nearest_name(world):
    unknown = run("dataset", warehouse=world)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean 'datasets'" in unknown.stderr
    assert run("sql", warehouse=world).returncode == 2
    assert run("sql", "select 1", "--format", "parquet", warehouse=world).returncode == 2


def test_misuse__of_an_option_names_those_that_there_are(world):
    answer = run("show", "STAT1", "--plot", "volcano.png", warehouse=world)
    assert answer.returncode == 2
    assert "No such option '--plot'. Options of 'show': --top, --condition, --volcano, --heat-map," in answer.stderr


def test_misuse__of_a_condition_names_the_nearest(world):
    with Warehouse(world) as store:
        asked = (
            "select perturbation, dataset_id || ':' || condition_id from condition where not is_control order by all"
        )
        name, key = store.frame(asked).row(0)
    answer = run("show", name, "--condition", key[:-1], warehouse=world)
    assert answer.returncode == 2
    assert f"'{key[:-1]}' is none of its conditions; did you mean '{key}'" in answer.stderr


def test_failure__is_one_message_and_exit_code_1(tmp_path, world):
    for arguments, root in ((["datasets"], tmp_path / "no"), (["sql", "select nonsense"], world)):
        answer = run_apart(*arguments, warehouse=root)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "Error: " in answer.stderr
        assert "Traceback" not in answer.stderr


def test_failure__to_write_is_one_message_too(tmp_path, world):
    path = tmp_path / ("x" * 300)
    answer = run("sql", "select 1", "--format", "csv", "-o", str(path), warehouse=world)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == f"OSError: File name too long.\n  where     {path}\n"


def test_failure__of_the_system_says_what_to_do(tmp_path, world):
    (tmp_path / "gone").symlink_to(tmp_path / "no" / "answer.csv")
    (tmp_path / "file").touch()
    answer = run("sql", "select 1 as x", "-o", str(tmp_path / "gone"), warehouse=world)
    assert answer.returncode == 1
    assert answer.stderr.endswith("do        make the folder first, or name another\n")
    answer = run("sql", "select 1 as x", "-o", str(tmp_path / "file" / "answer.csv"), warehouse=world)
    assert f"do        name another folder: {tmp_path / 'file'} is a file" in answer.stderr


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3:/lab/warehouse", "s3://lab/warehouse"),
        ("S3:lab/warehouse/", "s3://lab/warehouse"),
        ("GS:/lab/w", "gs://lab/w"),
        ("file:/lab/w", "/lab/w"),
        ("~/lab/w", "/home/ada/lab/w"),
        ("$HOME/w", "/home/ada/w"),
        ("${HOME}", "/home/ada"),
    ],
)
def test_place__that_no_shell_has_read_is_no_folder(written, meant, tmp_path, monkeypatch, world):
    """As ``--warehouse=~/w`` and a quoted variable give it: an ingest would make a folder called ``~``."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.chdir(tmp_path)
    answer = run("datasets", warehouse=written)
    assert answer.returncode == 2
    assert f"did you mean {meant}?" in answer.stderr
    spec = f"{world.parent}/features.toml"
    for command in (["sql", "select 1 as x"], ["plan", spec], ["build", spec], ["fetch", "lincs"], ["demo"]):
        answer = run(*command, "-o", written, warehouse=world)
        assert answer.returncode == 1
        assert answer.stderr.endswith(f"do        write {meant}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["export", "MATRIX", "-o", "x.h5ad", "--what", "signatures"],
        ["export", "MATRIX", "-o", "x.h5ad", "--effect-kind", "moderated_z"],
        ["export", "MATRIX", "-o", "x.h5ad", "--snapshot", "1"],
        ["export", "lincs_demo", "-o", "x.h5ad", "--what", "sums", "--effect-kind", "moderated_z"],
        ["sources", "--entry", "replogle_2022_rpe1", "--format", "json"],
        ["sources", "--entry", "replogle_2022_rpe1", "--sums"],
        ["sources", "--check", "--sums"],
        ["score", "HERE", "HERE", "--targets", "HERE"],
        ["submit", "HERE", "HERE", "-o", "x.vcc", "--missing", "mean"],
    ],
)
def test_option__that_would_change_nothing_is_refused(words, tmp_path, world):
    (tmp_path / "manifest.json").write_text("{}")
    places = {"MATRIX": str(tmp_path), "HERE": str(tmp_path / "manifest.json"), "x.h5ad": str(tmp_path / "x.h5ad")}
    answer = run(*(places.get(word, word) for word in words), warehouse=world)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert " would change nothing: " in answer.stderr


@pytest.mark.parametrize("written", ["", " "])
def test_warehouse__with_an_empty_name_is_not_the_current_folder(written):
    answer = run("--warehouse", written, "datasets")
    assert answer.returncode == 2
    assert "the name of the folder is empty" in answer.stderr


@pytest.mark.parametrize("words", [["genes", "names.txt", "-o"], ["inspect", "cells.h5ad", "--write"]])
def test_output__in_no_folder_is_refused_before_any_work(words, tmp_path):
    answer = run(*words, str(tmp_path / "no" / "answer"))
    assert answer.returncode == 1
    assert f"make the folder first: mkdir -p {tmp_path / 'no'}" in answer.stderr


def test_sql__json_is_a_list_of_objects(world):
    answer = run("sql", "select dataset_id, n_conditions from dataset order by 1", "--format", "json", warehouse=world)
    rows = json.loads(answer.stdout)
    assert [row["dataset_id"] for row in rows] == ["lincs_demo", "replogle_demo_k562", "replogle_demo_rpe1"]
    assert rows[1] == {"dataset_id": "replogle_demo_k562", "n_conditions": 40}


def test_sql__json_of_no_rows_lists_and_missing_values(world):
    assert json.loads(run("sql", "select 1 where false", "--format", "json", warehouse=world).stdout) == []
    answer = run(
        "sql", "select ['a'] as l, null as m, 'nan'::double as d, now() as t", "--format", "json", warehouse=world
    )
    (row,) = json.loads(answer.stdout)
    assert row["l"] == ["a"]
    assert row["m"] is None
    assert row["d"] is None


def test_sql__json_writes_sums_and_decimals_as_numbers(world):
    query = (
        "select sum(n_cells) as cells, 1.50::decimal(10, 2) as price, [sum(n_cells)] as l, {'a': 3::hugeint} as s, "
        "map {3::hugeint: 0.25} as m, sum(9007199254740993::bigint) as whole from dataset where n_cells is not null"
    )
    text = run("sql", query, "--format", "json", warehouse=world).stdout
    (row,) = json.loads(text)
    n = json.loads(run("sql", "select n_cells from dataset", "--format", "json", warehouse=world).stdout)
    cells = [each["n_cells"] for each in n if each["n_cells"] is not None]
    assert row["cells"] == sum(cells)
    assert isinstance(row["cells"], int)
    assert row["price"] == 1.5
    assert (row["l"], row["s"], row["m"]) == ([sum(cells)], {"a": 3}, {"3": 0.25})
    assert row["whole"] == 9007199254740993 * len(cells)


def test_sql__csv_and_parquet_hold_the_same_rows(world, tmp_path):
    query = "select condition_id, target_symbols, n_cells from condition where is_control is false order by all"
    for form in ("csv", "parquet"):
        answer = run("sql", query, "--format", form, "-o", str(tmp_path / f"x.{form}"), warehouse=world)
        assert (answer.returncode, answer.stdout) == (0, "")
    csv = pl.read_csv(tmp_path / "x.csv")
    parquet = pl.read_parquet(tmp_path / "x.parquet")
    assert parquet.height == 160
    assert csv["condition_id"].to_list() == parquet["condition_id"].to_list()
    assert csv["target_symbols"].to_list() == parquet["target_symbols"].list.join("|").to_list()


def test_sql__takes_a_file_and_an_older_snapshot(world, tmp_path):
    file = tmp_path / "question.sql"
    file.write_text("-- how many\nselect count(*) as n from dataset")
    for snapshot, n in ((1, 1), (3, 3)):
        answer = run("sql", str(file), "--format", "json", "--snapshot", str(snapshot), warehouse=world)
        assert json.loads(answer.stdout) == [{"n": n}]
    assert run("sql", str(tmp_path / "absent.sql"), warehouse=world).returncode == 1


@pytest.mark.parametrize("query", ["", "  ", ";", "/* a comment */"])
def test_sql__of_nothing_says_so(world, query):
    answer = run("sql", query, warehouse=world)
    assert answer.returncode == 1
    assert answer.stderr.startswith("QueryError: The statement is empty.")


def test_sql__refuses_a_folder_that_does_not_exist(world, tmp_path):
    answer = run("sql", "select 1", "-o", str(tmp_path / "no dir" / "x.csv"), warehouse=world)
    assert answer.returncode == 1
    assert answer.stderr.startswith("FeatureStoreError: The folder to write to does not exist.")
    assert f"mkdir -p '{tmp_path}/no dir'" in answer.stderr


def test_import__of_spark_without_its_packages_says_what_to_install():
    code = "import sys; sys.modules['sqlglot'] = None; from featurestore.query import spark"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "FeatureStoreError: Spark needs packages that are not installed." in answer.stderr
    assert "pip install 'perturbation-featurestore[spark]'" in answer.stderr


def test_history__lists_snapshots_newest_first(world):
    rows = json.loads(run("history", "--format", "json", warehouse=world).stdout)
    assert [row["snapshot"] for row in rows] == [3, 2, 1]
    assert rows[0]["note"] == "ingest lincs_demo"


def test_import__loads_no_heavy_library():
    heavy = ("sklearn", "anndata", "mygene", "matplotlib", "h5py", "numba", "scipy")
    code = f"import sys, featurestore; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["sql", "select count(*) from dataset"], []),
        (["features"], ["list"]),
        (["features", "list"], []),
    ],
)
def test_warehouse__may_stand_before_and_after_a_command(world, before, after):
    runner = CliRunner(env={"FEATURESTORE_WAREHOUSE": None})
    first = runner.invoke(featurestore, ["--warehouse", str(world), *before, *after])
    last = runner.invoke(featurestore, [*before, "--warehouse", str(world), *after])
    assert first.exit_code == 0
    assert (last.exit_code, last.stdout) == (0, first.stdout)


def test_warehouse__after_a_command_wins_and_is_refused_where_it_cannot_be_used(world, tmp_path):
    runner = CliRunner(env={"FEATURESTORE_WAREHOUSE": str(tmp_path / "no")})
    assert runner.invoke(featurestore, ["sql", "select 1 as one", "--warehouse", str(world)]).exit_code == 0
    answer = runner.invoke(featurestore, ["--warehouse", str(world), "gc", "--warehouse", "s3://lab/warehouse"])
    assert "works on a warehouse in a folder" in str(answer.exception)


@pytest.mark.parametrize("thread", ["", "threading.Timer(0.1, print, ['worked']).start(); "])
@pytest.mark.parametrize(("command", "code"), [("--version", 0), ("no-such-command", 2)])
def test_process__ends_with_what_was_to_be_done_and_said_at_its_end(thread, command, code):
    script = (
        "import atexit, sys, threading; from featurestore.cli import process; "
        f"{thread}atexit.register(print, 'left'); sys.argv = ['featurestore', {command!r}]; process()"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert ended.returncode == code
    assert ended.stdout.splitlines()[-1] == "left"
    assert ("worked" in ended.stdout) == bool(thread)


def test_process__is_interrupted_without_a_word_while_it_is_loaded():
    script = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Loading:
    def find_spec(self, name, path=None, target=None):
        if name == "featurestore.cli":
            print("loading", flush=True)
            sys.stdin.read()

sys.meta_path.insert(0, Loading())
from featurestore.__main__ import process
process()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == -signal.SIGINT


def test_process__is_interrupted_without_a_word_while_a_command_loads_what_it_needs():
    script = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)

class Loading:
    def find_spec(self, name, path=None, target=None):
        if name == "duckdb":
            print("loading", flush=True)
            while True:  # no read of a pipe: Polars lets the system take those up again
                time.sleep(1)

sys.meta_path.insert(0, Loading())
sys.argv = ["featurestore", "datasets"]
from featurestore.__main__ import process
process()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("error", [ValueError("the connection is busy"), RuntimeError("Query interrupted")])
def test_process__is_interrupted_whatever_a_library_makes_of_it(error, monkeypatch, capsys):
    def busy(**_):
        raise error from KeyboardInterrupt() if isinstance(error, ValueError) else None

    monkeypatch.setattr(featurestore, "main", busy)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_process__loads_a_command_without_looking_for_circles_among_what_stays():
    script = """
import atexit, gc, sys
from featurestore.__main__ import process
gc.collect()  # so that the count of new objects begins with the command
before = gc.get_stats()[0]["collections"]
atexit.register(lambda: print("looked", gc.get_stats()[0]["collections"] - before, "times"))
sys.argv = ["featurestore", "ingest", "--help"]
process()
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "looked 0 times"


def test_process__has_next_to_nothing_loaded_until_it_hears_an_interruption():
    script = "import sys; before = set(sys.modules); import featurestore.__main__; print(*set(sys.modules) - before)"
    checkout = str(Path(__file__).parents[2])  # without site-packages, whose files may load what they like
    environment = {"PYTHONPATH": checkout}
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    assert set(loaded.stdout.split()) <= {"__future__", "gc", "featurestore", "featurestore.__main__"}
