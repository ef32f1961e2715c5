"""What every test can have: a small ingested world, and the real files where they lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Of two workers on two cores, the threads of the matrix library would wait for each other, spinning.

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from ingest.demo import FEATURES, LINCS_SPEC, SPEC
from ingest.pipeline import ingest_dataset
from ingest.release import database
from ingest.release.database import refresh_database
from ingest.synthetic import make_world, write_cells, write_signatures

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
"""How long an example takes is measured by benchmarks, and decides no test."""

threadpool_limits(1, user_api="blas")
"""The same of what a plugin of pytest has loaded before."""

FAULTS = "faults"
"""The property in which a test of trust says what it tried: fault class, trials, lost."""
CHECKOUT = Path(__file__).resolve().parent.parent


LONG_FILES = (
    "test_readme.py", "test_real_perturbqa.py", "test_browser.py", "test_bad_files.py", "test_crash.py",
    "test_verify.py", "test_remote.py", "test_concurrency.py", "test_cluster.py", "test_transformer.py",
    "test_wheel.py", "test_memory.py", "test_features.py", "test_types.py", "test_recipes.py", "test_allocation.py",
    "test_challenge_page.py", "test_simulation.py", "test_over_replicates.py", "test_fuzz.py", "test_notebook.py",
    "test_old_warehouses.py",
)  # fmt: skip
"""Files whose few tests take long: they are first, so that no worker is left with one of them at the end."""
SLOW_FOLDERS = (
    "trust", "packaging", "contract", "ingest/sources", "ingest/sums", "ingest/signatures", "ingest/inspection",
    "ingest/commands", "ingest/release", "ingest/catalogue", "ingest/reference", "featurestore/ui",
    "featurestore/evaluation", "featurestore/features", "featurestore/commands", "featurestore/search",
)  # fmt: skip
SLOW_FILES = (
    "test_narrow.py", "test_network.py", "test_cli.py", "test_pipeline.py", "test_lookups.py",
    "test_compounds.py", "test_bad_input.py", "test_warehouse.py", "test_pair_blend.py", "test_commands_page.py",
)  # fmt: skip
"""What ingests, fits, starts processes or opens a browser; ``make test-fast`` leaves it and long files out."""


WARM_UP = """
import sys, tempfile
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ingest.commands.ingest import find_spec
from layouts.miniatures import MINIATURES
from ingest.pipeline import ingest_dataset
from ingest.spec import SPECS
for name in ("replogle_2022_rpe1", "nourreddine_2026_kolf2", "norman_2019_k562", "arc_support_k562", "tahoe_100m"):
    with tempfile.TemporaryDirectory() as folder:
        MINIATURES[name](Path(folder))
        ingest_dataset(find_spec(SPECS / f"{name}.toml"), Path(folder) / "warehouse", Path(folder))
"""
"""Ingests counts and logarithms, by row, column and token: what is compiled for them is kept beside the code."""


def pytest_configure(config: pytest.Config) -> None:
    """Compile what cells are summed and tested with once, before many processes would each do so at the same time."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput") and not is_compiled():
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", WARM_UP, str(Path(__file__).parent / "files")],
                capture_output=True,
                check=False,
                timeout=300,
            )


def is_compiled() -> bool:
    """Say whether what cells are summed with was compiled, and kept, since it was last changed."""
    kernel = CHECKOUT / "ingest" / "kernel.py"
    kept = [path.stat().st_mtime for path in (kernel.parent / "__pycache__").glob("kernel.*.nbi")]
    return max(kept, default=0.0) > kernel.stat().st_mtime


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and order the files for ``--dist loadfile``: long ones, then those of most tests."""
    here = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(here).as_posix()
        is_slow = "_real_" in item.path.name or item.path.name in (*LONG_FILES, *SLOW_FILES)
        if is_slow or place.startswith(tuple(f"{name}/" for name in SLOW_FOLDERS)):
            item.add_marker(pytest.mark.slow)
    n_tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.name not in LONG_FILES, -n_tests[item.path], str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def no_loss_of_power():
    """Force nothing to the disk: no test could tell, but those of trust, which watch the calls themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


WITH_DATABASE = (
    "trust", "packaging", "ingest/release", "featurestore/query", "featurestore/features/test_compound_graph.py",
    "ingest/test_remote.py",
)  # fmt: skip
"""Where releases are published with ``featurestore.duckdb``, which takes a third of a small ingest and is read by none
of our own code; processes that tests start write it everywhere."""
_PUBLISHED = {"with database": True}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say whether what this test, or a fixture made for it, publishes is shown in a database of views."""
    place = item.path.relative_to(Path(__file__).parent).as_posix()
    _PUBLISHED["with database"] = place.startswith(WITH_DATABASE)


@pytest.fixture(scope="session", autouse=True)
def no_database():
    """Leave ``featurestore.duckdb`` out of warehouses of tests that do not look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "refresh_database", lambda root: _PUBLISHED["with database"] and refresh_database(root))
        yield


@pytest.fixture(scope="session")
def world_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two Replogle-like screens, LINCS-like signatures, their specs, and a feature spec."""
    folder = tmp_path_factory.mktemp("world")
    world = make_world({"K562": 0.9, "RPE1": 0.9, "A549": 0.7, "HT29": 0.5}, n_targets=40, n_genes=120, seed=20)
    for seed, line in enumerate(("K562", "RPE1")):
        name = line.lower()
        write_cells(world, line, folder / f"{name}_raw_singlecell.h5ad", cells=25, controls=200, seed=seed)
        (folder / f"replogle_demo_{name}.toml").write_text(SPEC.format(name=name, line=line))
    write_signatures(world, {"A549": "A549", "HT29": "HT29"}, folder / "level5_xpr.gctx", n_genes=60)
    (folder / "lincs_demo.toml").write_text(LINCS_SPEC)
    (folder / "features.toml").write_text(FEATURES.replace("components = 15", "components = 8"))
    return folder


@pytest.fixture(scope="session")
def world(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that holds the small world; tests only read it."""
    root = tmp_path_factory.mktemp("warehouse")
    for name in ("replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo"):
        ingest_dataset(world_files / f"{name}.toml", root)
    refresh_database(root)
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FEATURESTORE_REAL_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real files are not here")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of fault classes, of the tests of trust that ran, as ``tests/README.md`` has it."""
    rows: dict[str, list[int]] = {}
    for report in [report for reports in terminalreporter.stats.values() for report in reports]:
        for name, value in getattr(report, "user_properties", []):
            if name == FAULTS and report.when == "call":
                row = rows.setdefault(value[0], [0, 0])
                row[:] = [before + number for before, number in zip(row, value[1:], strict=True)]
    if not rows:
        return
    terminalreporter.section("fault classes (a quick share in `make test`, all in `make stress`)")
    terminalreporter.write_line("| fault class | trials | lost |\n|---|--:|--:|")
    total = [sum(row[at] for row in rows.values()) for at in range(2)]
    for fault, (n, lost) in [*sorted(rows.items()), ("all", total)]:
        terminalreporter.write_line(f"| {fault} | {n:,} | {lost:,} |")
