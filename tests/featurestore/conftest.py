"""A warehouse written by hand, so that every effect in it is known."""

import json

import numpy as np
import polars as pl
import pytest

from featurestore.contract import RELEASE, conform
from featurestore.features.spec import parse_spec
from featurestore.store import Store

GENES = [f"ENSG{i:011d}" for i in range(1, 31)]
SPEC = """
[target]
dataset = "target"

[[feature]]
kind = "signature"
datasets = ["external"]
{feature}

[split]
folds = 3
{split}
"""


def blank(table, frame):
    """Add the columns of a release table that a test has nothing to say about."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in RELEASE[table].schema.items() if name not in frame]
    return conform(RELEASE[table], frame.with_columns(missing))


def condition(label, context="A", *, kind="crispri", genes=None, compound=None, experiment=None, cells=100, **more):
    """One condition; without genes, the label names its target by number: 'G3', or 'G3+G5'."""
    targets = sorted(GENES[int(part[1:])] for part in label.split("+")) if genes is None else genes
    return {
        "condition_id": f"{label}/{context}/{kind}",
        "perturbation_id": compound or "+".join(targets) or label,
        "perturbation_label": label,
        "perturbation_kind": kind,
        "target_gene_ids": targets,
        "target_symbols": [f"S{gene[-3:]}" for gene in targets],
        "compound_id": compound,
        "context_id": f"CVCL_{context}",
        "context_label": context,
        "is_control": kind == "control",
        "n_cells": cells,
        "experiment_id": experiment,
    } | more


class Writer:
    """Writes releases and snapshots, and opens the warehouse."""

    def __init__(self, root):
        self.root = root
        self.datasets = {}
        reference = root / "reference" / "genes"
        reference.mkdir(parents=True)
        symbols = [f"S{gene[-3:]}" for gene in GENES]
        rest = {name: [""] * len(GENES) for name in ("entrez_id", "hgnc_id", "biotype", "chromosome")}
        pl.DataFrame({"gene_id": GENES, "gene_symbol": symbols} | rest).write_parquet(reference / "gene.parquet")

    def dataset(
        self, dataset_id, conditions, effects, *, genes=GENES, kind="delta_log1p", release="r1", quality=None, **more
    ):
        """Write a dataset; effects are (conditions, genes), NaN where absent; experiments default to the dataset's.

        Further release tables are given by name.
        """
        folder = self.root / "releases" / f"dataset_id={dataset_id}" / f"release_id={release}"
        folder.mkdir(parents=True)
        rows = [{**c, "experiment_id": c["experiment_id"] or f"{dataset_id}:{c['context_id']}"} for c in conditions]
        schema = RELEASE["condition"].schema
        types = {name: schema[name] for name in rows[0]}
        frame = pl.DataFrame(rows, schema=types).with_row_index("condition_index")
        tables = {
            "condition": frame,
            "gene": pl.DataFrame({"gene_id": genes, "gene_symbol": [f"S{g[-3:]}" for g in genes]}).with_row_index(
                "gene_index"
            ),
            "signature": self._entries(np.asarray(effects), kind),
            "dataset": pl.DataFrame(
                {
                    "dataset_id": [dataset_id],
                    "release_id": [release],
                    "assay": ["perturb_seq"],
                    "licence": [f"licence of {dataset_id}"],
                }
            ),
        }
        tables |= more
        if quality is not None:
            tables["quality"] = quality
        files = []
        for name, table in tables.items():
            blank(name, table).write_parquet(folder / f"{name}.parquet")
            files.append({"table": name, "path": f"{name}.parquet", "rows": table.height})
        (folder / "manifest.json").write_text(json.dumps({"files": files, "gene_reference": "genes"}))
        self.datasets[dataset_id] = release

    def _entries(self, effects, kind):
        row, column = np.nonzero(~np.isnan(effects))
        return pl.DataFrame(
            {
                "condition_index": row,
                "gene_index": column,
                "effect": effects[row, column],
                "effect_kind": [kind] * len(row),
            }
        )

    def open(self):
        """Publish a snapshot of all datasets so far and open it."""
        folder = self.root / "snapshots"
        folder.mkdir(exist_ok=True)
        number = len(list(folder.iterdir())) + 1
        content = {"contract_version": 1, "created_at": "2026-01-01", "note": "", "datasets": self.datasets}
        (folder / f"{number:08d}.json").write_text(json.dumps(content))
        return Store(self.root)


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path / "warehouse")


@pytest.fixture
def make_condition():
    return condition


@pytest.fixture
def gene_ids():
    return GENES


@pytest.fixture
def two_datasets(writer):
    """A warehouse of 'target' (G0 to G11 in A) and 'external' (G4 to G15 in B and in C), with random effects."""
    rng = np.random.default_rng(7)
    inside = [condition(f"G{i}", "A") for i in range(12)]
    outside = [condition(f"G{i}", context) for context in "BC" for i in range(4, 16)]
    writer.dataset("target", inside, rng.normal(size=(len(inside), len(GENES))))
    writer.dataset("external", outside, rng.normal(size=(len(outside), 25)), genes=GENES[5:])
    with writer.open() as store:
        yield store


@pytest.fixture
def make_spec():
    """A spec of 'target' and 'external', with further lines for its [[feature]] and its [split]."""
    return lambda feature="", split="": parse_spec(SPEC.format(feature=feature, split=split))


PAIRS = """
name = "pairs"
[target]
dataset = "line_a"
unit = "pair"
effect_kind = "de_call"
question = "{question}"
[[feature]]
kind = "signature"
datasets = ["line_b", "line_c"]
[[feature]]
kind = "reconstruction"
datasets = ["line_b", "line_c"]
components = 4
[[feature]]
kind = "neighbour"
datasets = ["line_b", "line_c"]
questions = ["changed", "direction"]
components = 6
[[feature]]
kind = "strength"
datasets = ["line_b"]
questions = ["changed", "direction"]
[[feature]]
kind = "base_rate"
[split]
{split}
"""


def called_lines(seed=0, n_perturbations=90, n_genes=50, n_directions=3):
    """Calls in lines a, b and c, whose perturbations do the same and whose genes answer alike in part.

    Per line -1, 0 or 1, shape (perturbations, genes); a third of the pairs is listed, the others are NaN.
    """
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_directions, n_genes))
    does = rng.normal(size=(n_perturbations, n_directions)) * rng.gamma(2.0, size=(n_perturbations, 1))
    lines = {}
    for line in "abc":
        responses = 0.6 * loadings + 0.8 * rng.normal(size=loadings.shape)
        effect = does @ responses + rng.normal(size=(n_perturbations, n_genes))
        is_listed = rng.random(effect.shape) < 1 / 3
        lines[f"line_{line}"] = np.where(is_listed, np.sign(effect) * (np.abs(effect) > 2), np.nan)
    return lines


def write_called_lines(writer, lines, release="r1", **more):
    """Write :func:`called_lines`, one dataset and experiment a line; every fourth perturbation is a test one."""
    for name, calls in lines.items():
        line = name[-1].upper()
        conditions = [
            condition(
                f"P{i}",
                line,
                **{
                    "genes": [f"ENSG9{i:010d}"],
                    "experiment": f"screen:{line}",
                    "cells": None,
                    "published_split": "test" if i % 4 == 0 else "train",
                }
                | {key: value(i) for key, value in more.items()},
            )
            for i in range(len(calls))
        ]
        genes = [f"ENSG{i:011d}" for i in range(1, calls.shape[1] + 1)]
        writer.dataset(name, conditions, calls, genes=genes, kind="de_call", release=release)


@pytest.fixture(scope="session")
def called():
    """The calls of three lines."""
    return called_lines()


@pytest.fixture(scope="session")
def pair_store(tmp_path_factory, called):
    """A warehouse of the three lines; tests only read it."""
    writer = Writer(tmp_path_factory.mktemp("pairs") / "warehouse")
    write_called_lines(writer, called)
    with writer.open() as store:
        yield store


@pytest.fixture
def write_lines():
    return write_called_lines


@pytest.fixture(scope="session")
def pair_text():
    """The spec of pairs of line a from lines b and c, as text."""

    def text(question="changed", split='column = "published_split"'):
        return PAIRS.format(question=question, split=split)

    return text


@pytest.fixture(scope="session")
def pair_spec(pair_text):
    return lambda *more: parse_spec(pair_text(*more))
