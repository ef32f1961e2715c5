"""Papalexi 2021 as pertpy publishes it, a MuData of RNA, antibodies, hashtags and guides: from file to responders."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from layouts.h5mu import write_h5mu
from layouts.miniature import GENES, simulate

N = 960
TARGETS = [("NT", "STAT1", "NT", "JAK2", "NT", "MYC", "NT", "KLF1")[at % 8] for at in range(N)]
GUIDES = [f"{target}g{1 + at // 8 % 3}" for at, target in enumerate(TARGETS)]
CONTEXT = "# FILL IN: context = "
SYMBOLS = GENES.filter(~pl.col("gene_name").is_duplicated())["gene_name"].to_list()
COUNTS = simulate([[target] for target in TARGETS], 1)[:, (~GENES["gene_name"].is_duplicated()).to_numpy()]
SUMS = """
    select perturbation_label, gene_symbol, count from statistics
    join condition using (dataset_id, condition_id) join gene using (gene_id)
"""


def features(names):
    return pl.DataFrame({"index": names, "name": names})


def write(folder, *, with_labels=True):
    rng = np.random.default_rng(0)
    cells = pl.DataFrame(
        {
            "index": [f"l{1 + at // 8 % 2}_AAAC{at:04d}" for at in range(N)],
            "orig.ident": [f"Lane{1 + at // 8 % 2}" for at in range(N)],
            "MULTI_ID": [f"rep{1 + at // 7 % 3}-tx" for at in range(N)],
            "guide_ID": GUIDES,
            "gene_target": TARGETS,
            "NT": [guide if target == "NT" else target for guide, target in zip(GUIDES, TARGETS, strict=True)],
            "perturbation": ["NT" if target == "NT" else "Perturbed" for target in TARGETS],
            "replicate": [f"rep{1 + at // 7 % 3}" for at in range(N)],
            "Phase": [("G1", "S", "G2M")[at % 3] for at in range(N)],
        }
    )
    if not with_labels:
        cells = cells.select("index", "orig.ident")
    names = sorted(set(GUIDES))
    counted = rng.poisson(0.2, (N, len(names))) + 30 * (np.array(GUIDES)[:, None] == np.array(names))
    modalities = {
        "rna": (COUNTS.astype(np.float32), cells, features(SYMBOLS)),
        "adt": (rng.poisson(20, (N, 4)), cells, features(["CD86", "PDL1", "PDL2", "CD366"])),
        "hto": (rng.poisson(5, (N, 3)), cells, features(["rep1-tx", "rep2-tx", "rep3-tx"])),
        "gdo": (counted, cells, features(names)),
    }
    return write_h5mu(folder / "papalexi_2021.h5mu", modalities, compression="gzip", chunk_length=1000)


def ingested(path, draft):
    """Ingest by a draft in which nothing is filled in but the context."""
    spec = path.with_name("papalexi.toml")
    spec.write_text(draft.text.replace(CONTEXT, "context = "), encoding="utf-8")
    ingest_dataset(spec, path.parent / "warehouse")
    return Warehouse(path.parent / "warehouse")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("papalexi"))


def test_papalexi__from_mudata_to_responders_with_nothing_but_the_context_filled_in(path):
    found = inspect_file(path)
    assert found.modalities == {
        "rna": f"{N:,} x 21, read",
        "adt": f"{N:,} x 4",
        "hto": f"{N:,} x 3",
        "gdo": f"{N:,} x 15",
    }
    draft = draft_spec(found, path.parent)
    assert draft.missing == ("condition.context",)
    assert 'perturbation = "gene_target"' in draft.text
    assert 'controls = ["NT"]' in draft.text
    assert "guides counted in 'gdo'" in draft.text
    with ingested(path, draft) as store:
        sums = store.frame(SUMS)
        quality = store.frame("select condition_id, is_responder from quality order by all").rows()
    assert sums.height == 5 * len(SYMBOLS)
    for label, symbol, count in sums.iter_rows():
        rows = np.array(TARGETS) == label
        assert count == COUNTS[rows, SYMBOLS.index(symbol)].sum(), (label, symbol)
    assert [(name.partition("/")[0], is_responder) for name, is_responder in quality] == [
        *(("JAK2", True), ("KLF1", True), ("MYC", True), ("STAT1", True)),
    ]


def test_papalexi__guides_are_called_where_there_are_no_labels(tmp_path):
    path = write(tmp_path, with_labels=False)
    draft = draft_spec(inspect_file(path), tmp_path)
    assert draft.missing == ("condition.context",)
    assert 'perturbation = "guide_call"' in draft.text
    with ingested(path, draft) as store:
        found = dict(store.frame("select perturbation, sum(n_cells)::int from condition group by all").rows())
    assert {name: n for name, n in found.items() if name in {"STAT1", "JAK2", "MYC", "KLF1"}} == dict.fromkeys(
        ("STAT1", "JAK2", "MYC", "KLF1"), N // 8
    )
