"""Parsers of text under coverage-guided fuzzing: whatever Atheris thinks of is read, or refused in a sentence."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_contents import KINDS, content
from conftest import IS_STRESS
from conftest import SPEC as DATASET

from featurestore.features.spec import shipped_specs

PROGRAM = Path(__file__).parent / "fuzz_parsers.py"
QUICK = ("dose", "gct", "table")
"""Parsers of which the quick share tries some inputs."""
LIMIT = "-max_total_time=8" if IS_STRESS else "-runs=300"
MEMORY = ("-rss_limit_mb=0", "-malloc_limit_mb=1000")
"""Of one request, not of the peak of the process: the kernel counts into it that of the process which started it."""


def text(name: str, *contents: bytes) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        for number, each in enumerate(contents):
            (folder / f"{number}_{name}").write_bytes(each)
        return sorted(folder.iterdir())

    return write


def layout(kind: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        path = KINDS[kind].write(folder, content(KINDS[kind].values))
        if path.suffix != ".gz":
            return [path]
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
        return [path.with_suffix("")]

    return write


GOOD: dict[str, Callable[[Path], list[Path]]] = {
    "dose": text(
        "dose", b"300.0|300.000000\num", b"[('Bortezomib', 0.05, 'uM')]", b"1e-3\nM", b"24 h", b"10 \xc2\xb5M"
    ),
    "gct": layout("gct"),
    "table": layout("table, CSV"),
    "mtx": layout("mtx, version 3"),
    "triplets": layout("triplets, headed"),
    "gene_sets": text("sets.gmt", b"STAT1_UP\tsource\tIFIT1\tISG15\nMYC\t\tNPM1\n"),
    "creeds": text("sets.json", b'[{"id": "gene:1", "hs_gene_symbol": "MYC", "up_genes": [["NPM1", 0.1]]}]'),
    "dataset_spec": text("spec.toml", DATASET.format(name="x", title="x").encode()),
    "feature_spec": text("spec.toml", *(path.read_bytes() for path in shipped_specs().values())),
}
"""Good files of each parser; others may lie beside them."""


@pytest.mark.parametrize("parser", GOOD)
def test_parser__reads_or_refuses_whatever_it_is_given(parser, tmp_path, faults):
    pytest.importorskip("atheris", reason="atheris has no build for this machine")
    if parser not in QUICK and not IS_STRESS:
        pytest.skip("part of make stress")
    (tmp_path / "good").mkdir()
    (tmp_path / "seeds").mkdir()
    good = GOOD[parser](tmp_path / "good")
    for path in good:
        (tmp_path / "seeds" / path.name).write_bytes(path.read_bytes())
    options = ["-seed=1", "-max_len=4000", "-timeout=60", *MEMORY, LIMIT, "seeds"]
    command = [sys.executable, str(PROGRAM), parser, str(good[0]), *options]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    done = re.search(r"Done (\d+) runs", ran.stderr)
    with faults(f"any text, coverage-guided: {parser}") as trials:
        with trials.trial(parser):
            assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
            assert done
        trials.n = int(done[1]) if done else trials.n
