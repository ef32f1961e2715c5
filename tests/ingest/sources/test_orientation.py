"""Tables of contrasts that are named the other way round: their draft turns the effects, and an ingest asks."""

from __future__ import annotations

import re

import pytest

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset

HEADER = "gene,baseMean,log2FoldChange,lfcSE,stat,pvalue,padj"
LINES = ("STAT1,100,2.5,0.2,12.5,1e-9,1e-8", "MYC,80,-0.5,0.25,-2,0.1,0.2", "TP53,90,0.25,0.5,0.5,0.8,0.9")
"""Of the control against the knock-down of STAT1, which lowers STAT1."""
TURNED = {"STAT1": (-2.5, -12.5), "MYC": (0.5, 2.0), "TP53": (-0.25, -0.5)}
NAMED = {"perturbation": '{ value = "STAT1" }', "kind": '"crispri"', "context": '{ value = "K562" }'}


def written(folder, name, contrasts=("",)):
    """Write a table, for each contrast all lines, with a column of contrasts if they have names; and draft its spec."""
    header = f"contrast,{HEADER}" if any(contrasts) else HEADER
    lines = [f"{contrast},{line}" if contrast else line for contrast in contrasts for line in LINES]
    (folder / name).write_text("\n".join([header, *lines]) + "\n")
    draft = draft_spec(inspect_file(folder / name), folder)
    text = draft.text
    for key, value in NAMED.items():
        text = re.sub(rf"# FILL IN: {key} = .*", f"{key} = {value}", text)
    return draft, text


def ingested(folder, text):
    (folder / "spec.toml").write_text(text)
    ingest_dataset(folder / "spec.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        rows = store.frame(
            "select perturbation, gene_symbol, effect, z from signature join condition using (dataset_id, condition_id)"
        ).rows()
    return {(perturbation, gene): (effect, z) for perturbation, gene, effect, z in rows}


def test_sides_in_two_columns__are_a_contrast(tmp_path):
    _, text = written(tmp_path, "results.csv")
    lines = (tmp_path / "results.csv").read_text().splitlines()
    beside = ["numerator,denominator", *["ctrl,STAT1"] * len(LINES)]
    (tmp_path / "results.csv").write_text("\n".join(map(",".join, zip(lines, beside, strict=True))) + "\n")
    with pytest.raises(SpecError, match="got       'ctrl vs STAT1'"):
        ingested(tmp_path, text)
    draft = draft_spec(inspect_file(tmp_path / "results.csv"), tmp_path)
    assert 'effect = "-\\"log2FoldChange\\""  # CHECK' in draft.text


def with_effect(text, effect):
    return re.sub(r"(?m)^effect = .*$", f"effect = {effect}", re.sub(r"(?m)^z = .*\n", "", text))


TABLES = [
    ("control_vs_STAT1.csv", ("",)),
    ("DESeq2_condition_ctrl_vs_STAT1.csv", ("",)),
    ("results.csv", ("control_vs_STAT1",)),
    ("results.csv", ("ctrl vs treated",)),
]


@pytest.mark.parametrize(("name", "contrasts"), TABLES)
def test_draft__turns_the_effects_and_says_so(name, contrasts, tmp_path):
    draft, text = written(tmp_path, name, contrasts)
    assert "table.effect" in draft.doubtful
    assert "is named after the control against what was perturbed" in draft.text.replace("\n#  ", "")
    assert ingested(tmp_path, text) == {("STAT1", gene): pytest.approx(both) for gene, both in TURNED.items()}


@pytest.mark.parametrize(("name", "contrasts"), TABLES)
def test_effect_without_a_sign__is_refused_with_what_to_write(name, contrasts, tmp_path):
    _, text = written(tmp_path, name, contrasts)
    with pytest.raises(SpecError, match=f"got       '{contrasts[0] or name}'") as refused:
        ingested(tmp_path, with_effect(text, "'log2FoldChange'"))
    assert "effect = '-\"log2FoldChange\"'" in str(refused.value.do)
    kept = ingested(tmp_path, with_effect(text, "'+\"log2FoldChange\"'"))
    assert {gene: effect for (_, gene), (effect, _) in kept.items()} == {g: -e for g, (e, _) in TURNED.items()}


def test_some_contrasts_turned__are_refused_with_an_effect_that_is_right_for_each(tmp_path):
    _, text = written(tmp_path, "results.csv", ("control_vs_STAT1", "JAK1_vs_control"))
    text = text.replace('perturbation = "contrast"', 'perturbation = "contrast"\nstrip = "_?(vs|control)_?"')
    with pytest.raises(SpecError) as refused:
        ingested(tmp_path, text)
    effect = re.search(r"effect = ('''.*?''')", str(refused.value.do))[1]
    found = ingested(tmp_path, with_effect(text, effect))
    assert {gene: found["STAT1", gene][0] for gene in TURNED} == {gene: e for gene, (e, _) in TURNED.items()}
    assert {gene: found["JAK1", gene][0] for gene in TURNED} == {gene: -e for gene, (e, _) in TURNED.items()}


@pytest.mark.parametrize("is_turned", [False, True])
def test_matrix__of_contrasts_is_drafted_by_what_was_perturbed_and_refused_the_other_way_round(is_turned, tmp_path):
    names = [f"control_vs_{gene}" if is_turned else f"{gene}_vs_control" for gene in ("STAT1", "JAK1", "MYC")]
    lines = [["gene", *names], *([gene, -1.5, 0.5, at] for at, gene in enumerate(("TP53", "EGFR", "IRF1", "ACTB")))]
    path = tmp_path / "log2fc_contrasts.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in lines) + "\n")
    draft = draft_spec(inspect_file(path), tmp_path)
    assert draft.missing == ("condition.context",)
    text = draft.text.replace("# FILL IN: ", "")
    if is_turned:
        with pytest.raises(SourceFormatError, match="3 rows, such as 'control_vs_JAK1'"):
            ingested(tmp_path, text)
    else:
        found = {key: effect for key, (effect, _) in ingested(tmp_path, text).items()}
        assert (found["STAT1", "TP53"], found["JAK1", "TP53"], found["MYC", "IRF1"]) == (-1.5, 0.5, 2.0)
