"""Want of memory, threads and open files is said in a sentence, and never blamed on a file."""

import errno
import os
import resource
import subprocess
import sys

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore import cli
from featurestore.errors import FeatureStoreError, SourceFormatError
from featurestore.features.registry import damaged_specs
from featurestore.query.warehouse import Warehouse
from featurestore.scarcity import (
    AMPLE_ADDRESS_SPACE,
    LEAST_ADDRESS_SPACE,
    LEAST_OPEN_FILES,
    heed_scarcity,
    is_interrupted,
    scarcity,
)
from featurestore.storage.sealed import read_sealed, write_sealed
from featurestore.storage.snapshot import read_json
from featurestore.upkeep.verify import verify
from ingest.readers.damage import telling_damage

EMFILE = os.strerror(errno.EMFILE)
NOTE = (
    "Note: {} GB of address space (ulimit -v) may be too little: a library that finds none can end a command without a "
    "word."
)
NO_FILE = OSError(errno.EMFILE, EMFILE, "here")
NO_THREAD = "Unknown error: Failed to launch worker thread: Resource temporarily unavailable"


class PanicException(BaseException):
    pass


WANTING = [
    (MemoryError(), "There is not enough memory."),
    (pa.ArrowMemoryError("malloc of size 64 failed"), "There is not enough memory."),
    (duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"), "There is not enough memory."),
    (duckdb.InternalException("std::bad_alloc"), "There is not enough memory."),
    (ImportError("libarrow.so: failed to map segment from shared object"), "There is not enough memory."),
    (ImportError("libgomp.so: cannot allocate memory in static TLS block"), "There is not enough memory."),
    (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "There is not enough memory."),
    (RuntimeError("can't start new thread"), "No thread could be started."),
    (pa.ArrowException(NO_THREAD), "No thread could be started."),
    (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "No thread could be started."),
    (NO_FILE, "Too many files are open."),
    (duckdb.IOException('IO Error: Cannot open file "a": Too many open files'), "Too many files are open."),
    (pl.exceptions.ComputeError("Too many open files (os error 24)"), "Too many files are open."),
    (PanicException("could not spawn threads"), "Polars could not go on."),
]


@pytest.mark.parametrize(("error", "what"), WANTING, ids=lambda each: type(each).__name__)
def test_scarcity__is_told_of_what_each_library_says(error, what):
    assert scarcity(error).what == what
    assert scarcity(error).do
    with pytest.raises(FeatureStoreError, match=what) as caught:
        heed_scarcity(error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bad value"),
        OSError(errno.EIO, os.strerror(errno.EIO)),
        ImportError("No module named 'x'"),
        FeatureStoreError("Too many open files"),
    ],
)
def test_scarcity__is_nothing_of_all_else(error):
    assert scarcity(error) is None
    heed_scarcity(error)


def of(error, *, cause=None, context=None):
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), True),
        (RuntimeError("Query interrupted"), True),
        (of(ValueError("the connection is busy"), cause=KeyboardInterrupt()), True),
        (of(ValueError("the connection is busy"), context=RuntimeError("Query interrupted")), True),
        (of(ValueError("the connection is busy"), context=OSError("Query interrupted")), False),
        (RuntimeError("dictionary changed size during iteration"), False),
        (None, False),
    ],
)
def test_interruption__is_told_of_what_a_library_makes_of_it(error, expected):
    assert is_interrupted(error) is expected


@pytest.mark.parametrize(
    "error",
    [RuntimeError("can't start new thread"), pa.ArrowException(NO_THREAD), MemoryError(), NO_FILE],
)
def test_command__says_what_is_wanting_and_ends_with_1(error, monkeypatch, capsys):
    def starved(**_):
        raise error

    monkeypatch.setattr(cli.featurestore, "main", starved)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"FeatureStoreError: {scarcity(error).what}\n")
    assert "ulimit" in said


def within(most, *arguments, of=resource.RLIMIT_AS):
    def limit():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])  # each core has threads, and these have stacks
        resource.setrlimit(of, (most, most))

    return subprocess.run(
        [sys.executable, "-m", "featurestore", *arguments],
        preexec_fn=limit,
        check=False,
        capture_output=True,
        text=True,
    )


def test_command__is_not_loaded_where_there_is_no_room(tmp_path):
    ended = within(LEAST_ADDRESS_SPACE - 2**20, "--warehouse", str(tmp_path), "verify")
    assert ended.returncode == 1
    assert ended.stderr.startswith("FeatureStoreError: There is not enough memory to load a command.\n")
    assert "ulimit -v" in ended.stderr


def test_command__with_little_room_says_so_first(tmp_path):
    assert within(39 * 2**30 // 10, "verify", "--help").stderr == NOTE.format("3.9") + "\n"
    assert within(AMPLE_ADDRESS_SPACE, "verify", "--help").stderr == ""


@pytest.mark.parametrize("asked", [["verify"], ["export", "lincs_demo", "-o", "a.h5ad"]])
def test_command__works_in_as_little_room_as_it_is_loaded_in(world, tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    ended = within(LEAST_ADDRESS_SPACE, "--warehouse", str(world), *asked)
    assert (ended.returncode, ended.stderr.partition("\n")[0]) == (0, NOTE.format("1.5"))


@pytest.mark.parametrize("most", [8, LEAST_OPEN_FILES - 1])
def test_command__is_not_loaded_where_too_few_files_may_be_open(world, most):
    ended = within(most, "--warehouse", str(world), "sql", "select * from gene", of=resource.RLIMIT_NOFILE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("FeatureStoreError: Too few files may be open at once.\n")
    assert f"got       {most} (ulimit -n)" in ended.stderr


@pytest.mark.parametrize("asked", [["sql", "select 1 from effects"], ["datasets"], ["verify"], ["show", "KRAS"]])
def test_command__works_with_as_few_files_as_it_is_loaded_with(world, asked):
    ended = within(LEAST_OPEN_FILES, "--warehouse", str(world), *asked, of=resource.RLIMIT_NOFILE)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_query__says_that_open_files_are_wanting(world):
    with Warehouse(world) as store, pytest.raises(FeatureStoreError, match="Too many files are open") as caught:
        store.frame(f"select error('IO Error: Cannot open file: {EMFILE}')")
    assert "ulimit -n" in caught.value.do


def test_verify__blames_no_release_for_want_of_threads_or_files(world, monkeypatch):
    def starved(*_, **__):
        raise pa.ArrowException(NO_THREAD)

    with monkeypatch.context() as patch, pytest.raises(FeatureStoreError, match="No thread could be started"):
        patch.setattr(pq, "ParquetFile", starved)
        verify(world)
    with monkeypatch.context() as patch, pytest.raises(FeatureStoreError, match="Too many files are open"):
        patch.setattr("featurestore.upkeep.examine.file_sha256", refuse_to_open)
        verify(world)


def refuse_to_open(*_, **__):
    raise NO_FILE


def test_records__are_not_damaged_for_want_of_files(tmp_path, monkeypatch):
    write_sealed(pl.DataFrame({"a": [1]}), tmp_path / "a.parquet")
    (tmp_path / "features" / "near").mkdir(parents=True)
    (tmp_path / "features" / "near" / "0001.json").write_text("{}")
    (tmp_path / "snapshots").mkdir()
    monkeypatch.setattr("pathlib.Path.read_text", refuse_to_open)
    monkeypatch.setattr(pl, "read_parquet_metadata", refuse_to_open)
    for read in (
        lambda: read_sealed(tmp_path / "a.parquet"),
        lambda: damaged_specs(tmp_path),
        lambda: read_json(tmp_path / "snapshots" / "000001.json"),
    ):
        with pytest.raises(FeatureStoreError, match="Too many files are open"):
            read()


def test_file__is_damaged_where_it_asks_for_more_memory_than_there_is_but_not_for_want_of_threads(tmp_path):
    with pytest.raises(SourceFormatError, match="damaged"), telling_damage(tmp_path, "X"):
        np.empty(2**61, np.int8)
    with pytest.raises(FeatureStoreError, match="No thread") as caught, telling_damage(tmp_path, "X"):
        raise pa.ArrowException(NO_THREAD)
    assert not isinstance(caught.value, SourceFormatError)
