"""Drafts of specs: what a file says is ingested without an edit, what it does not say is asked for by name."""

from __future__ import annotations

import tomllib

import polars as pl
import pytest
from draft_cases import BY_SYMBOL, CASES, COUNTS, SYMBOLS, N, cells, cycle, h5ad

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.columns import summarise
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.spec import parse_spec
from layouts.examples import CELLS as OF_CELLS
from layouts.examples import COUNTS as OF_EXAMPLE
from layouts.examples import EXAMPLES, GENES
from layouts.tenx import write_10x_h5


def drafted(path):
    found = inspect_file(path)
    return found, draft_spec(found, path.parent)


def conditions(path, text, root):
    """Ingest a draft as it is, and count the conditions that are no controls."""
    spec = path.parent / "draft.toml"
    spec.write_text(text, encoding="utf-8")
    ingested = ingest_dataset(spec, root)
    with Warehouse(root) as store:
        table = store.frame("select is_control, count(*) as n from condition group by all")
        rejected = store.frame("select coalesce(sum(n_cells), 0) as n from rejected")["n"][0]
    assert ingested.is_new
    return dict(table.iter_rows()).get(False, 0), rejected


@pytest.mark.parametrize(("write", "says", "n_conditions"), CASES.values(), ids=CASES)
def test_draft__of_a_published_layout_ingests_without_an_edit(write, says, n_conditions, tmp_path):
    path = write(tmp_path)
    _, draft = drafted(path)
    assert draft.missing == (), draft.text
    content = tomllib.loads(draft.text)
    sections = (content.get(name, {}) for name in ("rows", "genes", "compound", "dataset", "condition"))
    flat = {key: value for section in sections for key, value in section.items()}
    assert {key: flat.get(key) for key in says} == says, draft.text
    assert conditions(path, draft.text, tmp_path / "warehouse")[0] == n_conditions


@pytest.mark.parametrize(("donors", "is_said"), [(("D1", "D2"), True), (("D1",), False)])
def test_draft__proposes_donors_as_replicates(donors, is_said, tmp_path):
    rows = cells(gene=cycle("non-targeting", "MYC"), cell_type=cycle("THP-1"), donor_id=cycle(*donors, each=2))
    _, draft = drafted(write_h5ad(tmp_path / "screen.h5ad", COUNTS, rows, BY_SYMBOL))
    assert ('# also there, not used: replicate = "donor_id" (2 of them; ' in draft.text) == is_said
    assert "replicate" not in tomllib.loads(draft.text)["condition"]


NO_SYMBOLS = [("mtx", "alevin-fry")]
NO_IDS = [("mtx", "BD Rhapsody")]
ONLY_BARCODES = [
    *(("mtx", "10x version 3"), ("mtx", "10x version 2"), ("10x_h5", "Cell Ranger 3")),
    *(("mtx", "kb-python"), ("mtx", "STARsolo"), *NO_SYMBOLS, *NO_IDS),
]
NO_LABELS = ["archs4", "quantified", "r"]
"""Formats in which no column says what was done to a row."""
SAID = [(n, layout) for n, layouts in EXAMPLES.items() for layout in layouts if (n, layout) not in ONLY_BARCODES]
SAID = [(name, layout) for name, layout in SAID if name not in NO_LABELS]


@pytest.mark.parametrize(("name", "layout"), SAID)
def test_draft__of_every_example_that_says_enough_ingests(name, layout, tmp_path):
    path = EXAMPLES[name][layout](tmp_path)
    _, draft = drafted(path)
    assert draft.missing == (), draft.text
    assert conditions(path, draft.text, tmp_path / "warehouse")[0] > 0


@pytest.mark.parametrize(("name", "layout"), ONLY_BARCODES)
def test_draft__asks_for_what_a_file_does_not_say(name, layout, tmp_path):
    (tmp_path / "sample_7").mkdir()
    path = EXAMPLES[name][layout](tmp_path / "sample_7")
    _, draft = drafted(path)
    assert draft.missing == ("condition.perturbation", "condition.kind", "condition.controls", "condition.context")
    content = tomllib.loads(draft.text)
    assert content["dataset"] == {
        "id": "sample_7", "files": [path.name], "values": "counts", "assay": "perturb_seq",
    }  # fmt: skip
    genes = {"id": "index", "kind": "symbol" if (name, layout) in NO_IDS else "ensembl"}
    assert content["genes"] == genes | ({} if (name, layout) in NO_SYMBOLS + NO_IDS else {"symbol": "gene_name"})
    with pytest.raises(SpecError, match=r"condition.perturbation: is missing"):
        parse_spec(content)


@pytest.mark.parametrize(("name", "missing"), [("adata_Training.h5ad", ()), ("screen.h5ad", ("condition.context",))])
def test_draft__asks_for_the_cells_where_neither_columns_nor_name_nor_catalogue_tell(name, missing, tmp_path):
    rows = cells(
        target_gene=cycle("non-targeting", "MYC"), guide_id=cycle("a", "b"), batch=cycle("Flex_1", "Flex_2", each=9)
    )
    _, draft = drafted(write_h5ad(tmp_path / name, COUNTS, rows, BY_SYMBOL))
    assert draft.missing == missing
    assert ('value = "H1"' in draft.text) == (not missing)


def test_draft__is_a_spec_once_what_it_asks_for_is_filled_in(tmp_path):
    path = EXAMPLES["h5ad"]["csr"](tmp_path)
    rows = cells(perturbation=cycle("guide A", "MYC", "STAT1"))
    path = write_h5ad(tmp_path / "screen.h5ad", COUNTS, rows, BY_SYMBOL)
    _, draft = drafted(path)
    assert draft.missing == ("condition.controls", "condition.context")
    text = draft.text.replace('# FILL IN: controls = ["non-targeting"]', 'controls = ["guide A"]')
    text = text.replace('# FILL IN: context = { value = "K562" }', 'context = { value = "K562" }')
    assert conditions(path, text, tmp_path / "warehouse")[0] == 2


def test_draft__asks_a_human_about_labels_that_look_like_controls(tmp_path):
    rows = cells(perturbation=cycle("NegCtrl0_1", "MYC", "KNTC1"), cell_line=cycle("K562"))
    _, draft = drafted(write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL))
    assert draft.missing == ("condition.controls",)
    assert "may be: 'NegCtrl0_1' (80 rows)" in draft.text.replace("\n#  ", "")
    assert 'FILL IN: controls = ["NegCtrl0_1"]' in draft.text


def test_draft__marks_the_guess_that_nothing_supports(tmp_path):
    rows = cells(perturbation=cycle("non-targeting", "MYC", "STAT1"), cell_line=cycle("K562"))
    _, draft = drafted(write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL))
    assert draft.doubtful == ("condition.kind",)
    assert 'kind = "crispr_knockout"  # CHECK' in draft.text


def test_draft__of_a_catalogued_file_has_its_citation_and_experiment(tmp_path):
    path = EXAMPLES["h5ad"]["Replogle 2022"](tmp_path)
    found, draft = drafted(path)
    dataset = tomllib.loads(draft.text)["dataset"]
    assert found.entry.id == dataset["id"] == "replogle_2022_k562_essential"
    assert dataset["licence"] == "CC-BY-4.0"
    assert dataset["citation"].endswith("doi:10.1016/j.cell.2022.05.013")
    assert dataset["experiment"].startswith("replogle_2022_k562")


def test_draft__names_files_relative_to_the_spec(tmp_path):
    path = EXAMPLES["h5ad"]["csr"](tmp_path)
    (tmp_path / "specs").mkdir()
    draft = draft_spec(inspect_file(path), tmp_path / "specs")
    assert tomllib.loads(draft.text)["dataset"]["files"] == ["../cells.h5ad"]


def test_draft__quotes_labels_as_toml(tmp_path):
    nasty = 'a "quoted" \\ label\twith \u00b5'
    rows = cells(perturbation=cycle("control", nasty, "MYC"), cell_line=cycle('K "5" \\'))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["condition"]["context"] == {"value": 'K "5" \\'}


def test_draft__of_mouse_genes_says_so(tmp_path):
    genes = pl.DataFrame({"index": ["Trp53", "Myc", "Abl1", "Stat1", "Tyk2", "Isg15", "Gapdh", "Actb"]})
    rows = cells(perturbation=cycle("control", "Myc"), cell_line=cycle("3T3"))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS[:, :8], rows, genes)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["dataset"]["organism"] == "mouse"


def test_draft__adds_repeated_symbols_and_says_so(tmp_path):
    genes = pl.DataFrame({"index": [*SYMBOLS[:-1], SYMBOLS[0]]})
    rows = cells(perturbation=cycle("control", "MYC"), cell_line=cycle("K562"))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, genes)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["genes"]["duplicates"] == "collapse"
    assert conditions(path, draft.text, tmp_path / "warehouse") == (1, 0)


@pytest.mark.parametrize(
    ("folder", "name", "n_conditions", "n_controls"),
    [
        ("perturb_seq", "papalexi2021_thp1_raw.h5ad", 25, 1),
        ("perturb_seq", "norman2019_mcfaline2023_lognorm.h5ad", 60, 4),
        ("perturb_seq/datlinger2017", "matrix.mtx", 40, 2),
        ("drug_seq", "zhao2021_gbm_panobinostat_raw.h5ad", 1, 1),
        ("lincs", "modzs_n272x978.gctx", 272, 0),
        ("lincs", "modzs_n272x978.gct", 272, 0),
        ("lincs", "level4_plate_n377x978.gctx", 351, 1),
        ("depmap", "gene_effect.hdf5", 38_852, 0),
    ],
)
def test_draft__of_real_files_ingests_without_an_edit(folder, name, n_conditions, n_controls, real_data, tmp_path):
    path = real_data / folder / name
    draft = draft_spec(inspect_file(path), path.parent)
    assert draft.missing == (), draft.text
    spec = tmp_path / "draft.toml"
    spec.write_text(draft.text, encoding="utf-8")
    ingest_dataset(spec, tmp_path / "warehouse", path.parent)
    with Warehouse(tmp_path / "warehouse") as store:
        counted = dict(store.frame("select is_control, count(*) from condition group by all").iter_rows())
    assert (counted.get(False, 0), counted.get(True, 0)) == (n_conditions, n_controls)


@pytest.mark.parametrize("column", ["perturbation", "guide"])
@pytest.mark.parametrize(
    ("labels", "controls", "strip"),
    [
        (["sgTP53-1", "sgTP53-2", "sgMYC-1", "sgNTC-1"], ["NTC"], r"^sg[-_]?|-\d+$"),
        (
            ["sgRNA_TP53_1", "sgRNA_MYC_2", "sgRNA_NT_1", "sgRNA_NT_2"],
            ["NT"],
            r"^sgRNA[-_]?|_\d+$",
        ),
        (["gRNA-TP53", "gRNA-MYC", "gRNA-Control", "sgNT-3"], ["Control", "sgNT-3"], "^gRNA[-_]?"),
    ],
)
def test_draft__takes_labels_of_guides_for_their_genes(tmp_path, column, labels, controls, strip):
    path = h5ad("guides.h5ad", cells(cell_line=cycle("K562"), **{column: cycle(*labels)}))(tmp_path)
    draft = draft_spec(inspect_file(path), tmp_path)
    condition = tomllib.loads(draft.text)["condition"]
    assert (condition["perturbation"], condition["controls"], condition["strip"]) == (column, controls, strip)
    assert draft.missing == ()
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select target_symbols, is_control, n_cells from condition order by target_symbols")
    each = {symbol: N // 4 * sum(symbol in label for label in labels) for symbol in ("MYC", "TP53")}
    n_controls = N // 4 * sum("NT" in label or "Control" in label for label in labels)
    assert found.rows() == [([], True, n_controls), (["MYC"], False, each["MYC"]), (["TP53"], False, each["TP53"])]


@pytest.mark.parametrize("label", ["sgNT5E", "sgNT5", "sgNTN1-1", "sgCTRL1B", "SGK1", "sgSCRIB-2", "sgNEGR1"])
def test_column__takes_no_guide_of_a_gene_for_a_control(label):
    assert summarise(pl.Series("guide", [label, "sgNTC-1"])).controls == {"sgNTC-1": 1}


def test_draft__of_a_folder_joins_a_table_whose_barcodes_have_no_number_of_a_library(tmp_path):
    folder = tmp_path / "screen_K562"
    (folder / "outs").mkdir(parents=True)
    barcodes = [f"ACGTACGTACGTA{a}{b}{c}" for a in "ACGT" for b in "ACGT" for c in "AC"][: OF_CELLS.height]
    cells = pl.DataFrame({"index": [f"{barcode}-1" for barcode in barcodes]})
    write_10x_h5(folder / "outs" / "filtered_feature_bc_matrix.h5", OF_EXAMPLE, cells, GENES)
    calls = OF_CELLS.select("cell_line", "perturbation_type", barcode=pl.Series(barcodes), gene_target="perturbation")
    calls.write_csv(folder / "outs" / "assigned.csv")
    draft = draft_spec(inspect_file(folder), tmp_path)
    content = tomllib.loads(draft.text)
    assert content["dataset"]["files"] == ["screen_K562/outs/filtered_feature_bc_matrix.h5"]
    assert content["rows"] == {"table": "screen_K562/outs/assigned.csv", "key": "barcode"}
    text = draft.text.replace("screen_K562/outs/filtered_feature_bc_matrix.h5", "screen_K562")
    assert conditions(folder, text, tmp_path / "warehouse") == (3, 8)
