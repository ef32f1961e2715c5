"""A hundred and more wrong specs, each refused with where, what was got, what is right, and what to do."""

from __future__ import annotations

import tomllib

import pytest

from featurestore.errors import SpecError
from featurestore.features.spec import parse_spec as parse_feature_spec
from ingest.sections import MOST_COMPARISONS
from ingest.spec import parse_spec, read_spec

DATASETS = {
    'values = "Counts "': "dataset.values: got 'Counts '; did you mean 'counts' or 'mean_counts'?",
    'values = ["counts"]': "dataset.values: got ['counts']; did you mean 'counts'?",
    'values = "tpm"': "dataset.values: got 'tpm'; known: 'counts', 'estimated_counts', 'mean_counts', 'log1p',",
    'values = "raw"': "dataset.values: got 'raw'; did you mean 'counts'?",
    'values = "log2fc"': "dataset.values: got 'log2fc'; did you mean 'log2_fold_change'?",
    'values = "bp_coverage"': '[coverage] says what a read covers: it goes with values = "bp_coverage"',
    'values = "gene_effect"': 'condition.perturbation: "columns" goes with a phenotype such as gene_effect',
    'values = "log2_expression"': "condition.batch: name the plate: log2_expression is compared with",
    'assay = "Perturb-seq"': "dataset.assay: got 'Perturb-seq'; did you mean 'perturb_seq'?",
    'assay = "L1000"': "dataset.assay: got 'L1000'; did you mean 'l1000'?",
    'assay = ""': "dataset.assay: got ''; known: 'perturb_seq', 'drug_seq', 'l1000', 'bulk_rna_seq',",
    'files = "a.h5ad"': 'dataset.files: expected a list, ["..."], got \'a.h5ad\'; write files = ["a.h5ad"]',
    'files = { a = "b" }': "dataset.files: expected a list, [\"...\"], got {'a': 'b'}",
    'files = [["a.h5ad"]]': "dataset.files, item 1: expected \"text\", got ['a.h5ad']",
    'id = "a-b"': "dataset.id: expected small letters, digits and _ only, got 'a-b'; write id = \"a_b\"",
    'id = "Ä"': "dataset.id: expected small letters, digits and _ only, got 'Ä'; write id = \"screen\"",
    'id = "a/b"': "dataset.id: expected small letters, digits and _ only, got 'a/b'; write id = \"a_b\"",
    "id =": "dataset.id: is missing",
    "values =": "dataset.values: is missing",
    "assay =": "dataset.assay: is missing",
    "files =": "dataset.files: is missing",
    "controls = []": "condition.controls: name the control labels, or take their rows, such as those without a",
    "controls =": "condition.controls: name the control labels, or take their rows, such as those without a",
    'controls = { value = "NT" }': "condition.controls: expected a list, [\"...\"], got {'value': 'NT'}",
    "context =": "condition.context: is missing",
    "context = 3": 'condition.context: expected { value = "..." } or { column = "..." } or { template = "{...},',
    "context = []": 'condition.context: expected { value = "..." } or { column = "..." } or { template = "{...},',
    'context = ["K562"]': 'condition.context: expected { value = "..." } or { column = "..." } or { template = "{...},',
    "context = { column = 3 }": 'condition.context.column: expected "text", got 3',
    'context = { column = "a", template = "{b}" }': "condition.context: 'column' and 'template' exclude each other",
    'context = { template = "" }': "condition.context.template: expected a text that is not empty, got ''",
    'context = { columns = ["a", "b"] }': "condition.context.columns: unknown key; did you mean 'column'?",
    'kind_column = "k"': "condition: give either 'kind' or 'kind_column'; got both",
    'kind = "knockout"': "condition.kind: got 'knockout'; did you mean 'crispr_knockout'?",
    'kind = "crispr"': "condition.kind: got 'crispr'; did you mean 'crispr_knockout'?",
    "kind = 3": "condition.kind: got 3; known: 'crispri', 'crispra', 'crispr_knockout', 'shrna',",
    'kind = ""': "condition.kind: got ''; known: 'crispri', 'crispra', 'crispr_knockout', 'shrna',",
    "perturbation = 3": 'condition.perturbation: expected { value = "..." } or "..." or ["..."], got 3; write',
    "perturbation = []": "condition.perturbation: expected at least 2, got []",
    'perturbation = ["a", 3]': 'condition.perturbation, item 2: expected "text", got 3',
    'perturbation = "columns"': 'condition.perturbation: "columns" goes with a phenotype such as gene_effect',
    'perturbation = { value = 3, columns = ["a"] }': "perturbation.columns: unknown key; it goes under [rows]",
    'dose = "dose"': 'condition.dose: expected { value = "..." } or { column = "..." } or { columns = ["...", "..."]',
    'dose = { value = -1, unit = "uM" }': "condition: 'dose' is a number from 0 up; got -1",
    'dose = { column = "d", nominal = "yes" }': "condition.dose.nominal: expected true or false, got 'yes'",
    "dose = true": 'condition.dose: expected { value = "..." } or { column = "..." } or { columns = ["...", "..."]',
    'time = "24h"': 'condition.time: expected { value = "..." } or { column = "..." }, got \'24h\'; write time = {',
    'time = { columns = ["a","b"] }': "condition.time.columns: unknown key; did you mean 'column'?",
    'time = { value = nan, unit = "h" }': "condition: 'time' is a number from 0 up; got nan",
    "time = [6]": 'condition.time: expected { value = "..." } or { column = "..." }, got [6]',
    'strip = "["': "condition.strip: not a regular expression: unterminated character set at position 0; got '['",
    'strip = "*"': "condition.strip: not a regular expression: nothing to repeat at position 0; got '*'",
    "strip = 3": 'condition.strip: expected "text", got 3',
    "separator = 3": 'condition.separator: expected "text", got 3',
    'separator = ["+"]': "condition.separator: expected \"text\", got ['+']",
    "min_cells = -1": "condition.min_cells: expected at least 1, got -1",
    "min_cells = true": "condition.min_cells: expected a whole number, got true",
    "min_cells = inf": "condition.min_cells: expected a whole number, got inf",
    'replicate = ["a", ""]': "condition.replicate, item 2: expected a text that is not empty, got ''",
    'replicate = { column = "a" }': "condition.replicate: expected \"...\" or [\"...\"], got {'column': 'a'}",
    "guide = []": 'condition.guide: expected "text", got []',
    'batch = ""': "condition.batch: expected a text that is not empty, got ''",
    "cluster = 1": 'condition.cluster: expected "text", got 1',
    'split = ["a"]': "condition.split: expected \"text\", got ['a']",
    "cells = 3": 'condition.cells: expected "..." or ["..."], got 3',
    "cells = [3]": 'condition.cells, item 1: expected "text", got 3',
    "pooled = [3]": 'condition.pooled, item 1: expected "text", got 3',
    'unassigned = "NA"': 'condition.unassigned: expected a list, ["..."], got \'NA\'; write unassigned = ["NA"]',
    "context_table = 1": 'condition.context_table: expected "text", got 1',
}
SECTIONS = {
    "[genes]\nid = 3": 'genes.id: expected "text", got 3',
    '[genes]\nid = ""': "genes.id: expected a text that is not empty, got ''",
    "[genes]\nwhere = 3": 'genes.where: expected "text", got 3',
    '[genes]\ntable = "g.csv"': "genes: 'table' and 'key' go together",
    '[genes]\nkey = "g"': "genes: 'table' and 'key' go together",
    '[genes]\nabsent = "zero"': "genes.absent: got 'zero'; did you mean 'all_zero'?",
    '[genes]\nmax_unmapped = "half"': "genes.max_unmapped: expected a number, got 'half'",
    "[genes]\nmax_unmapped = -0.1": "genes.max_unmapped: expected at least 0, got -0.1",
    '[genes]\nnotes = "a"': 'genes.notes: expected a list, ["..."], got \'a\'; write notes = ["a"]',
    '[genes]\nsymbols = "a"': "genes.symbols: unknown key; did you mean 'symbol'?",
    "[genes]\nkind = 3": 'genes.kind: expected "text", got 3',
    '[rows]\ntable = "r.csv"': "rows: 'table' and 'key' go together",
    '[rows]\ncolumns = "a"': 'rows.columns: expected a list, ["..."], got \'a\'; write columns = ["a"]',
    '[rows]\nkeys = "a"': "rows.keys: unknown key; did you mean 'key'?",
    "[tags]": "tags.min_count: is missing",
    '[tags]\nmin_count = "3"': "tags.min_count: expected a whole number, got '3'",
    "[guides]\nmin_counts = 3": "guides.min_counts: unknown key; did you mean 'min_count'?",
    '[tokens]\ntokens = "a"': "tokens.values: is missing",
    '[compound]\nsmile = "a"': "compound.smile: unknown key; did you mean 'smiles'?",
    "[compound]\nsmiles = 3": 'compound.smiles: expected "text", got 3',
    '[quality]\npass = "x"': "quality.pass: unknown key; did you mean 'passed'?",
    "[coverage]\nread_length = 100": '[coverage] says what a read covers: it goes with values = "bp_coverage"',
    '[table]\ngene = "g"': "table.effect: is missing",
    "[phenotypes]\nnamed = {}": "phenotypes.named: expected at least 1, got {}",
    "[layers]\nz = 3": 'layers.z: expected "text", got 3',
    '[layers]\npvalue = "p"': "layers.pvalue: unknown key; did you mean 'p_value'?",
    "[extra]\na = 1": "extra: unknown key; known: 'dataset', 'condition', 'rows', 'genes', 'guides', 'tags',",
    "[dataset.logarithm]\nbase = 1": "dataset.logarithm.base: expected more than 1, got 1",
    '[dataset.logarithm]\nbase = "ten"': "dataset.logarithm.base: expected \"e\" or a number, got 'ten'",
    "[dataset.logarithm]\ntotal = 0": "dataset.logarithm.total: expected more than 0, got 0",
    "[condition.dosage]\nvalue = 3": "condition.dosage: unknown key; did you mean 'dose'?",
    "genes = 3": "condition.genes: unknown key; it is a section of its own: [genes]",
    'rows = "r.csv"': "condition.rows: unknown key; it is a section of its own: [rows]",
}
FEATURES = {
    '[[feature]]\nkind = "signatures"\ndatasets = ["a"]': "feature 1.kind: got 'signatures'; did you mean 'signature'?",
    "[[feature]]\nkind = 3": "feature 1.kind: got 3; known: 'signature', 'response', 'neighbours',",
    '[[feature]]\nkind = "signature"\ndatasets = []': "feature 1.datasets: expected at least 1, got []",
    '[[feature]]\nkind = "signature"\ndatasets = [3]': 'feature 1.datasets, item 1: expected "text", got 3',
    '[[feature]]\nkind = "signature"\ndataset = "a"': "feature 1.dataset: unknown key; did you mean 'datasets'?",
    "components = 0": "feature 1.components: expected at least 1, got 0",
    "components = 2.5": "feature 1.components: expected a whole number, got 2.5",
    'components = "8"': "feature 1.components: expected a whole number, got '8'",
    'effect_kind = "lfc"': "feature 1.effect_kind: got 'lfc'; known: 'delta_log1p', 'log2_fold_change', 'moderated_z',",
    'combination = "mean"': "feature 1.combination: got 'mean'; known: 'exact', 'sum'",
    'reduce = "median"': "feature 1.reduce: got 'median'; did you mean 'mean'?",
    '[[feature]]\nkind = "neighbours"\ndatasets = ["a"]\nneighbours = 0': "1.neighbours: expected at least 1, got 0",
    '[[feature]]\nkind = "embedding"\nfile = ""': "feature 1.file: expected a text that is not empty, got ''",
    '[[feature]]\nkind = "embedding"\nfile = "v.csv"\nof = "cell"': "feature 1.of: got 'cell'; known: 'gene', ",
    'where = ""': "feature 1.where: expected a text that is not empty, got ''",
    'genes = "all"': 'feature 1.genes: expected "measured", "shared", { most_variable = 500 }, or a list of gene ids',
    "[split]\nfold = 3": "split.fold: unknown key; did you mean 'folds'?",
    "[split]\nfolds = 1": "split.folds: expected at least 2, got 1",
    '[split]\nby = "gene"': "split.by: got 'gene'; known: 'perturbation_id', 'condition_id', 'context_id', 'cluster'",
    "[split]\nseed = -1": "split.seed: expected at least 0, got -1",
    "[licence]\nallow = []": "licence.allow: expected at least 1, got []",
    '[licence]\nforbid = "CC"': 'licence.forbid: expected a list, ["..."], got \'CC\'; write forbid = ["CC"]',
    '[[allow]]\ntarget = "a"': "allow 1.source: is missing",
    "[features]\na = 1": "features: unknown key; did you mean 'feature'?",
}
TARGETS = {
    '[target]\ndataset = ""': "target.dataset: expected a text that is not empty, got ''",
    "[target]": "target.dataset: is missing",
    '[target]\ndataset = ["a"]': "target.dataset: expected \"text\", got ['a']",
    '[target]\ndataset = "a"\nunit = "pairs"': "target.unit: got 'pairs'; did you mean 'pair'?",
    '[target]\ndataset = "a"\nunit = "pair"': "target: pairs are predicted from calls: set effect_kind = 'de_call'",
    '[target]\ndataset = "a"\nquestion = "changed"': "target: 'question' is asked of pairs: set unit = 'pair'",
    '[target]\ndataset = "a"\nwhere = true': 'target.where: expected "text", got true',
    '[target]\ndatasets = "a"': "target.datasets: unknown key; did you mean 'dataset'?",
}
DATASET = {"id": '"screen"', "files": '["a.h5ad"]', "values": '"counts"', "assay": '"perturb_seq"'}
CONDITION = {
    "perturbation": '"gene"',
    "kind": '"crispri"',
    "controls": '["non-targeting"]',
    "context": '{ value = "K562" }',
}
SIGNATURE = '[[feature]]\nkind = "signature"\ndatasets = ["a"]\n'
TARGET = '[target]\ndataset = "here"\n'


def written(line: str = "", more: str = "") -> str:
    """Write a right spec with one key written otherwise, or left out, and some lines more."""
    key, _, value = (part.strip() for part in line.partition("="))
    of_dataset, of_condition = DATASET | ({key: value} if key in DATASET else {}), dict(CONDITION)
    if key and key not in DATASET:
        of_condition[key] = value
    sections = (f"{name} = {text}" for name, text in of_dataset.items() if text)
    condition = (f"{name} = {text}" for name, text in of_condition.items() if text)
    return "\n".join(["[dataset]", *sections, "[condition]", *condition, more, ""])


def refused(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_spec(tomllib.loads(text), where="screen.toml")
    assert (caught.value.where, "inspect --explain" in caught.value.do) == ("screen.toml", True)
    return caught.value


def refused_features(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_feature_spec(text, where="features.toml")
    assert (caught.value.where, "kinds" in caught.value.do) == ("features.toml", True)
    return caught.value


@pytest.mark.parametrize("line", DATASETS)
def test_wrong__key_of_a_dataset(line):
    assert DATASETS[line] in refused(written(line)).got


@pytest.mark.parametrize("lines", SECTIONS)
def test_wrong__section_of_a_dataset(lines):
    assert SECTIONS[lines] in refused(written(more=lines)).got


@pytest.mark.parametrize("lines", FEATURES)
def test_wrong__feature(lines):
    before = "" if lines.startswith("[[feature]]") else SIGNATURE
    assert FEATURES[lines] in refused_features(f"{before}{lines}\n{TARGET}").got


@pytest.mark.parametrize("lines", TARGETS)
def test_wrong__target(lines):
    assert TARGETS[lines] in refused_features(SIGNATURE + lines).got


PLACES = {
    'title = "t"': "condition.title: unknown key; did you mean 'time'? 'title' is a key of [dataset]",
    'controls = ["nt"]\nunassigned = ["nt"]': "condition: a label is a control or unassigned; got 'nt' in both",
    'controls = ["nt"]\nunassigned = ["nt ", "x"]': "got 'nt' in both",
    "genes = 1": "condition.genes: unknown key; it is a section of its own: [genes]",
}
EXTRACTS = ("(?P<line", "^x_(.*)", "[")


@pytest.mark.parametrize("lines", PLACES)
def test_wrong__place_of_a_key(lines):
    spec = written() if "controls" not in lines else written("controls =")
    assert PLACES[lines] in refused(spec.replace("[condition]", f"[condition]\n{lines}")).got


@pytest.mark.parametrize("pattern", EXTRACTS)
def test_wrong__pattern_shows_what_was_got_and_one_that_is_right(pattern):
    error = refused(written(more=f"[rows]\nextract = {{ name = '{pattern}' }}"))
    assert "rows.extract: the pattern of 'name' is not a regular expression with named groups" in error.got
    assert f"expected one such as '^(?P<line>[^_]+)_', got {pattern!r}" in error.got


def test_wrong__spec_of_the_other_kind():
    with pytest.raises(SpecError) as caught:
        parse_spec(tomllib.loads(SIGNATURE + TARGET))
    assert caught.value.do == "this is a spec of features: featurestore build SPEC.toml -o FOLDER"
    with pytest.raises(SpecError) as caught:
        parse_feature_spec(written())
    assert caught.value.do == "this is a spec of a dataset: featurestore ingest SPEC.toml"


@pytest.mark.parametrize("key", ["where", "control_where"])
def test_wrong__condition_of_many_comparisons(key):
    joined = " or ".join(["guide = 'this or that'"] * (MOST_COMPARISONS + 1))
    error = refused(written(f'{key} = "{joined}"'))
    assert f"at most {MOST_COMPARISONS} comparisons are joined by 'and' or 'or', and these are 301" in error.got
    assert "column in ('a', 'b', ...)" in error.got
    kept = " or ".join(["guide = 'this or that'"] * MOST_COMPARISONS)
    assert getattr(parse_spec(tomllib.loads(written(f'{key} = "{kept}"'))).condition, key) == kept


def test_right__with_a_byte_order_mark(tmp_path):
    path = tmp_path / "screen.toml"
    path.write_text("\ufeff" + written(), encoding="utf-8")
    assert read_spec(path).dataset.id == "screen"
