"""Files that hold more than RNA of one species: only RNA of the human genes makes a cell's total."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.conditions.feature_types import feature_types
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from layouts.mtx import write_10x
from layouts.tenx import write_10x_h5

GENES = {
    "TP53": "ENSG00000141510", "MYC": "ENSG00000136997", "STAT1": "ENSG00000115415", "JAK2": "ENSG00000096968",
    "CD86": "ENSG00000114013", "ACTB": "ENSG00000075624",
}  # fmt: skip
N = 20
LABELS = np.repeat(["non-targeting", "STAT1", "JAK2"], N)
RNG = np.random.default_rng(5)
RNA = RNG.poisson(9.0, (3 * N, len(GENES)))
RNA[LABELS == "STAT1", 2] //= 8
RNA[LABELS == "JAK2", 3] //= 8
GUIDES = np.column_stack([LABELS == "STAT1", LABELS == "JAK2"]) * 50
ANTIBODY = RNG.poisson(200.0, (3 * N, 1))
MATRIX = np.hstack([RNA, GUIDES, ANTIBODY]).astype(np.float32)
FEATURES = pl.DataFrame(
    {
        "index": [*GENES.values(), "STAT1", "JAK2", "CD86"],
        "gene_name": [*GENES, "STAT1", "JAK2", "CD86"],
        "feature_type": ["Gene Expression"] * len(GENES) + ["CRISPR Guide Capture"] * 2 + ["Antibody Capture"],
    }
)
CELLS = pl.DataFrame({"index": [f"cell{i}" for i in range(3 * N)], "gene": LABELS})


def effects(counts, target):
    """Return the effect of a target on each gene: differences of means of log1p of counts per 10,000."""
    logs = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    return logs[target == LABELS].mean(axis=0) - logs[LABELS == "non-targeting"].mean(axis=0)


def write(folder: Path, form: str, matrix=MATRIX, features=FEATURES, cells=CELLS) -> Path:
    """Write the cells in one of the formats that tell types of features, their labels beside those without."""
    folder.mkdir(parents=True, exist_ok=True)
    if form == "h5ad":
        return write_h5ad(folder / "screen.h5ad", matrix, cells, features)
    cells.rename({"index": "barcode"}).write_csv(folder / "cells_metadata.csv")
    if form == "10x_h5":
        return write_10x_h5(folder / "screen.h5", matrix, cells, features)
    return write_10x(folder, matrix.astype(np.int64), cells, features)


def ingest_draft(path: Path, context: str = 'context = { value = "K562" }') -> Warehouse:
    """Ingest a file by its draft, in which nothing but the cells' line has to be filled in."""
    draft = draft_spec(inspect_file(path), path.parent)
    assert set(draft.missing) <= {"condition.context"}
    text = draft.text.replace('# FILL IN: context = { value = "K562" }', context)
    (path.parent / "screen.toml").write_text(text)
    ingest_dataset(path.parent / "screen.toml", path.parent / "warehouse")
    return Warehouse(path.parent / "warehouse")


def effects_of(warehouse: Warehouse, target: str) -> dict[str, float]:
    """Read the effects of a target by gene."""
    query = "select gene_symbol, effect from signature join condition using (dataset_id, condition_id)"
    return dict(warehouse.frame(f"{query} where perturbation_label = '{target}'").iter_rows())


@pytest.mark.parametrize("form", ["h5ad", "10x_h5", "mtx"])
def test_antibodies_and_guides_are_no_genes_and_no_part_of_a_total(tmp_path, form):
    warehouse = ingest_draft(write(tmp_path, form))
    for target in ("STAT1", "JAK2"):
        expected = dict(zip(GENES, effects(RNA, target), strict=True))
        assert effects_of(warehouse, target) == pytest.approx(expected, rel=1.6e-5, abs=1e-6)
        assert expected[target] < -1
    ledger = warehouse.frame("select original, note from mapping where status = 'left_out' order by all").rows()
    assert ledger == [
        ("CD86", "feature_type: Antibody Capture, no RNA"),
        ("JAK2", "feature_type: CRISPR Guide Capture, no RNA"),
        ("STAT1", "feature_type: CRISPR Guide Capture, no RNA"),
    ]


def test_draft__says_what_is_there_and_reads_genes_as_if_they_were_alone(tmp_path):
    found = inspect_file(write(tmp_path, "h5ad"))
    assert found.types is not None
    assert found.types.counts == {"Gene Expression": 6, "CRISPR Guide Capture": 2, "Antibody Capture": 1}
    assert found.values.kind == "counts"
    text = draft_spec(found, tmp_path).text
    assert "6 Gene Expression, 2 CRISPR Guide Capture, 1 Antibody Capture; only what is RNA is read" in text
    assert 'kind = "crispri"' in text
    assert "duplicates" not in text


def test_where__that_names_the_column_of_types_decides_alone(tmp_path):
    path = write(tmp_path, "h5ad", features=FEATURES.with_columns(gene_name=pl.lit("")))
    draft = draft_spec(inspect_file(path), tmp_path).text.replace(
        '# FILL IN: context = { value = "K562" }', 'context = { value = "K562" }'
    )
    (tmp_path / "screen.toml").write_text(
        f"{draft}where = \"feature_type != 'Antibody Capture'\"\nduplicates = 'collapse'\n"
    )
    ingest_dataset(tmp_path / "screen.toml", tmp_path / "warehouse")
    both = RNA.copy()
    both[:, 2:4] += GUIDES
    expected = dict(zip(GENES, effects(both, "STAT1"), strict=True))
    assert effects_of(Warehouse(tmp_path / "warehouse"), "STAT1") == pytest.approx(expected, rel=1.6e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["Antibody Capture"] * 9, "No row of the gene table is RNA"),
        (["Gene Expression"] * 8 + [None], "does not say which of its rows are RNA"),
    ],
)
def test_types__that_do_not_say_what_is_rna_are_asked_for(tmp_path, types, message):
    path = write(tmp_path, "h5ad", features=FEATURES.with_columns(feature_type=pl.Series(types)))
    draft = draft_spec(inspect_file(path), tmp_path)
    assert "genes.where" in draft.missing
    text = draft.text.replace('# FILL IN: context = { value = "K562" }', 'context = { value = "K562" }')
    (tmp_path / "screen.toml").write_text(text)
    with pytest.raises(SpecError, match=message) as error:
        ingest_dataset(tmp_path / "screen.toml", tmp_path / "warehouse")
    assert "where under [genes]" in str(error.value)


@pytest.mark.parametrize(
    ("column", "types", "is_rna"),
    [
        ("modality", ["GEX", "ADT", "ATAC"], [True, False, False]),
        ("feature_types", ["Gene Expression", "Custom", "Peaks"], [True, False, False]),
        ("kind", ["gene expression", "Multiplexing Capture", "other"], [True, False, False]),
        ("feature_type", ["rna", "prot", "rna"], [True, False, True]),
        ("feature_type", ["protein_coding", "lncRNA", "gene"], None),
        ("type", ["gene", "pseudogene", "gene"], None),
        ("name", ["RNA", "ADT", "Custom"], None),
        ("feature_types", [None, None, None], None),
    ],
)
def test_feature_types__are_told_by_their_words(column, types, is_rna):
    table = pl.DataFrame({"index": ["a", "b", "c"], column: pl.Series(types, dtype=pl.String)})
    found = feature_types(table)
    assert (None if found is None else found.is_rna.tolist()) == is_rna


MOUSE = {"Trp53": "ENSMUSG00000059552", "Actb": "ENSMUSG00000029580", "Myc": "ENSMUSG00000022346"}


@pytest.mark.parametrize(
    ("human", "mouse", "n_second"),
    [
        ([f"GRCh38_{gene}" for gene in GENES.values()], [f"mm10___{gene}" for gene in MOUSE.values()], 3),
        ([f"GRCh38_{gene}" for gene in GENES], [f"mm10_{gene}" for gene in MOUSE], 3),
        (list(GENES.values()), list(MOUSE.values()), 3),
        (list(GENES), list(MOUSE), 3),
    ],
)
def test_genes_of_a_second_species_are_no_part_of_a_total(tmp_path, human, mouse, n_second):
    of_mouse = np.where(LABELS == "STAT1", 90, 3)[:, None] * np.ones((1, len(mouse)))
    matrix = np.hstack([RNA, of_mouse]).astype(np.float32)
    path = write(tmp_path, "h5ad", matrix, pl.DataFrame({"index": [*human, *mouse]}))
    assert inspect_file(path).genes.n_second == n_second
    warehouse = ingest_draft(path)
    expected = dict(zip(GENES, effects(RNA, "STAT1"), strict=True))
    assert effects_of(warehouse, "STAT1") == pytest.approx(expected, rel=1.6e-5, abs=1e-6)
    notes = warehouse.frame("select note from mapping where entity = 'gene' and target_id is null")["note"]
    assert notes.len() == len(mouse)
    assert notes.str.contains("of another species: no part of a cell's total").all()
    assert warehouse.frame("select organism from dataset").item() == "human"


def test_genes_of_the_mouse_without_an_ortholog_stay_in_the_total_of_its_cells(tmp_path):
    """In a file of the mouse, one human transgene makes nothing of the mouse a second species."""
    names = ["Trp53", "Actb", "Gm12345678", "Myc", "Stat1", "Jak2", "Gapdh", "Pten", "Egfr", "Kras", "Cd86", "TP53"]
    counts = RNG.poisson(9.0, (3 * N, len(names)))
    counts[LABELS == "STAT1", 2] *= 40
    path = write(tmp_path, "h5ad", counts.astype(np.float32), pl.DataFrame({"index": names}))
    text = draft_spec(inspect_file(path), tmp_path).text
    text = text.replace('# FILL IN: context = { value = "K562" }', 'context = { value = "K562" }')
    (tmp_path / "screen.toml").write_text(text)
    ingest_dataset(tmp_path / "screen.toml", tmp_path / "warehouse")
    expected = effects(counts, "STAT1")[names.index("Jak2")]
    assert effects_of(Warehouse(tmp_path / "warehouse"), "STAT1")["JAK2"] == pytest.approx(
        expected, rel=1.6e-5, abs=1e-6
    )


def called(counts, least):
    """Name each cell's guides, or None."""
    names = ("STAT1_g1", "NT_2", "JAK2_g1")
    return ["|".join(name for name, n in zip(names, row, strict=True) if n >= least) or None for row in counts]


CALLED_GUIDES = np.column_stack([LABELS == "STAT1", LABELS == "non-targeting", LABELS == "JAK2"]) * 40
CALLED_GUIDES[:, 0] += RNG.integers(0, 4, 3 * N)
CALLED_GUIDES[5, 2] = 7
CALLED_GUIDES[25] = 0
GUIDE_FEATURES = pl.concat([FEATURES.head(6), FEATURES.tail(3)]).with_columns(
    index=pl.Series([*GENES.values(), "STAT1_g1", "NT_2", "JAK2_g1"]),
    gene_name=pl.Series([*GENES, "STAT1_g1", "NT_2", "JAK2_g1"]),
    feature_type=pl.Series(["Gene Expression"] * 6 + ["CRISPR Guide Capture"] * 3),
)
WITH_CALLS = np.hstack([RNA, CALLED_GUIDES]).astype(np.float32)
GUIDE_RULES = "strip = '_(g?)[0-9]+$'\nseparator = '|'\ncontrols = ['NT_2']"


def ingest_guides(path: Path) -> Warehouse:
    """Ingest by the draft, with the rules of these names of guides."""
    kept = [
        line
        for line in draft_spec(inspect_file(path), path.parent).text.splitlines()
        if not line.startswith(("strip", "separator", "controls", "# FILL IN", 'kind = "cr', 'kind = "co', "context"))
    ]
    text = "\n".join(kept).replace(
        "[condition]", f"[condition]\nkind = 'crispri'\ncontext = {{ value = 'K562' }}\n{GUIDE_RULES}"
    )
    (path.parent / "screen.toml").write_text(text)
    ingest_dataset(path.parent / "screen.toml", path.parent / "warehouse")
    return Warehouse(path.parent / "warehouse")


def require_called(warehouse: Warehouse) -> None:
    """Require the conditions that the guides say, and effects of the cells with one guide of a target."""
    is_stat1 = np.array(called(CALLED_GUIDES, 5)) == "STAT1_g1"
    is_control = np.array(called(CALLED_GUIDES, 5)) == "NT_2"
    logs = np.log1p(1e4 * RNA / RNA.sum(axis=1, keepdims=True))
    expected = dict(zip(GENES, logs[is_stat1].mean(axis=0) - logs[is_control].mean(axis=0), strict=True))
    query = "select gene_symbol, effect from signature join condition using (dataset_id, condition_id)"
    found = warehouse.frame(f"{query} where target_symbols = ['STAT1']")
    assert dict(found.iter_rows()) == pytest.approx(expected, rel=1.6e-5, abs=1e-6)
    totals = "select is_control, sum(n_cells)::bigint from condition group by all order by all"
    assert warehouse.frame(totals).rows() == [(False, is_stat1.sum() + N + 1), (True, is_control.sum())]


@pytest.mark.parametrize("form", ["h5ad", "10x_h5", "mtx"])
def test_guides__own_counts_are_offered_as_the_perturbation(tmp_path, form):
    cells = CELLS.select("index")
    path = write(tmp_path, form, WITH_CALLS, GUIDE_FEATURES, cells)
    (tmp_path / "cells_metadata.csv").unlink(missing_ok=True)
    found = inspect_file(path)
    assert found.roles["perturbation"][0].column == "guide_call"
    draft = draft_spec(found, tmp_path)
    assert "min_count = 5  # CHECK" in draft.text
    assert "of 60 cells 58 have one guide, 1 several" in " ".join(draft.text.replace("#  ", "").split())
    require_called(ingest_guides(path))


@pytest.mark.parametrize("folder", [".", "crispr_analysis", "../crispr_analysis"])
def test_calls_of_cell_ranger__are_offered_as_the_perturbation(tmp_path, folder):
    path = write(tmp_path / "outs", "mtx", WITH_CALLS, GUIDE_FEATURES, CELLS.select("index"))
    (tmp_path / "outs" / "cells_metadata.csv").unlink()
    calls = pl.DataFrame({"cell_barcode": CELLS["index"], "feature_call": called(CALLED_GUIDES, 5)}).drop_nulls()
    place = path.parent / folder
    place.mkdir(exist_ok=True)
    calls.with_columns(num_features=1, num_umis=40).write_csv(place / "protospacer_calls_per_cell.csv")
    found = inspect_file(path)
    assert found.roles["perturbation"][0].column == "feature_call"
    draft = draft_spec(found, path.parent)
    assert 'perturbation = "feature_call"' in draft.text
    require_called(ingest_guides(path))


def test_guides__that_the_matrix_does_not_have_are_refused(tmp_path):
    path = write(tmp_path, "h5ad")
    text = draft_spec(inspect_file(path), tmp_path).text.replace("# FILL IN: context", "context")
    (tmp_path / "screen.toml").write_text(f"{text}[guides]\nmin_count = 3\n")
    write(tmp_path, "h5ad", RNA.astype(np.float32), FEATURES.head(6))
    with pytest.raises(SpecError, match="the gene table has none"):
        ingest_dataset(tmp_path / "screen.toml", tmp_path / "warehouse")
