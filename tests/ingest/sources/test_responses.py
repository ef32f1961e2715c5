"""Drug responses of GDSC, PRISM and CTRP: phenotypes of compound and cell line, as published."""

from __future__ import annotations

import io
import json
import tomllib

import numpy as np
import pytest
from rich.console import Console

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from featurestore.store import Store
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.inspection.report import as_json, print_report
from ingest.pipeline import ingest_dataset
from ingest.spec import parse_spec
from layouts.responses import DRUGS, LINES, write_ctrp, write_gdsc, write_prism

RNG = np.random.default_rng(4)
LN_IC50 = RNG.normal(2, 2, (len(LINES), len(DRUGS)))
LN_IC50[1, 2] = np.nan
AUC = RNG.uniform(0.2, 1, LN_IC50.shape)
SPEC = """
[dataset]
id = "screen"
files = ["{file}"]
values = "drug_response"
assay = "drug_screen"
[condition]
perturbation = "{drug}"
kind = "compound"
context = {{ column = "{line}" }}
{more}
"""
GDSC = SPEC.format(
    file="gdsc.csv",
    drug="DRUG_NAME",
    line="CELL_LINE_NAME",
    more='[phenotypes]\nnamed = { ln_ic50 = "LN_IC50", auc = "AUC" }',
)
PRISM = SPEC.format(
    file="prism.csv",
    drug="name",
    line="depmap_id",
    more='[compound]\nbroad_id = "broad_id"\n[phenotypes]\nnamed = { ln_ic50 = "ln(ic50)", auc = "auc" }',
)


def ingested(folder, text):
    """Ingest by a spec and give the phenotypes by compound, cell line and name."""
    (folder / "spec.toml").write_text(text)
    ingest_dataset(folder / "spec.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        table = store.frame(
            "select c.perturbation, x.name, p.phenotype, p.value, c.n_cells, c.perturbation_kind from phenotype p join "
            "condition c using (dataset_id, condition_id) join context x using (context_id)"
        )
    assert table["n_cells"].null_count() == table.height
    assert set(table["perturbation_kind"]) == {"compound"}
    return {(drug.lower(), line.replace("-", "").upper(), name): value for drug, line, name, value, *_ in table.rows()}


def expected(**matrices):
    return {
        (drug.lower(), line, name): pytest.approx(values[at, column])
        for name, values in matrices.items()
        for at, line in enumerate(LINES)
        for column, drug in enumerate(DRUGS)
        if np.isfinite(values[at, column])
    }


def test_gdsc__every_number_is_a_phenotype_of_compound_and_line(tmp_path):
    write_gdsc(tmp_path / "gdsc.csv", LN_IC50, AUC)
    measured = np.where(np.isfinite(LN_IC50), AUC, np.nan)
    assert ingested(tmp_path, GDSC) == expected(ln_ic50=LN_IC50, auc=measured)


def test_prism__of_an_expression_and_what_is_missing_has_no_row(tmp_path):
    write_prism(tmp_path / "prism.csv", np.exp(LN_IC50), AUC)
    assert ingested(tmp_path, PRISM) == expected(ln_ic50=LN_IC50, auc=AUC)


def test_prism__several_screens_of_one_pair_are_refused_unless_the_spec_says_what_to_make_of_them(tmp_path):
    write_prism(tmp_path / "prism.csv", np.exp(LN_IC50), AUC, ("HTS002", "MTS010"))
    with pytest.raises(SourceFormatError, match=r'9 conditions with several(.|\n)*repeats = "mean"'):
        ingested(tmp_path, PRISM)
    assert ingested(tmp_path, PRISM + 'repeats = "mean"\n') == expected(ln_ic50=LN_IC50, auc=AUC + 0.5)
    one = PRISM.replace("[compound]", "where = \"screen_id = 'MTS010'\"\n[compound]")
    assert ingested(tmp_path, one) == expected(ln_ic50=LN_IC50, auc=AUC + 1)


def test_ctrp__numbers_are_joined_to_names(tmp_path):
    write_ctrp(tmp_path, AUC)
    joins = "".join(
        f'[[rows.join]]\ntable = "v20.meta.{table}.txt"\nkey = "{key}"\n'
        for table, key in (
            ("per_experiment", "experiment_id"),
            ("per_cell_line", "master_ccl_id"),
            ("per_compound", "master_cpd_id"),
        )
    )
    more = f'{joins}[phenotypes]\nnamed = {{ area_under_curve = "area_under_curve" }}'
    text = SPEC.format(file="v20.data.curves_post_qc.txt", drug="cpd_name", line="ccl_name", more=more)
    assert ingested(tmp_path, text) == expected(area_under_curve=AUC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("drug_response", "log2_fold_change"), "goes with"),
        (("ln_ic50 =", "LN_IC50 ="), "not a name for a phenotype"),
        (('perturbation = "DRUG_NAME"', 'perturbation = { value = "x" }'), "name the column of the compound"),
    ],
)
def test_spec__that_contradicts_itself_is_refused(change, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(tomllib.loads(GDSC.replace(*change)))


def test_responses__are_a_target_and_features(tmp_path):
    write_gdsc(tmp_path / "gdsc.csv", LN_IC50, AUC)
    write_prism(tmp_path / "prism.csv", np.exp(LN_IC50), AUC)
    ingested(tmp_path, GDSC)
    ingested(tmp_path, PRISM.replace('id = "screen"', 'id = "prism"'))
    (tmp_path / "features.toml").write_text(
        'name = "ln_ic50_from_prism"\n[target]\ndataset = "screen"\nphenotype = "ln_ic50"\n'
        '[[feature]]\nkind = "phenotype"\ndatasets = ["prism"]\nphenotype = "auc"\n'
        '[split]\nby = "perturbation_id"\nfolds = 3\nseed = 0\n'
    )
    with Store(tmp_path / "warehouse") as store:
        matrix = store.build(tmp_path / "features.toml")
    assert sorted(matrix.Y[:, 0]) == pytest.approx(sorted(LN_IC50[np.isfinite(LN_IC50)]), abs=1e-5)
    drug = [DRUGS.index(name.capitalize()) for name in matrix.rows["perturbation_label"]]
    held = np.array(matrix.X)
    assert held.shape == (8, len(LINES))
    for row, at in enumerate(drug):
        assert sorted(held[row]) == pytest.approx(sorted(AUC[:, at]), abs=1e-5)


@pytest.mark.parametrize(
    ("write", "n_values"),
    [
        (lambda folder: write_gdsc(folder / "GDSC2_fitted_dose_response.csv", LN_IC50, AUC), 16),
        (lambda folder: write_prism(folder / "secondary-screen.csv", np.exp(LN_IC50), AUC, ("HTS002", "MTS010")), 17),
        (lambda folder: write_ctrp(folder, AUC), 9),
    ],
    ids=["GDSC", "PRISM", "CTRP"],
)
def test_draft__of_each_ingests_without_an_edit(write, n_values, tmp_path):
    path = write(tmp_path)
    found = inspect_file(path)
    assert found.values.kind == "drug_response"
    json.dumps(as_json(found), allow_nan=False)
    draft = draft_spec(found, tmp_path)
    assert (draft.missing, draft.doubtful) == ((), ("phenotypes.repeats",)), draft.text
    assert len(ingested(tmp_path, draft.text)) == n_values
    print_report(found, Console(file=io.StringIO()))


def test_draft__of_ctrp_asks_for_the_tables_that_are_not_there(tmp_path):
    path = write_ctrp(tmp_path, AUC)
    (tmp_path / "v20.meta.per_compound.txt").unlink()
    assert draft_spec(inspect_file(path), tmp_path).missing == ("rows.join.table",)
