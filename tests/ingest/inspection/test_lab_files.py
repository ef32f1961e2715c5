"""Files as labs hold them: what a draft makes of them is what plain NumPy says, or the draft asks."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest
from drafting import drafted, ingested, plain

from featurestore.errors import SpecError, ValuesError
from featurestore.query.warehouse import Warehouse
from ingest.commands.left_open import left_open
from ingest.inspection.beside import find_table
from ingest.inspection.draft_lines import to_toml
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from layouts.tenx import write_10x_h5

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "CEBPE", "JAK2", "SET"]
IDS = [
    "ENSG00000141510", "ENSG00000136997", "ENSG00000097007", "ENSG00000115415", "ENSG00000105397", "ENSG00000187608",
    "ENSG00000111640", "ENSG00000075624", "ENSG00000105610", "ENSG00000092067", "ENSG00000096968", "ENSG00000119335",
]  # fmt: skip
EACH = 12
TARGETS = np.repeat(["non-targeting", "TP53", "MYC"], EACH)


def counts_of(targets=TARGETS, seed=1):
    rng = np.random.default_rng(seed)
    left = np.where(np.array(GENES) == targets[:, None], 0.15, 1.0)
    return rng.poisson(left * rng.gamma(3, 6, len(GENES))).astype(np.float32)


COUNTS = counts_of()


def log1p_of(counts):
    return np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)


def effect_of(logarithms, targets, target, reference="non-targeting"):
    return logarithms[targets == target].mean(0) - logarithms[targets == reference].mean(0)


def effects_of(logarithms, reference):
    """Difference of means from the rows of a reference, of TP53 and MYC each."""
    return {t: logarithms[t == TARGETS].mean(0) - logarithms[reference].mean(0) for t in ("TP53", "MYC")}


def written(folder, matrix=COUNTS, genes=None, layers=None, raw=None, **columns):
    table = {"index": [f"c{at}" for at in range(len(TARGETS))], "gene": TARGETS.tolist(), "cell_line": ["K562"] * 36}
    rows = pl.DataFrame(table | {name: list(values) for name, values in columns.items()}, strict=False)
    genes = pl.DataFrame({"index": GENES}) if genes is None else genes
    path = folder / "cells.h5ad"
    return write_h5ad(path, matrix.astype(np.float32), rows, genes, layers=layers, raw=raw, layout="dense")


def found_effects(folder):
    with Warehouse(folder / "warehouse") as store:
        return store.frame("select perturbation, gene, effect, effect_kind from effects")


def assert_effects(folder, expected):
    table = found_effects(folder)
    assert set(table["perturbation"]) == set(expected)
    for target, effects in expected.items():
        read = dict(table.filter(perturbation=target).select("gene", "effect").iter_rows())
        np.testing.assert_allclose([read[gene] for gene in GENES], effects, rtol=2e-5, atol=1e-5)


CONTROLS = TARGETS == "non-targeting"
RIGHT = effects_of(log1p_of(COUNTS), CONTROLS)


def test_logarithms__beside_scaled_values_are_taken(tmp_path):
    logarithms = log1p_of(COUNTS)
    scaled = (logarithms - logarithms.mean(0)) / logarithms.std(0)
    path = written(tmp_path, scaled, raw=(logarithms, pl.DataFrame({"index": GENES})))
    draft = drafted(path)
    assert 'matrix = "raw/X"' in draft.text
    ingested(tmp_path, draft.text)
    assert set(found_effects(tmp_path)["effect_kind"]) == {"delta_log1p"}
    assert_effects(tmp_path, RIGHT)


def test_spliced_counts__without_the_unspliced_ones_are_to_be_checked(tmp_path):
    unspliced = np.floor(COUNTS / 4)
    scaled = (COUNTS - COUNTS.mean(0)) / COUNTS.std(0)
    path = written(tmp_path, scaled, layers={"spliced": COUNTS - unspliced, "unspliced": unspliced})
    draft = drafted(path)
    assert draft.doubtful == ("dataset.matrix",)
    assert "without the counts of 'layers/unspliced', which a cell's total has too" in plain(draft.text)
    ingested(tmp_path, draft.text)
    assert_effects(tmp_path, effects_of(log1p_of(COUNTS - unspliced), CONTROLS))


@pytest.mark.parametrize(
    ("part", "other", "first"), [("exonic", "intronic", np.log1p(COUNTS)), ("spliced", "unspliced", None)]
)
def test_a_part_of_the_counts__alone_or_copied_to_x_is_to_be_checked(part, other, first, tmp_path):
    of_other = np.floor(COUNTS / 4)
    matrix = COUNTS - of_other if first is None else first
    path = written(tmp_path, matrix, layers={part: COUNTS - of_other, other: of_other})
    draft = drafted(path)
    assert f"without the counts of 'layers/{other}', which a cell's total has too" in plain(draft.text)
    assert draft.doubtful == ("dataset.matrix",)
    whole = written(tmp_path, COUNTS, layers={part: COUNTS - of_other, other: of_other})
    assert "dataset.matrix" not in drafted(whole).doubtful


@pytest.mark.parametrize("column", ["modality", "library"])
def test_kinds__of_several_ways_keep_the_conditions_of_one_gene_apart(column, tmp_path):
    kinds = np.array([["CRISPRi"] * 4, ["CRISPRa"] * 4, ["CRISPR-KO"] * 4] * 3).ravel()
    draft = drafted(written(tmp_path, **{column: kinds}))
    assert f'kind_column = "{column}"' in draft.text
    ingested(tmp_path, draft.text)
    table = log1p_of(COUNTS)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame(
            "select perturbation_kind, effect from effects where perturbation = 'MYC' and gene = 'MYC' order by 1"
        )
    named = {"crispr_knockout": "CRISPR-KO", "crispra": "CRISPRa", "crispri": "CRISPRi"}
    assert found["perturbation_kind"].to_list() == sorted(named)
    reference = {kind: CONTROLS & (kinds == named[kind]) if column == "library" else CONTROLS for kind in named}
    right = [
        table[(TARGETS == "MYC") & (kinds == named[kind])].mean(0) - table[reference[kind]].mean(0)
        for kind in sorted(named)
    ]
    np.testing.assert_allclose(
        found["effect"], [effects[GENES.index("MYC")] for effects in right], rtol=2e-5, atol=1e-5
    )


@pytest.mark.parametrize("ending", ["", ";", ";;"])
def test_sample_sheet__of_semicolons_and_decimal_commas_is_found_and_read(ending, tmp_path):
    samples = [f"X{at}" for at in range(len(TARGETS))]
    lines = [f"{gene},{','.join(map(str, row))}" for gene, row in zip(GENES, COUNTS.T.astype(int), strict=True)]
    (tmp_path / "counts.csv").write_text("\n".join(["gene," + ",".join(samples), *lines]) + "\n")
    compounds = ["DMSO" if target == "non-targeting" else "vorinostat" for target in TARGETS]
    doses = {"DMSO": "0", "vorinostat": "0,5"}
    rows = [f"{name};{drug};{doses[drug]};K562{ending[1:]}" for name, drug in zip(samples, compounds, strict=True)]
    (tmp_path / "samples.csv").write_text(
        "\n".join(["sample;compound;dose_uM;cell_line", *(f"{r}{ending[:1]}" for r in rows)]) + "\n"
    )
    ingested(tmp_path, drafted(tmp_path / "counts.csv"))
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select perturbation, dose_um from condition where not is_control").rows() == [
            ("vorinostat", 0.5)
        ]


def write_samples(folder, sheet):
    """Write counts of nine samples, genes in lines, with a sheet beside them."""
    targets = np.repeat(["non-targeting", "TP53", "MYC"], 3)
    counts = counts_of(targets).astype(int)
    pl.DataFrame({"gene": GENES} | {f"s{at}": row for at, row in enumerate(counts)}).write_csv(folder / "counts.csv")
    rows = [(f"s{at}", target, "CRISPRi", "K562") for at, target in enumerate(targets)]
    columns = ["sample", "target", "kind", "cell_line"]
    pl.DataFrame(rows + sheet, columns, orient="row").write_csv(folder / "samples.csv")
    return folder / "counts.csv", targets, counts


def test_sample_sheet__that_says_two_things_of_a_sample_is_not_read_and_said(tmp_path):
    path, _, _ = write_samples(tmp_path, [("s4", "MYC", "CRISPRi", "K562")])
    found, draft = inspect_file(path), drafted(path)
    assert (found.row_table, found.unjoined.repeated) == (None, "s4")
    assert "samples.csv has several lines for one row, such as 's4' in its column 'sample'" in plain(draft.text)
    assert "condition.perturbation" in draft.missing
    fixed = {"perturbation": "target", "kind": "crispri", "controls": ["non-targeting"], "context": {"value": "K562"}}
    text = draft.text
    for key, value in fixed.items():
        asked = next(line for line in text.splitlines() if f"FILL IN: {key} =" in line)
        text = text.replace(asked, f"{key} = {to_toml(value)}")
    with pytest.raises(SpecError, match=r"(?s)do not agree.*'s4': 'TP53', 'MYC'"):
        ingested(tmp_path, text + '\n[rows]\ntable = "samples.csv"\nkey = "sample"\n')


def test_sample_sheet__that_says_the_same_twice_is_read(tmp_path):
    path, targets, counts = write_samples(tmp_path, [("s4", "TP53", "CRISPRi", "K562")])
    ingested(tmp_path, drafted(path))
    query = (
        "select perturbation_label, gene_symbol, count from statistics join condition using (dataset_id, condition_id) "
        "join gene using (gene_id)"
    )
    with Warehouse(tmp_path / "warehouse") as store:
        sums = {(label, gene): count for label, gene, count in store.frame(query).iter_rows()}
    assert sums == {(t, g): counts[targets == t, at].sum() for t in set(targets) for at, g in enumerate(GENES)}


@pytest.mark.parametrize("label", ["SCR", "siNC", "NC_1", "UT", "empty", "shSCR_2"])
def test_labels__that_labs_call_controls_are_named_where_none_is_known(label, tmp_path):
    labels = np.where(CONTROLS, label, TARGETS)
    rows = pl.DataFrame({"index": [f"c{at}" for at in range(len(labels))], "gene": labels, "cell_line": "K562"})
    path = write_h5ad(tmp_path / "a.h5ad", COUNTS, rows, pl.DataFrame({"index": GENES}))
    assert f'# FILL IN: controls = ["{label}"]' in drafted(path).text


def test_kind__of_a_column_of_compounds_is_not_told_by_a_few_names_of_genes(tmp_path):
    labels = np.where(CONTROLS, "DMSO", np.where(TARGETS == "MYC", "AT-1", "vorinostat"))  # an alias of SLC33A1
    rows = pl.DataFrame({"index": [f"c{at}" for at in range(36)], "compound": labels, "cell_line": "K562"})
    path = write_h5ad(tmp_path / "a.h5ad", COUNTS, rows, pl.DataFrame({"index": GENES}))
    assert 'kind = "compound"' in drafted(path).text


def test_probes__that_cell_ranger_filters_out_are_left_out_of_their_genes(tmp_path):
    probes = [f"{gene}|{name}|{at}" for gene, name in zip(IDS, GENES, strict=True) for at in (1, 2)]
    table = pl.DataFrame({"index": probes, "gene_name": np.repeat(GENES, 2)})
    rows = pl.DataFrame({"index": [f"c{at}" for at in range(len(TARGETS))], "gene": TARGETS, "cell_line": "K562"})
    path = write_10x_h5(tmp_path / "a.h5", np.repeat(COUNTS, 2, axis=1), rows, table)
    with h5py.File(path, "a") as file:
        file["matrix/features/filtered_probes"] = np.tile([True, False], len(GENES))
    rows.rename({"index": "barcode"}).write_csv(tmp_path / "cells.csv")
    draft = drafted(path)
    assert "genes.where" in draft.doubtful
    assert "12 probes did not pass Cell Ranger's filter" in plain(draft.text)
    ingested(tmp_path, draft.text)
    assert_effects(tmp_path, RIGHT)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.round(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4), "all rows have nearly the same total: scaled"),
        (np.round(np.log2(COUNTS / COUNTS.sum(1, keepdims=True) * 1e6 + 1)), "times their mean: rounded logarithms?"),
    ],
)
def test_whole_numbers__that_vary_less_than_counts_are_to_be_checked(values, said, tmp_path):
    draft = drafted(written(tmp_path, values))
    assert "dataset.values" in draft.doubtful
    assert said in plain(draft.text)


def test_counts__are_not_doubted(tmp_path):
    assert drafted(written(tmp_path)).doubtful == ()


def test_roots_of_normalised_counts__are_no_estimated_counts(tmp_path):
    draft = drafted(written(tmp_path, np.sqrt(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)))
    assert "dataset.values" in draft.missing
    assert "square roots of what adds up to 10,000 in every row: give the counts" in plain(draft.text)


def test_counts__of_which_one_is_missing_are_no_draft_and_refused_by_its_place(tmp_path):
    counts = COUNTS.copy()
    counts[5, 7] = np.nan
    draft = drafted(written(tmp_path, counts))
    assert draft.missing == ("dataset.values",)
    assert "1 of 432 values are NaN or infinite (nan at row c5, gene ACTB); the others are counts" in plain(draft.text)
    with pytest.raises(ValuesError, match="the first at row c5, gene ACTB"):
        ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("DMSO", "untreated", "'DMSO' (vehicle), 'untreated' (untreated)"),
        ("DMSO", "PBS", "'DMSO' (vehicle), 'PBS' (buffer)"),
        ("non-targeting", "unperturbed", "'non-targeting' (guides without a target), 'unperturbed' (untreated)"),
    ],
)
def test_controls__of_several_kinds_are_to_be_checked_and_said(first, second, said, tmp_path):
    labels = TARGETS.copy().astype(object)
    labels[:6], labels[6:12] = first, second
    draft = drafted(written(tmp_path, gene=labels))
    assert "condition.controls" in draft.doubtful
    assert f"of several kinds, and one reference: {said}" in plain(draft.text)
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, draft.text))
    assert any(line.startswith("  controls of several kinds are one reference: ") for line in lines)
    without = draft.text.replace(f', "{second}"]', "]").replace(f'["{second}", ', "[")
    ingested(tmp_path, without)
    expected = effects_of(log1p_of(COUNTS), np.arange(36) < 6)
    read = found_effects(tmp_path).filter(perturbation="TP53", gene="ISG15")["effect"][0]
    np.testing.assert_allclose(read, expected["TP53"][GENES.index("ISG15")], rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("is_control", np.where(CONTROLS, "True", "False")),
        ("control", np.where(CONTROLS, "yes", "no")),
        ("is_control", CONTROLS.astype(float)),
        ("is_control", CONTROLS),
    ],
)
def test_column_that_says_yes_of_controls__is_taken(column, values, tmp_path):
    labels = np.where(CONTROLS, "pool_A", TARGETS)
    draft = drafted(written(tmp_path, gene=labels, **{column: values.tolist()}))
    assert draft.missing == ()
    ingested(tmp_path, draft.text)
    assert_effects(tmp_path, RIGHT)


def test_dose_of_zero__is_asked_for_where_there_is_no_other_control(tmp_path):
    compound, dose = np.tile(["JQ1", "Dasatinib"], 18), np.repeat([0.0, 1.0, 10.0], EACH)
    path = written(tmp_path, gene=[None] * 36, compound=compound, dose_uM=dose)
    draft = drafted(path)
    assert draft.missing == ("condition.control_where",)
    assert '# FILL IN: control_where = "dose_uM = 0"' in draft.text
    ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))
    logarithms = log1p_of(COUNTS)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, dose_um, gene, effect from effects where gene = 'TP53'").rows()
    expected = {
        (name, at, "TP53"): logarithms[(compound == name) & (dose == at), 0].mean() - logarithms[dose == 0, 0].mean()
        for name in ("JQ1", "Dasatinib")
        for at in (1.0, 10.0)
    }
    assert {line[:3]: pytest.approx(line[3], rel=2e-5, abs=1e-5) for line in found} == expected


@pytest.mark.parametrize("column", ["log10_dose_uM", "neg_log10_conc_nM"])
def test_dose__as_a_logarithm_has_no_unit(column, tmp_path):
    labels = np.where(CONTROLS, "DMSO", "Dasatinib")
    draft = drafted(written(tmp_path, gene=[None] * 36, drug=labels, **{column: np.repeat([0, 1, 3], EACH)}))
    assert draft.missing == ()
    assert "its name speaks of a logarithm: doses are kept apart as written, without a unit" in plain(draft.text)
    ingested(tmp_path, draft.text)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, dose_um, n_cells from condition where not is_control").rows()
    assert found == [("Dasatinib", None, EACH)] * 2


def test_context__of_rows_that_have_none_is_not_that_of_the_others(tmp_path):
    lines = np.where(np.arange(36) % 6 == 5, None, "K562")
    draft = drafted(written(tmp_path, cell_line=lines))
    assert 'context = { column = "cell_line" }' in draft.text
    assert "'K562' where it says one: 6 rows have none" in plain(draft.text)
    ingested(tmp_path, draft.text)
    with Warehouse(tmp_path / "warehouse") as store:
        cells = store.frame("select context_label, sum(n_cells)::int from condition group by all").rows()
        assert ("K562", 30) in cells


def test_numbers__that_are_of_hgnc_are_no_entrez_ids(tmp_path):
    hgnc = ["11998", "7553", "76", "11362", "12440", "4053", "4141", "132", "6345", "1836", "6192", "10760"]
    draft = drafted(written(tmp_path, genes=pl.DataFrame({"index": hgnc})))
    assert "genes.id" in draft.doubtful
    assert "are HGNC's: write them as HGNC:n" in plain(draft.text)


def test_symbols__that_are_of_other_rows_than_the_identifiers_are_said(tmp_path):
    genes = pl.DataFrame({"index": GENES, "gene_ids": IDS[1:] + IDS[:1]})
    draft = drafted(written(tmp_path, genes=genes))
    assert "genes.symbol" in draft.doubtful
    assert "'index' names another gene than 'gene_ids' in 12 of 12 rows" in plain(draft.text)
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, draft.text))
    assert any("for 12 of 12 genes: " in line for line in lines)


def test_batch__with_one_control_is_to_be_checked(tmp_path):
    batch = np.where((np.arange(36) == 0) | (np.arange(36) >= EACH) & (np.arange(36) % 2 == 0), "b2", "b1")
    draft = drafted(written(tmp_path, batch=batch))
    assert "condition.batch" in draft.doubtful
    assert "1 of them have 2 rows of controls or fewer" in plain(draft.text)


def test_matrix_beside__describes_no_rows(tmp_path):
    lines = pl.DataFrame({"model": [f"ACH-{at:06d}" for at in range(20)]})
    lines.with_columns(pl.lit(0.5).alias(gene) for gene in GENES).write_csv(tmp_path / "expression.csv")
    keys = lines["model"]
    assert find_table(keys, tmp_path / "effects.csv", ()) is None
    lines.with_columns(tissue=pl.lit("skin")).write_csv(tmp_path / "models.csv")
    assert find_table(keys, tmp_path / "effects.csv", ()).path.name == "models.csv"


@pytest.mark.parametrize(("column", "values"), [("drug", ["DMSO", "JQ1"]), ("condition", ["untreated", "TNF"])])
def test_further_treatment__keeps_conditions_apart(column, values, tmp_path):
    given = np.array(values)[np.arange(36) % 2]
    draft = drafted(written(tmp_path, **{column: given}))
    assert draft.missing == ()
    assert f'context = {{ template = "K562, {{{column}}}" }}' in draft.text
    ingested(tmp_path, draft.text)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select context_label, gene, effect from effects where perturbation = 'TP53'")
    logarithms = log1p_of(COUNTS)
    for value in values:
        rows = found.filter(context_label=f"K562, {value}").select("gene", "effect")
        expected = effect_of(logarithms[given == value], TARGETS[given == value], "TP53")
        read = dict(rows.iter_rows())
        np.testing.assert_allclose([read[gene] for gene in GENES], expected, rtol=2e-5, atol=1e-5)


def test_further_treatment__that_conditions_pool_over_is_said(tmp_path):
    path = written(tmp_path, drug=np.where(np.arange(36) % 2 == 0, "DMSO", "JQ1"))
    pooled = drafted(path).text.replace('{ template = "K562, {drug}" }', '{ value = "K562" }')
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, pooled))
    assert "  column 'drug' looks like a further treatment: 3 conditions pool over its 2 values; " in " ".join(lines)
    allowed = pooled.replace("[condition]", '[condition]\npooled = ["drug"]')
    assert not any("treatment" in line for line in left_open(tmp_path / "warehouse", ingested(tmp_path, allowed)))


def test_further_treatment__without_controls_of_each_is_to_be_checked(tmp_path):
    given = np.where((np.arange(36) >= 30) | (np.arange(36) == 20), "JQ1", "DMSO")
    draft = drafted(written(tmp_path, drug=given))
    assert "condition.context" in draft.doubtful
    assert "conditions pool over 'drug': a template or where would keep them apart" in plain(draft.text)


def test_treatment__of_all_rows_is_part_of_the_context_to_be_checked(tmp_path):
    draft = drafted(written(tmp_path, drug=["vemurafenib"] * 36))
    assert 'context = { template = "K562, {drug}" }  # CHECK' in draft.text
    assert "'drug' is 'vemurafenib' in all rows, which conditions would not say" in plain(draft.text)
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        assert set(store.frame("select context_label from condition")["context_label"]) == {"K562, vemurafenib"}
    assert_effects(tmp_path, RIGHT)


@pytest.mark.parametrize(("column", "value"), [("drug", "DMSO"), ("treatment", "none"), ("compound", "CRISPRi")])
def test_treatment__of_all_rows_that_is_none_is_not_mentioned(column, value, tmp_path):
    draft = drafted(written(tmp_path, **{column: [value] * 36}))
    assert draft.doubtful == ()
    assert 'context = { value = "K562" }' in draft.text


def test_treatment__of_all_rows_without_another_label_needs_the_files_of_its_controls(tmp_path):
    path = written(tmp_path, gene=[None] * 36, drug=["vemurafenib"] * 36)
    draft = drafted(path)
    assert 'FILL IN: perturbation = "drug"' in draft.text
    assert "'drug' is 'vemurafenib' in all rows: name the files of its controls under files too" in plain(draft.text)


def test_drug__of_all_rows_may_have_its_control_at_a_dose_of_zero(tmp_path):
    doses = np.repeat([0.0, 1.0, 10.0], EACH)
    draft = drafted(written(tmp_path, gene=[None] * 36, drug=["vemurafenib"] * 36, dose_uM=doses))
    assert 'FILL IN: perturbation = "drug"' in draft.text
    assert 'FILL IN: control_where = "dose_uM = 0"' in draft.text
    text = draft.text.replace('FILL IN: kind = "crispri"', 'FILL IN: kind = "compound"').replace("# FILL IN: ", "")
    ingested(tmp_path, text)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select is_control, n_cells from condition order by 1, 2").rows()
    assert found == [(False, EACH), (False, EACH), (True, EACH)]


@pytest.mark.parametrize("write", ["{}_r{}", "{}_Rep{}", "{} rep {}", "{}-/-"])
def test_labels__with_replicates_or_alleles_are_of_their_genes(write, tmp_path):
    labels = [write.format(target, 1 + at % 2) for at, target in enumerate(TARGETS)]
    if "-/-" in write:
        labels = [label if target != "non-targeting" else "WT" for label, target in zip(labels, TARGETS, strict=True)]
    draft = drafted(written(tmp_path, gene=labels))
    assert draft.missing == (), draft.text
    ingested(tmp_path, draft)
    assert_effects(tmp_path, RIGHT)


def test_column_that_says_the_same_as_labels__is_no_further_treatment(tmp_path):
    draft = drafted(written(tmp_path, condition=np.where(CONTROLS, "control", "perturbed")))
    assert draft.doubtful == ()
    assert not any("treatment" in line for line in left_open(tmp_path / "warehouse", ingested(tmp_path, draft.text)))


def test_two_columns_of_compounds__are_combinations(tmp_path):
    first = np.repeat(["DMSO", "JQ1", "DMSO", "JQ1"], 9)
    second = np.repeat(["DMSO", "DMSO", "Dasatinib", "Dasatinib"], 9)
    draft = drafted(written(tmp_path, gene=[None] * 36, drug1=first, drug2=second))
    assert 'perturbation = ["drug1", "drug2"]' in draft.text
    ingested(tmp_path, draft.text)
    logarithms = log1p_of(COUNTS).reshape(4, 9, -1).mean(1)[:, 0]
    found = found_effects(tmp_path).filter(gene="TP53").sort("perturbation")
    assert found["perturbation"].to_list() == ["Dasatinib", "Dasatinib+JQ1", "JQ1"]
    expected = logarithms[[2, 3, 1]] - logarithms[0]
    np.testing.assert_allclose(found["effect"], expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["Total", "Grand Total"])
def test_total__below_the_genes_is_none_of_them(name, tmp_path):
    table = pl.DataFrame({"gene": [*GENES, name]} | {
        f"{target}_{at}": [*row.astype(int), int(row.sum())]
        for at, (target, row) in enumerate(zip(TARGETS, COUNTS, strict=True))
    })  # fmt: skip
    table.write_csv(tmp_path / "counts.csv")
    draft = drafted(tmp_path / "counts.csv")
    assert draft.missing == ("condition.context",)
    ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))
    assert_effects(tmp_path, RIGHT)


def test_limma_fit__is_no_matrix_of_signatures(tmp_path):
    columns = ["Coef.STAT1", "Coef.JAK1", "t.STAT1", "t.JAK1", "p.value.STAT1", "p.value.JAK1"]
    table = pl.DataFrame({"gene": GENES} | {name: np.linspace(-2, 1, 12) for name in columns})
    table.write_csv(tmp_path / "fit.csv")
    draft = drafted(tmp_path / "fit.csv")
    assert "dataset.values" in draft.missing
    assert "statistics of contrasts side by side, such as 'Coef.JAK1'" in plain(draft.text)


def test_results__of_several_treatments_are_apart(tmp_path):
    lines = ["target,condition,gene,log2FC,pvalue,padj"]
    lines += [
        f"{target},{given},{gene},{at / 7 - 0.3 + 2 * (given == 'Stim')},0.01,0.05"
        for target in ("STAT1", "JAK1")
        for given in ("Rest", "Stim")
        for at, gene in enumerate(GENES[:6])
    ]
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    draft = drafted(tmp_path / "results.csv")
    assert draft.missing == ("condition.context",)
    ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, context_label, effect from effects where gene = 'MYC' order by all")
    expected = [(t, f"K562, {c}", pytest.approx(1 / 7 - 0.3 + e)) for t in ("JAK1", "STAT1")
                for c, e in (("Rest", 0), ("Stim", 2))]  # fmt: skip
    assert found.rows() == expected
