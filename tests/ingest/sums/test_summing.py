"""Sums taken in portions, elsewhere, and in several tries are the sums taken at once; the release is the same."""

from __future__ import annotations

import multiprocessing
import pickle
import signal

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from featurestore.errors import ValuesError
from featurestore.upkeep.verify import verify
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.release.collect import collect
from ingest.spec import SPECS
from ingest.sums import journal, summing
from ingest.sums.journal import Journal, gaps
from ingest.sums.partial import read_about
from ingest.sums.summing import sum_portion
from layouts.miniatures import MINIATURES

GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
N_FILES = 4
SPEC = """
[dataset]
id = "plates"
files = ["plate_*.h5ad"]
values = "{values}"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["ctrl"]
context = {{ value = "K562" }}
"""
FEW_GROUPS = 5
"""Groups that the memory limit of these tests leaves room for."""


def digest(outcome):
    """What a release is, byte for byte; when it was ingested is in the table of the dataset alone."""
    return {file["path"]: file["blake3"] for file in outcome.manifest["files"] if file["table"] != "dataset"}


class Elsewhere:
    """A cluster of one: portions are summed as on another machine, last ones first."""

    n_threads = 3

    def __init__(self, memory_limit=10**9, most=None):
        self.memory_limit, self.most, self.titles = memory_limit, most, []

    def summed(self, portions, journal):
        journal.make()
        for portion in list(reversed(portions))[: self.most]:
            place = journal.place([portion.rows])
            sum_portion(pickle.loads(pickle.dumps(portion)), place, self.memory_limit)
            self.titles.append(portion.title)
            yield place, portion
        if self.most is not None:
            raise KeyboardInterrupt


def write_plates(folder, values="counts", damage=None):
    rng = np.random.default_rng(3)
    for number in range(N_FILES):
        matrix = rng.poisson(2.0, (60, len(GENES))).astype(np.float32)
        if values == "log1p":
            matrix = np.log1p(matrix)
        if damage == number:
            matrix = np.full_like(matrix, -1.0)
        rows = pl.DataFrame(
            {INDEX: [f"c{number}_{i}" for i in range(60)], "gene": rng.choice(["ctrl", "TP53", "MYC"], 60)}
        )
        layout = ("csr", "dense", "csc", "csr")[number]
        genes = pl.DataFrame({INDEX: GENES})
        write_h5ad(folder / f"plate_{number}.h5ad", sparse.csr_array(matrix), rows, genes, layout=layout)
    spec = folder / "plates.toml"
    spec.write_text(SPEC.format(values=values), encoding="utf-8")
    return spec


@pytest.fixture
def plates(tmp_path):
    """A screen of four files, compressed by row and by gene and in full, and its release, summed at once."""
    spec = write_plates(tmp_path)
    return spec, ingest_dataset(spec, tmp_path / "expected")


@pytest.fixture
def eager(monkeypatch):
    """Sums are written down after every portion, and files are cut into portions of 25 rows."""
    monkeypatch.setattr(journal, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(journal, "COST", 0.0)
    monkeypatch.setattr(summing, "LEAST_ROWS", 25)
    monkeypatch.setattr(summing, "MOST_ROWS", 25)


@pytest.fixture
def summed(monkeypatch):
    """The files that sums are taken of, portion by portion."""
    names, accumulate = [], summing.accumulate

    def watched(source, *rest):
        names.append(source.path.name)
        accumulate(source, *rest)

    monkeypatch.setattr(summing, "accumulate", watched)
    return names


@pytest.mark.parametrize(
    "name",
    [
        "replogle_2022_k562_essential",  # in full
        "vcc_2025_h1_training",  # by row
        "replogle_2022_k562_gwps_bulk",  # means
        "tahoe_100m",  # token lists, several files, tokens that no gene has
        "sciplex3_triplets",
        "norman_2019_k562",
        "jiang_2025_pathways",
    ],
)
def test_sums__taken_elsewhere_or_written_down_make_the_same_release(name, tmp_path, eager):
    MINIATURES[name](tmp_path)
    spec = SPECS / f"{name}.toml"
    expected = digest(
        ingest_dataset(spec, tmp_path / "cluster", tmp_path, cluster=Elsewhere(memory_limit=28 * 30 * FEW_GROUPS))
    )
    assert digest(ingest_dataset(spec, tmp_path / "here", tmp_path)) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "LEAST_SECONDS", 1e9)
        assert digest(ingest_dataset(spec, tmp_path / "at_once", tmp_path)) == expected


@pytest.mark.parametrize("memory_limit", [None, 28 * len(GENES) * FEW_GROUPS], ids=["in memory", "beyond memory"])
def test_journal__gives_the_same_release_and_leaves_nothing(plates, tmp_path, eager, memory_limit):
    spec, expected = plates
    outcome = ingest_dataset(spec, tmp_path / "warehouse", memory_limit=memory_limit)
    assert (outcome.release_id, digest(outcome)) == (expected.release_id, digest(expected))
    assert not (tmp_path / "warehouse" / "staging").exists()


DIE = """
import os, signal
from ingest.sums import journal, summing
from ingest.pipeline import ingest_dataset

journal.LEAST_SECONDS = journal.COST = 0.0
accumulate, seen = summing.accumulate, []


def until(source, *rest):
    if len(seen) == n_portions:
        os.kill(os.getpid(), signal.SIGKILL)
    accumulate(source, *rest)
    seen.append(source)


summing.accumulate = until
ingest_dataset(spec, root)
"""


def killed(spec, root, n_portions):
    """Ingest in another process, which is killed when so many portions are summed."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(["ingest.pipeline"])
    process = forked.Process(target=exec, args=(DIE, {"spec": spec, "root": root, "n_portions": n_portions}))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_killed_ingest__continues_where_it_stopped(plates, tmp_path, summed, capfd):
    spec, expected = plates
    root = tmp_path / "warehouse"
    killed(spec, root, 1)
    killed(spec, root, 2)
    outcome = ingest_dataset(spec, root)
    assert digest(outcome) == digest(expected)
    assert summed == ["plate_3.h5ad"]
    assert "180 rows were summed before, and are not read again" in capfd.readouterr().err
    assert not list((root / "staging").glob("sums-*"))
    assert verify(root).faults == []


def test_killed_ingest__a_damaged_partial_is_summed_again(plates, tmp_path, summed):
    spec, expected = plates
    root = tmp_path / "warehouse"
    killed(spec, root, 2)
    first, second = sorted(root.glob("staging/sums-*/*.sums"))
    first.write_bytes(first.read_bytes()[:-40])
    assert read_about(second).rows == [(60, 120)]
    assert digest(ingest_dataset(spec, root)) == digest(expected)
    assert summed == ["plate_0.h5ad", "plate_2.h5ad", "plate_3.h5ad"]


def test_killed_ingest__another_input_starts_anew_and_gc_removes_what_nobody_came_back_for(plates, tmp_path, summed):
    spec, _ = plates
    root = tmp_path / "warehouse"
    killed(spec, root, 2)
    spec.write_text(spec.read_text().replace('["ctrl"]', '["MYC"]'))
    ingest_dataset(spec, root)
    assert len(summed) == N_FILES
    assert len(list((root / "staging").glob("sums-*"))) == 1
    assert "staging" in [each.kind for each in collect(root)]
    assert not (root / "staging").exists()


def test_interrupted_cluster__what_it_summed_is_kept_and_taken_up_here(plates, tmp_path, eager, summed):
    spec, expected = plates
    root = tmp_path / "warehouse"
    with pytest.raises(KeyboardInterrupt):
        ingest_dataset(spec, root, cluster=Elsewhere(most=4))
    del summed[:]
    assert digest(ingest_dataset(spec, root)) == digest(expected)
    assert summed == ["plate_0.h5ad"] * 3 + ["plate_1.h5ad"] * 3


def test_input_at_fault__leaves_nothing_behind(tmp_path, eager):
    spec = write_plates(tmp_path, damage=3)
    with pytest.raises(ValuesError, match=r"plate_3\.h5ad"):
        ingest_dataset(spec, tmp_path / "warehouse")
    with pytest.raises(ValuesError, match=r"plate_3\.h5ad"):
        ingest_dataset(spec, tmp_path / "warehouse", cluster=Elsewhere())
    assert not (tmp_path / "warehouse").exists()


def test_logarithms_that_are_all_whole__are_refused_by_what_all_portions_hold(tmp_path, eager):
    """No portion can tell: small counts might be logarithms of which this one has only zeros and ones."""
    spec = write_plates(tmp_path)
    spec.write_text(SPEC.format(values="log1p"), encoding="utf-8")
    with pytest.raises(ValuesError, match="only whole numbers"):
        ingest_dataset(spec, tmp_path / "warehouse", cluster=Elsewhere())


def test_journal__a_second_process_that_ingests_the_same_has_one_of_its_own(tmp_path):
    staging = tmp_path / "staging"
    with Journal(staging, "r1") as first:
        first.make()
        with Journal(staging, "r1") as second:
            second.make()
            assert first.folder != second.folder
        assert first.folder.is_dir()
        assert not second.folder.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("taken", "left"),
    [([], [(5, 9)]), ([(5, 9)], []), ([(0, 6), (8, 20)], [(6, 8)]), ([(6, 7), (0, 1)], [(5, 6), (7, 9)])],
)
def test_gaps__are_what_others_leave(taken, left):
    assert list(gaps(5, 9, taken)) == left
