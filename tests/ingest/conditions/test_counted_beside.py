"""What was counted beside RNA, as columns of the cells: hashtags called, antibodies as counts; missing is not 0."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.conditions.counted_beside import call_tags, counts_beside
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers.open import open_source
from layouts.h5mu import write_h5mu
from layouts.tenx import write_10x_h5

N = 60
KEYS = [f"CELL{at}" for at in range(N)]
RNG = np.random.default_rng(2)
RNA, PROTEIN = RNG.poisson(3.0, (N, 4)), RNG.poisson(20.0, (N, 3))
OF_TAG = np.arange(N) % 3
TAGS = RNG.poisson(1.0, (N, 3)) + 90 * (OF_TAG[:, None] == np.arange(3))
TAGS[7] = 90
GENES = ["ENSG00000141510", "ENSG00000136997", "ENSG00000115415", "ENSG00000111640"]
CALLS = ["tag_a|tag_b|tag_c" if at == 7 else f"tag_{'abc'[OF_TAG[at]]}" for at in range(N)]
SPEC = """
[dataset]
id = "tagged"
files = ["FILE"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "tag_call"
kind = "compound"
controls = ["tag_a"]
unassigned = ["tag_a|tag_b|tag_c"]
context = { value = "K562" }
where = "\\"KIND:CD86\\" >= 20"
[tags]
min_count = 50
"""


def named(names):
    return pl.DataFrame({"index": names})


def mudata(folder):
    """RNA of all cells, antibodies of most of them, the other way round, and hashtags."""
    kept = np.arange(N)[:1:-1]
    antibodies = (PROTEIN[kept], named([KEYS[at] for at in kept]), named(["CD86", "PDL1", "CD3"]))
    parts = {"rna": (RNA, named(KEYS), named(GENES)), "adt": antibodies}
    return write_h5mu(folder / "a.h5mu", parts | {"hto": (TAGS, named(KEYS), named(["tag_a", "tag_b", "tag_c"]))})


def tenx(folder):
    """The same as Cell Ranger multi writes it: all in one matrix, told by their type."""
    names = [*GENES, "CD86", "PDL1", "CD3", "tag_a", "tag_b", "tag_c"]
    types = ["Gene Expression"] * 4 + ["Antibody Capture"] * 3 + ["Multiplexing Capture"] * 3
    features = pl.DataFrame({"index": names, "gene_name": names, "feature_type": types})
    return write_10x_h5(folder / "a.h5", np.hstack([RNA, PROTEIN, TAGS]), named(KEYS), features)


@pytest.mark.parametrize(("write", "kind"), [(mudata, "adt"), (tenx, "Antibody Capture")])
def test_antibodies__are_columns_of_counts_and_missing_where_a_cell_has_none(tmp_path, write, kind):
    reader = open_source(write(tmp_path))
    table = counts_beside(reader, [f"{kind}:PDL1", f"{kind}:CD86", "other:CD86"])
    assert table.columns == [f"{kind}:PDL1", f"{kind}:CD86"]
    missing = 2 if write is mudata else 0
    assert table[f"{kind}:CD86"].to_list() == [None] * missing + PROTEIN[missing:, 0].tolist()
    assert table[f"{kind}:PDL1"].to_list() == [None] * missing + PROTEIN[missing:, 1].tolist()
    with pytest.raises(SpecError, match=f"did you mean '{kind}:CD86'"):
        counts_beside(reader, [f"{kind}:CD68"])
    reader.close()


@pytest.mark.parametrize("write", [mudata, tenx])
def test_hashtags__are_called_and_a_cell_of_several_is_a_doublet(tmp_path, write):
    reader = open_source(write(tmp_path))
    assert call_tags(reader, 50).to_list() == CALLS
    reader.close()


@pytest.mark.parametrize(("write", "kind"), [(mudata, "adt"), (tenx, "Antibody Capture")])
def test_spec__takes_both_where_it_takes_columns(tmp_path, write, kind):
    path = write(tmp_path)
    (tmp_path / "tagged.toml").write_text(SPEC.replace("FILE", path.name).replace("KIND", kind))
    ingest_dataset(tmp_path / "tagged.toml", tmp_path / "warehouse")
    first = 2 if write is mudata else 0
    is_kept = (np.arange(N) >= first) & (PROTEIN[:, 0] >= 20) & (np.arange(N) != 7)
    with Warehouse(tmp_path / "warehouse") as store:
        counts = store.frame(
            "select perturbation_label, gene_id, count::int from statistics join condition using (dataset_id, "
            "condition_id) order by all"
        ).rows()
    expected = [
        (f"tag_{'abc'[tag]}", gene, RNA[is_kept & (tag == OF_TAG), at].sum())
        for tag in range(3)
        for at, gene in enumerate(GENES)
    ]
    assert counts == sorted(expected)


def test_draft__offers_what_is_counted_beside_rna(tmp_path):
    text = draft_spec(inspect_file(mudata(tmp_path)), tmp_path).text
    assert "hashtags counted in 'hto'" in text
    assert "adt:NAME" in text
    assert "tags" not in tomllib.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))
