"""The feature spec: what it fills in, and that it names every fault at once."""

import pytest

from featurestore.errors import SpecError
from featurestore.features.spec import FeatureSpec, parse_spec, read_spec
from ingest.spec import SPECS
from ingest.spec import read_spec as read_dataset_spec

SHORT = """
[target]
dataset = "here"

[[feature]]
kind = "signature"
datasets = ["elsewhere"]
"""


def faults(text):
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    return caught.value


def test_spec__fills_in_the_rest():
    spec = parse_spec(SHORT)
    assert spec.target.effect_kind == "delta_log1p"
    assert spec.target.where is None
    assert spec.feature[0].genes == "measured"
    assert spec.feature[0].components is None
    assert spec.feature[0].block == "signature"
    assert (spec.split.by, spec.split.folds, spec.split.seed) == ("perturbation_id", 5, 0)
    assert spec.snapshot is None


def test_spec__may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SHORT, encoding="utf-8-sig")
    assert read_spec(path) == parse_spec(SHORT)
    dataset = tmp_path / "dataset.toml"
    text = (SPECS / "adamson_2016_pilot.toml").read_text(encoding="utf-8")
    dataset.write_text(text, encoding="utf-8-sig")
    assert read_dataset_spec(dataset) == read_dataset_spec(SPECS / "adamson_2016_pilot.toml")


def test_spec__reads_every_key():
    spec = parse_spec(
        """
        name = "all_keys"
        snapshot = 42
        [target]
        dataset = "here"
        where = "is_responder"
        effect_kind = "log2_fold_change"
        unit = "condition"
        [[feature]]
        kind = "signature"
        name = "near"
        datasets = ["elsewhere"]
        where = "n_cells > 10"
        effect_kind = "moderated_z"
        components = 20
        genes = ["TP53", "ENSG00000141510"]
        [split]
        by = "context_id"
        folds = 3
        seed = 7
        """
    )
    assert (spec.name, spec.snapshot, spec.target.where) == ("all_keys", 42, "is_responder")
    assert spec.feature[0].genes == ["TP53", "ENSG00000141510"]
    assert (spec.feature[0].block, spec.feature[0].components) == ("near", 20)
    assert (spec.split.by, spec.split.folds, spec.split.seed) == ("context_id", 3, 7)


def test_spec__lists_every_fault_with_its_place_and_the_nearest_name():
    error = faults(
        """
        nam = "x"
        [target]
        wher = "a"
        effect_kind = "delta_logp"
        [[feature]]
        kind = "phenotyp"
        datasets = ["a"]
        [[feature]]
        kind = "signature"
        componentz = 3
        components = 0
        datasets = ["a"]
        genes = "all"
        [split]
        folds = "five"
        """
    )
    assert error.what == "The feature spec has 9 faults."
    for line in (
        "nam: unknown key; did you mean 'name'?",
        "target.wher: unknown key; did you mean 'where'?",
        "target.dataset: is missing",
        "target.effect_kind: got 'delta_logp'; did you mean 'delta_log1p'?",
        "feature 1.kind: got 'phenotyp'; did you mean 'phenotype'?",
        "feature 2.componentz: unknown key; did you mean 'components'?",
        "feature 2.components: expected at least 1, got 0",
        'feature 2.genes: expected "measured", "shared", { most_variable = 500 }, or a list of gene ids or symbols',
        "or symbols, got 'all'",
        "split.folds: expected a whole number, got 'five'",
    ):
        assert line in error.got


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[target]\ndataset = "a"', "feature: is missing"),
        ('[target]\ndataset = "a"\n[feature]\nkind = "signature"', "starts with [[feature]]"),
        ('feature = []\n[target]\ndataset = "a"', "feature: expected at least 1, got []"),
        (SHORT.replace('datasets = ["elsewhere"]', ""), "feature 1: say where to look"),
        (SHORT.replace("here", "here\nunit"), "not TOML"),
    ],
)
def test_spec__says_what_is_wrong(text, part):
    assert part in str(faults(text))


def test_read_spec__refuses_two_files_of_one_name_and_two_licences_of_one_file(tmp_path):
    path = tmp_path / "features.toml"

    def embeddings(*lines):
        blocks = (f'[[feature]]\nkind = "embedding"\nname = "e{i}"\n{line}\n' for i, line in enumerate(lines))
        path.write_text('[target]\ndataset = "a"\n' + "".join(blocks))
        return read_spec(path)

    same = embeddings(
        'file = "esm2/vectors.csv"', f'file = "{tmp_path}/go/../esm2/vectors.csv"', 'file = "go/terms.csv"'
    )
    assert [feature.name for feature in same.feature] == ["e0", "e1", "e2"]
    with pytest.raises(SpecError) as caught:
        embeddings(
            'file = "esm2/v.csv"\nlicence = "MIT"', 'file = "go/v.csv"', 'file = "esm2/v.csv"\nlicence = "CC0-1.0"'
        )
    assert [line.strip() for line in caught.value.got.splitlines()] == [
        "feature 2.file: feature 1 has another file named 'v.csv': rename one of them",
        "feature 3.licence: 'v.csv' has two licences: MIT in feature 1, CC0-1.0 here",
    ]


def test_read_spec__returns_a_spec_as_it_is_and_reads_a_path(tmp_path):
    path = tmp_path / "features.toml"
    path.write_text(SHORT)
    spec = read_spec(path)
    assert isinstance(spec, FeatureSpec)
    assert read_spec(spec) is spec
    assert read_spec(str(path)) == spec


def test_read_spec__names_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xb5"')
    with pytest.raises(SpecError, match="not text in UTF-8"):
        read_spec(tmp_path / "latin.toml")
