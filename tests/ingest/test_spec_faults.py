"""Every fault of a dataset spec says where, what was got, what is right, and the nearest name."""

from __future__ import annotations

import tomllib

import pytest

from featurestore.errors import SpecError
from ingest.spec import parse_spec

DATASET = {"id": '"screen"', "files": '["a.h5ad"]', "values": '"counts"', "assay": '"perturb_seq"'}
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
    ],
)
def test_fault__says_where_got_and_expected(changed, said):
    with pytest.raises(SpecError) as caught:
        parse_spec(spec(changed), where="screen.toml")
    assert caught.value.what == "The dataset spec has a fault."
    assert said in caught.value.got


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
