"""Programs of others that count reads: run where they are installed, and what is ingested of their files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from layouts.reads import Reads


def run(program: str, *arguments: object, within: Path) -> str:
    """Run a program in a folder and return what it prints; the test is skipped where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, cwd=within, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def star_index(reads: Reads, folder: Path) -> Path:
    """Make STAR's index of the genome."""
    index = folder / "index"
    options = ("--runMode", "genomeGenerate", "--genomeSAindexNbases", "6", "--sjdbOverhang", "90")
    given = ("--genomeDir", index, "--genomeFastaFiles", reads.genome, "--sjdbGTFfile", reads.gtf)
    run("STAR", *options, *given, "--outFileNamePrefix", f"{folder}/index_", within=folder)
    return index


def require_sums(path: Path, counts: npt.NDArray[np.float64], rows: Sequence[str], symbols: Sequence[str]) -> None:
    """Draft and ingest what a program left, half of its rows as controls, and compare all sums with NumPy's.

    ``counts`` has shape (rows, genes), as NumPy reads the file. The table of rows is written into the folder above.
    """
    is_control = np.arange(len(rows)) % 2 == 0
    described = {"sample": rows, "target": np.where(is_control, "non-targeting", "TP53"), "kind": "CRISPRi"}
    pl.DataFrame(described | {"cell_line": "K562"}).reverse().write_csv(path / "described.csv")
    draft = draft_spec(inspect_file(path), path.parent)
    assert draft.missing == (), draft.text
    spec = path.parent / "draft.toml"
    spec.write_text(draft.text)
    ingest_dataset(spec, path.parent / "warehouse")
    logs = np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300))
    query = (
        "select is_control, gene_symbol, sum_log1p, count from statistics join condition using (dataset_id, "
        "condition_id) join gene using (gene_id)"
    )
    with Warehouse(path.parent / "warehouse") as store:
        sums = store.frame(query).rows()
    assert sorted(symbol for *_, symbol, _, _ in sums) == sorted([*symbols, *symbols])
    for control, symbol, total, count in sums:
        of = is_control == control
        column = list(symbols).index(symbol)
        np.testing.assert_allclose(total, logs[of, column].sum(), rtol=1e-6)
        if count is not None:
            np.testing.assert_array_equal(count, counts[of, column].sum())
