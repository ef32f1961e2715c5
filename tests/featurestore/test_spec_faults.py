"""Every fault of a spec says where, what was got, what is right, and the nearest name."""

from __future__ import annotations

import sys
import tomllib

import pytest

from featurestore.errors import SpecError
from featurestore.features.spec import parse_spec as parse_feature_spec
from ingest.spec import parse_spec

DATASET = {"id": '"screen"', "files": '["a.h5ad"]', "values": '"counts"', "assay": '"perturb_seq"'}
LINES = {
    "[genes]\nmax_unmapped = 50": "genes.max_unmapped: expected at most 1, got 50",
    '[genes]\ntranslate_mouse = "yes"': "genes.translate_mouse: expected true or false, got 'yes'",
    '[genes]\nduplicates = "merge"': "genes.duplicates: got 'merge'; known: 'refuse', 'collapse'",
    '[gene]\nid = "symbol"': "gene: unknown key; did you mean 'genes'?",
    '[rows]\njoin = { table = "t.csv", key = "k" }': "rows.join: expected a list, each block of which starts with "
    "[[rows.join]], got one",
    '[[rows.join]]\ntable = "t.csv"': "rows.join 1.key: is missing",
    '[[rows.join]]\ntable = "t.csv"\nkey = ["a"]\non = "b"': "rows.join 1: give as many columns 'on' as of 'key'",
    "[guides]\nmin_count = 0": "guides.min_count: expected at least 1, got 0",
    "[coverage]\nread_length = 0.5": "[coverage] says what a read covers: it goes with values",
    '[context]\nvalue = "K562"': "context: unknown key; it goes under [condition]",
    '[layers]\nse = "x"': "layers.se: unknown key; did you mean 'standard_error'?",
}
TARGET = '[target]\ndataset = "here"\n'
FEATURES = {
    '[[feature]]\ndatasets = ["a"]': "feature 1.kind: is missing; one of signature, response",
    "feature = [3]": "feature, item 1: expected a [section], or { key = ... }, got 3",
    '[feature]\nkind = "signature"': "feature: expected a list, each block of which starts with [[feature]], got one",
    '[[feature]]\nkind = "phenotype"': "feature 1: say where to look: give 'datasets', 'where' or both",
    '[[feature]]\nkind = "signature"\ndatasets = "a"': "feature 1.datasets: expected a list, [\"...\"], got 'a'; write "
    'datasets = ["a"]',
    '[[feature]]\nkind = "signature"\ndatasets = [""]': "feature 1.datasets, item 1: expected a text that is not empty",
    '[[feature]]\nkind = "signature"\ndatasets = ["a"]\nshrinkage = -1': "feature 1.shrinkage: expected more than 0",
    '[[feature]]\nkind = "signature"\ndatasets = ["a"]\nname = "My Block"': "got 'My Block'; write name = \"my_block\"",
    '[[feature]]\nkind = "signature"\ndatasets = ["a"]\nresponders_only = 1': "expected true or false, got 1",
    '[[feature]]\nkind = "embedding"': "feature 1.file: is missing",
    '[[feature]]\nkind = "embedding"\nfiles = "v.csv"': "feature 1.files: unknown key; did you mean 'file'?",
}
CONDITION = {
    "perturbation": '"gene"',
    "kind": '"crispri"',
    "controls": '["non-targeting"]',
    "context": '{ value = "K562" }',
}
SHAPES = '{ value = "..." } or { column = "..." } or { template = "{...}, {...}" }'


def spec(changed: dict[str, str], more: str = "") -> dict:
    """Return the content of a right spec with some keys written otherwise, or not at all, and some lines more."""
    of_dataset = DATASET | {key: value for key, value in changed.items() if key in DATASET}
    of_condition = CONDITION | {key: value for key, value in changed.items() if key not in DATASET}
    lines = [
        "[dataset]",
        *(f"{key} = {value}" for key, value in of_dataset.items() if value),
        "[condition]",
        *(f"{key} = {value}" for key, value in of_condition.items() if value),
        more,
    ]
    return tomllib.loads("\n".join(lines))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"context": '"K562"'},
            f"condition.context: expected {SHAPES}, got 'K562'; write context = {{ value = \"K562\" }}",
        ),
        ({"context": "{}"}, f"condition.context: expected {SHAPES}, got {{}}"),
        (
            {"context": '{ value = "K562", column = "line" }'},
            "condition.context: 'column' and 'value' exclude each other",
        ),
        ({"context": '{ vale = "K562" }'}, "condition.context.vale: unknown key; did you mean 'value'?"),
        ({"values": '"count"'}, "dataset.values: got 'count'; did you mean 'counts'"),
        ({"assay": '"perturbseq"'}, "dataset.assay: got 'perturbseq'; did you mean 'perturb_seq'?"),
        ({"kind": '"CRISPRi"'}, "condition.kind: got 'CRISPRi'; did you mean 'crispri'"),
        ({"kind": ""}, "condition: give either 'kind' or 'kind_column'"),
        ({"controls": '"NT"'}, 'condition.controls: expected a list, ["..."], got \'NT\'; write controls = ["NT"]'),
        ({"controls": "[3]"}, 'condition.controls, item 1: expected "text", got 3'),
        ({"id": '"Replogle K562"'}, "got 'Replogle K562'; write id = \"replogle_k562\""),
        ({"files": "[]"}, "dataset.files: expected at least 1, got []"),
        ({"perturbation": ""}, "condition.perturbation: is missing"),
        ({"perturbation": '["a"]'}, "condition.perturbation: expected at least 2, got ['a']"),
        ({"time": "6"}, 'got 6; write time = { value = 6, unit = "h" }'),
        ({"time": '{ value = -6, unit = "h" }'}, "'time' is a number from 0 up; got -6"),
        ({"dose": '{ value = inf, unit = "uM" }'}, "'dose' is a number from 0 up; got inf"),
        ({"dose": '{ columns = ["a"] }'}, "condition.dose.columns: expected at least 2, got ['a']"),
        ({"time": '{ value = 6, units = "d" }'}, "condition.time.units: unknown key; did you mean 'unit'?"),
        ({"strip": '"(abc"'}, "condition.strip: not a regular expression: missing ), unterminated subpattern"),
        ({"strip": '"(abc"'}, "got '(abc'"),
        ({"min_cells": '"ten"'}, "condition.min_cells: expected a whole number, got 'ten'"),
        ({"replicate": "4"}, 'condition.replicate: expected "..." or ["..."], got 4'),
        ({"files": '[""]'}, "dataset.files, item 1: expected a text that is not empty, got ''"),
        ({"files": "[1]"}, 'dataset.files, item 1: expected "text", got 1'),
        ({"id": "7"}, 'dataset.id: expected "text", got 7'),
        ({"id": '" "'}, "dataset.id: expected a text that is not empty, got ' '"),
        ({"id": f'"{"a" * 200}"'}, f"expected at most 100 characters, got '{'a' * 99}... (202 characters)"),
        ({"assay": "true"}, "dataset.assay: got true; known: 'perturb_seq', 'drug_seq'"),
        ({"kind": '{ value = "crispri" }'}, "condition.kind: got {'value': 'crispri'}; known: 'crispri'"),
        ({"controls": '[["NT"]]'}, "condition.controls, item 1: expected \"text\", got ['NT']"),
        ({"context": '{ value = " " }'}, "condition.context.value: expected a text that is not empty"),
        ({"context": '{ value = "K562", unit = "h" }'}, "condition: 'unit' is for doses and times, not for 'context'"),
        ({"context": '{ column = "line", nominal = true }'}, "'nominal' is for doses, not for 'context'"),
        ({"context": '{ template = "{a" }'}, "condition.context.template: name columns in braces"),
        ({"perturbation": '""'}, "condition.perturbation: expected a text that is not empty, got ''"),
        ({"perturbation": '{ column = "gene" }'}, "condition.perturbation.column: unknown key; known: 'value', 'unit'"),
        ({"dose": '"10uM"'}, "got '10uM'; write dose = { value = \"10uM\" }"),
        ({"min_cells": '"10"'}, "condition.min_cells: expected a whole number, got '10'"),
        ({"min_cells": "2.5"}, "condition.min_cells: expected a whole number, got 2.5"),
        ({"min_cells": "0"}, "condition.min_cells: expected at least 1, got 0"),
        ({"replicate": '""'}, "condition.replicate: expected a text that is not empty, got ''"),
        ({"replicate": "[]"}, "condition.replicate: expected at least 1, got []"),
        ({"separator": '""'}, "condition.separator: expected a text that is not empty, got ''"),
        ({"where": '""'}, "condition.where: expected a text that is not empty, got ''"),
        ({"where": "true"}, 'condition.where: expected "text", got true'),
        ({"batch": '["a"]'}, "condition.batch: expected \"text\", got ['a']"),
        ({"context": '{ value = ["K562"] }'}, "condition.context.value: expected \"...\" or a number, got ['K562']"),
        ({"values": '"UMI"'}, "dataset.values: got 'UMI'; did you mean 'counts'?"),
        ({"kind": '"CRISPR-KO"'}, "condition.kind: got 'CRISPR-KO'; did you mean 'crispr_knockout'?"),
        ({"dose": '"dose_uM"'}, "got 'dose_uM'; write dose = { column = \"dose_uM\" }"),
        ({"batch": "2024-01-01"}, 'condition.batch: expected "text", got 2024-01-01'),
        ({"pooled": '"dose"'}, 'condition.pooled: expected a list, ["..."], got \'dose\'; write pooled = ["dose"]'),
    ],
)
def test_fault__says_where_got_and_expected(changed, said):
    with pytest.raises(SpecError) as caught:
        parse_spec(spec(changed), where="screen.toml")
    assert caught.value.what == "The dataset spec has a fault."
    assert said in caught.value.got


@pytest.mark.parametrize("lines", LINES)
def test_fault__of_a_section_does_too(lines):
    with pytest.raises(SpecError) as caught:
        parse_spec(spec({}, lines), where="screen.toml")
    assert LINES[lines] in caught.value.got
    assert (caught.value.where, "inspect --explain" in caught.value.do) == ("screen.toml", True)


@pytest.mark.parametrize("lines", FEATURES)
def test_fault__of_a_feature_spec_does_too(lines):
    with pytest.raises(SpecError) as caught:
        parse_feature_spec(lines + "\n" + TARGET, where="features.toml")
    assert FEATURES[lines] in caught.value.got
    assert (caught.value.where, "kinds" in caught.value.do) == ("features.toml", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dataset:\n  id: screen", "at line 1, column 8): dataset:"),
        ('[dataset]\nfiles = ["C:\\data\\new.h5ad"]', "single quotes"),
    ],
)
def test_text__that_is_no_toml_is_quoted(text, said):
    with pytest.raises(SpecError) as caught:
        parse_feature_spec(text, where="features.toml")
    assert said in str(caught.value)
    assert (caught.value.where, bool(caught.value.expected), bool(caught.value.do)) == ("features.toml", True, True)


def test_text__that_is_nested_too_deeply_says_so():
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(1000)  # Python's own: libraries raise it
        with pytest.raises(SpecError, match="nested too deeply"):
            parse_feature_spec("x = " + "[" * 3000, where="features.toml")
    finally:
        sys.setrecursionlimit(limit)


def test_faults__are_told_together_and_each_once():
    with pytest.raises(SpecError) as caught:
        parse_spec(spec({"context": '"K562"', "values": '"count"', "kind": '"knockdown"'}, '[conditions]\nx = "y"'))
    assert caught.value.what == "The dataset spec has 4 faults."
    assert [line.strip().partition(":")[0] for line in caught.value.got.splitlines()] == [
        "condition.context",
        "condition.kind",
        "conditions",
        "dataset.values",
    ]


def test_spec__that_is_right_has_no_fault():
    assert parse_spec(spec({})).dataset.id == "screen"
