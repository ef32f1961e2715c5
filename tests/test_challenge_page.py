"""The worked page of the challenge runs as it stands, on small files of the layouts that it speaks of."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path

import anndata as ad
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from ingest.catalogue.catalogue import read_catalogue
from ingest.layouts import replogle_genes, replogle_rows, write_replogle
from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from ingest.synthetic import DISPERSION, make_world
from layouts.miniature import barcodes

PAGE = (Path(__file__).resolve().parents[1] / "featurestore" / "challenge" / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
LINE_OF = {
    "viperturb_2026_k562": "K562",
    "replogle_2022_rpe1": "RPE1",
    "nadig_2025_hepg2": "HepG2",
    "nadig_2025_jurkat": "Jurkat",
    "nourreddine_2026_kolf2": "KOLF2.1J",
}
TOLERANCE = 0.03
"""How far a score may be off on another machine."""


CONTEXTS = ("A", "B", "C")
N_TARGETS, N_GENES, N_PANEL = 24, 120, 20
LINES = {"K562": 0.9, "RPE1": 0.8, "HepG2": 0.8, "Jurkat": 0.8, "KOLF2.1J": 0.7} | dict.fromkeys(CONTEXTS, 0.85)
COVERED = {"K562": range(24), "RPE1": range(14), "HepG2": range(18), "Jurkat": range(4, 18), "KOLF2.1J": range(8, 24)}
"""Targets that each screen has: the genome-wide ones have all, the essential ones some."""


def draw(world, line, *, targets, seed, controls=150, cells=25):
    """Counts of controls and of perturbed cells of a line, and the target of each; -1 for controls."""
    rng = np.random.default_rng(seed)
    target = np.concatenate([np.full(controls, -1), np.repeat(list(targets), cells)])
    rate = world.profile * np.exp(np.vstack([world.effects[line], np.zeros(N_GENES)])[target])
    rate *= rng.lognormal(np.log(3000.0), 0.3, (len(target), 1)) / rate.sum(axis=1, keepdims=True)
    return rng.poisson(rate * rng.gamma(1 / DISPERSION, DISPERSION, rate.shape)), target


def write_lab(folder: Path) -> None:
    """Write every file into ``downloads``, and the measured cells of the contexts into ``held_out``."""
    world = make_world(LINES, n_targets=N_TARGETS, n_genes=N_GENES, seed=3)
    downloads, held_out = folder / "downloads", folder / "held_out"
    downloads.mkdir()
    held_out.mkdir()
    symbols, ids = world.genes["gene_symbol"].to_list(), world.genes["gene_id"].to_list()
    by_symbol = pl.DataFrame({INDEX: symbols})

    def labelled(target, control):
        return [control if at < 0 else symbols[at] for at in target]

    def as_replogle(name, line, seed, *, optional=True):
        counts, target = draw(world, line, targets=COVERED[line], seed=seed)
        gene_id = ["non-targeting" if at < 0 else ids[at] for at in target]
        batch = [1 + at % 3 for at in range(len(target))]
        rows = replogle_rows(counts, labelled(target, "non-targeting"), gene_id, batch)
        rows = rows if optional else rows.drop("core_scale_factor", "core_adjusted_UMI_count")
        write_replogle(downloads / name, counts, rows, replogle_genes(counts, ids, symbols))

    as_replogle("rpe1_raw_singlecell_01.h5ad", "RPE1", 1)
    as_replogle("GSE264667_hepg2_raw_singlecell_01.h5ad", "HepG2", 2, optional=False)
    as_replogle("GSE264667_jurkat_raw_singlecell_01.h5ad", "Jurkat", 3, optional=False)

    counts, target = draw(world, "K562", targets=COVERED["K562"], seed=4)
    rows = pl.DataFrame({INDEX: barcodes(len(target)), "gene": labelled(target, "NO-TARGET")})
    wells = pl.Series([f"well{1 + at % 2}" for at in range(len(target))])
    write_h5ad(
        downloads / "genome_wide_filtered.h5ad", counts.astype(np.float32), rows.with_columns(sample=wells), by_symbol
    )

    counts, target = draw(world, "KOLF2.1J", targets=COVERED["KOLF2.1J"], seed=5)
    lanes = [f"lane{1 + at % 2}" for at in range(len(target))]
    rows = pl.DataFrame({INDEX: barcodes(len(target)), "gene_target": labelled(target, "NTC"), "channel": lanes})
    write_h5ad(
        downloads / "KOLF_Pan_Genome_QC_Filtered.h5ad",
        np.log1p(counts).astype(np.float32),
        rows,
        by_symbol.with_columns(gene_ids=pl.Series(ids)),
        layout="csc",
        layers={"counts": counts.astype(np.float32)},
    )

    for seed, context in enumerate(CONTEXTS):
        counts, target = draw(world, context, targets=range(N_PANEL), seed=10 + seed)
        label = labelled(target, "non-targeting")
        rows = pl.DataFrame({INDEX: barcodes(len(target)), "target_gene": label, "context": context})
        write_h5ad(held_out / f"measured_{context}.h5ad", counts.astype(np.float32), rows, by_symbol)
        is_control = target < 0
        rows = rows.filter(pl.Series(is_control))
        write_h5ad(downloads / f"context_{context}.h5ad", counts[is_control].astype(np.float32), rows, by_symbol)
    by_symbol.select(gene_name=INDEX).write_csv(downloads / "gene_names.csv")
    pl.DataFrame({"target_gene": symbols[:N_PANEL], "n_cells": 60}).write_csv(downloads / "pert_counts.csv")
    (downloads / "manifest.json").write_text(json.dumps({"contexts": CONTEXTS, "partition": "val"}))


def run(command, folder):
    program, *words = shlex.split(command)
    assert program == "featurestore"
    with contextlib.chdir(folder):
        ran = CliRunner(env={"COLUMNS": "120", "FEATURESTORE_WAREHOUSE": None}).invoke(featurestore, words)
    assert ran.exit_code == 0, (command, ran.output, ran.exception)
    return ran.stdout


def score(text):
    return float(re.findall(r"over 3 contexts: (-?\d\.\d+)", text)[0])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenge")
    write_lab(folder)
    return folder, {command: run(command, folder) for command in COMMANDS}


def test_page__leads_to_one_file_of_three_contexts(lab):
    folder, answers = lab
    (said,) = [text for command, text in answers.items() if " submit " in command]
    assert "context C: 20 perturbations of 60 cells" in said
    assert "12 effects of other perturbations are left out." in said
    found = ad.read_h5ad(folder / "submission.h5ad")
    assert found.shape == (3 * N_PANEL * 60, N_GENES)
    assert (found.X.data == np.rint(found.X.data)).all()


def one(word):
    """Return the command of the page that has some words."""
    (command,) = [command for command in COMMANDS if word in command]
    return command


def test_page__says_what_the_file_scores_and_what_each_source_adds(lab):
    folder, answers = lab
    whole = score(answers[one(" score ")])
    assert whole == pytest.approx(float(re.findall(r"the score: here (\d\.\d+)", PAGE)[0]), abs=TOLERANCE)
    table = re.findall(r"^\| (.+) \| (\d+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert len(table) == 5
    for sources, n_targets, expected in table:
        names = [name for name in sources.split(", ") if name in LINE_OF]
        covered = {target for name in names or LINE_OF for target in COVERED[LINE_OF[name]]}
        assert len(covered.intersection(range(N_PANEL))) == int(n_targets)
        found = whole if not names else without(names, folder)
        assert found == pytest.approx(float(expected), abs=TOLERANCE), sources


def without(names, folder):
    """Run the three commands without some sources."""
    left_out = ", ".join(f"'{name}'" for name in names)
    run(one("-o effects.parquet").replace(" group by", f" and dataset_id not in ({left_out}) group by"), folder)
    run(one(" submit "), folder)
    return score(run(one(" score ").replace("-o scores/", "--baseline scores/"), folder))


def test_page__fetches_what_is_catalogued():
    names = re.findall(r"featurestore fetch (\S+)", PAGE)
    assert names == list(LINE_OF)
    catalogued = read_catalogue()
    assert all(catalogued[name].files for name in names)
    assert [word for word in one(" ingest ").split()[2:] if word in catalogued] == names
