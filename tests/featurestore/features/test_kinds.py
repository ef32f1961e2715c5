"""Every kind of feature on effects that are known."""

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from featurestore.errors import FeatureError, LeakageError, SpecError
from featurestore.features.blocks import by_kind
from featurestore.features.builder import build
from featurestore.features.kinds import KINDS, PAIR_KINDS
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.pairs import lineage
from featurestore.features.plan import plan
from featurestore.features.spec import parse_spec, read_spec
from featurestore.features.transformer import SignatureFeatures

TARGET = '[target]\ndataset = "target"\n'
SPLIT = "\n[split]\nfolds = 3\n"


def spec_of(*features, target=TARGET, more=SPLIT):
    return parse_spec(target + "".join(f"[[feature]]\n{feature}\n" for feature in features) + more)


def external(kind, *lines):
    return "\n".join((f'kind = "{kind}"', 'datasets = ["external"]', *lines))


def effects_of(store, dataset, context):
    query = """
        select condition_id, gene_id, effect from signature join condition using (dataset_id, condition_id)
        where dataset_id = $d and context_label = $c
    """
    return {(c, g): e for c, g, e in store.frame(query, {"d": dataset, "c": context}).iter_rows()}


def test_response__is_how_the_target_gene_responds_to_others(two_datasets, gene_ids):
    matrix = build(two_datasets, spec_of(external("response", "where = \"context_label = 'B'\"")))
    measured = effects_of(two_datasets, "external", "B")
    labels = matrix.rows["perturbation_label"].to_list()
    name = "response/external/CVCL_B/G9/B/crispri"
    column = matrix.columns["name"].to_list().index(name)
    assert matrix.X[labels.index("G7"), column] == pytest.approx(measured["G9/B/crispri", gene_ids[7]])
    assert np.isnan(matrix.X[labels.index("G2")]).all(), "gene 2 is not measured there"
    assert np.isfinite(matrix.X[labels.index("G5")]).all()
    assert matrix.manifest["guard"]["lookalikes"][0]["n_compared"] == 8


def test_response__components_are_over_the_genes_of_the_source(two_datasets):
    feature = external("response", "where = \"context_label = 'B'\"", "components = 3")
    plain = build(two_datasets, spec_of(external("response", "where = \"context_label = 'B'\"")))
    matrix = build(two_datasets, spec_of(feature))
    assert matrix.X.shape == (12, 3)
    assert matrix.manifest["sources"][0]["n_features"] == 3
    np.testing.assert_array_equal(matrix.mask.all(axis=1), plain.mask.all(axis=1))


def nearest(store, label, n, contexts="BC"):
    """By plain NumPy: the perturbations most alike one over the contexts, with how alike they are."""
    names = [f"G{i}" for i in range(4, 16)]
    total = np.zeros(len(names))
    for context in contexts:
        effects = effects_of(store, "external", context)
        genes = sorted({gene for _, gene in effects})
        values = np.array([[effects[f"{name}/{context}/crispri", gene] for gene in genes] for name in names])
        values -= values.mean(axis=0)
        own = np.array([[int(gene[-3:]) == int(name[1:]) + 1 for gene in genes] for name in names])
        for at in range(len(names)):
            shared = ~own[at] & ~own[names.index(label)]
            one, other = values[names.index(label), shared], values[at, shared]
            total[at] += one @ other / np.sqrt((one @ one) * (other @ other)) / len(contexts)
    total[names.index(label)] = 0
    order = [at for at in np.argsort(-total)[:n] if total[at] > 0]
    return [names[at] for at in order], total[order]


def test_neighbours__are_those_most_alike_over_all_sources(two_datasets, gene_ids):
    matrix = build(two_datasets, spec_of(external("neighbours", "neighbours = 3")))
    labels, blocks = (
        matrix.rows["perturbation_label"].to_list(),
        ("neighbours/external/CVCL_B", "neighbours/external/CVCL_C"),
    )
    assert np.isnan(matrix.X[labels.index("G2")]).all(), "nobody saw it"
    for label in ("G5", "G9"):
        names, weights = nearest(two_datasets, label, 3)
        symbols = [f"S{int(name[1:]) + 1:03}" for name in names]
        for block, context in zip(blocks, "BC", strict=True):
            effects = effects_of(two_datasets, "external", context)
            expected = sum(
                w * effects[f"{name}/{context}/crispri", gene_ids[20]] for name, w in zip(names, weights, strict=True)
            )
            column = matrix.columns["name"].to_list().index(f"{block}/{gene_ids[20]}")
            assert matrix.X[labels.index(label), column] == pytest.approx(expected / weights.sum(), rel=1e-4)
            assert matrix.rows[f"rule/{block}"][labels.index(label)] == f"3 most alike: {', '.join(symbols)}"
    assert matrix.manifest["guard"]["lookalikes"][0]["n_compared"] == 8


def test_neighbours__do_not_change_with_the_other_rows_or_their_answers(two_datasets):
    feature = external("neighbours", "components = 3")
    whole = build(two_datasets, spec_of(feature))
    few = build(two_datasets, spec_of(feature, target=TARGET + "where = \"perturbation_label in ('G5','G6','G7')\"\n"))
    at = [whole.rows["condition_id"].to_list().index(each) for each in few.rows["condition_id"]]
    np.testing.assert_array_equal(few.X, whole.X[at])
    names = SignatureFeatures(two_datasets, [{"kind": "neighbours", "datasets": ["external"], "components": 3}])
    found = names.fit(["S005", "S006"]).transform(["S007"])
    np.testing.assert_allclose(found[0], few.X[few.rows["perturbation_label"].to_list().index("G6")], rtol=1e-5)


def test_neighbours__are_guarded_planned_and_recorded_as_any_source(two_datasets):
    with pytest.raises(LeakageError, match="the experiment that it is to predict"):
        build(two_datasets, spec_of('kind = "neighbours"\ndatasets = ["target"]'))
    spec = spec_of(external("neighbours", "neighbours = 3"))
    matrix = build(two_datasets, spec)
    assert {source["neighbours"] for source in matrix.manifest["sources"]} == {3}
    assert set(matrix.columns["kind"]) == {"neighbours"}
    planned = plan(two_datasets, spec)
    assert planned.sources["n_rows_covered"].to_list() == [8, 8]
    assert matrix.mask.any(axis=1).sum() == 8


def test_neighbours__may_be_those_that_another_source_found(writer, make_condition, gene_ids):
    """G0 was not done in 'third'; that it is like G1 is known from 'second', so it has G1's effect in 'third'."""
    rng = np.random.default_rng(3)
    writer.dataset("target", [make_condition(f"G{i}", "A") for i in range(6)], rng.normal(size=(6, 30)))
    effects = rng.normal(size=(6, 30))
    effects[0] = effects[1] + 0.01 * rng.normal(size=30)
    writer.dataset("second", [make_condition(f"G{i}", "B") for i in range(6)], effects)
    writer.dataset("third", [make_condition(f"G{i}", "C") for i in range(1, 6)], effects[1:] + 1)
    with writer.open() as store:
        feature = 'kind = "neighbours"\ndatasets = ["second", "third"]\nneighbours = 1'
        matrix = build(store, spec_of(feature))
    row = matrix.X[matrix.rows["perturbation_label"].to_list().index("G0")]
    column = matrix.columns["name"].to_list().index(f"neighbours/third/CVCL_C/{gene_ids[20]}")
    assert row[column] == pytest.approx(effects[1, 20] + 1, rel=1e-5)
    assert matrix.rows["rule/neighbours/third/CVCL_C"][0] == "1 most alike: S002"


def test_neighbours__are_not_told_by_a_source_of_two_perturbations(writer, make_condition, gene_ids):
    """About their mean two are opposites, however alike: only 'second' tells that G0 and G1 are."""
    rng = np.random.default_rng(3)
    effects = rng.normal(size=(6, 30))
    effects[0] = effects[1] + 0.01 * rng.normal(size=30)
    writer.dataset("target", [make_condition(f"G{i}", "A") for i in (0, 7)], rng.normal(size=(2, 30)))
    writer.dataset("second", [make_condition(f"G{i}", "B") for i in range(6)], effects)
    writer.dataset("third", [make_condition(f"G{i}", "C") for i in range(2)], effects[:2])
    writer.dataset("fourth", [make_condition("G0", "D")], effects[:1])
    with writer.open() as store:
        feature = 'kind = "neighbours"\ndatasets = ["second", "third", "fourth"]\nneighbours = 1'
        matrix = build(store, spec_of(feature, more="\n[split]\nfolds = 2\n"))
    assert matrix.rows["rule/neighbours/third/CVCL_C"].to_list() == ["1 most alike: S002", None]
    column = matrix.columns["name"].to_list().index(f"neighbours/third/CVCL_C/{gene_ids[20]}")
    assert matrix.X[0, column] == pytest.approx(effects[1, 20], rel=1e-5)
    reasons = {source["source"]: source.get("skipped") for source in matrix.manifest["sources"]}
    assert reasons["neighbours/fourth/CVCL_D"] == "it has nothing that is known to be like a row's perturbation"


@pytest.fixture
def depmap(writer, make_condition):
    """Gene effect of twenty-five genes in lines X, Y and Z, and signatures of the same genes."""
    rng = np.random.default_rng(0)
    n = 25
    inside = [make_condition(f"G{i}", "A") for i in range(n)]
    writer.dataset("target", inside, rng.normal(size=(n, 30)))
    conditions = [make_condition(f"G{i}", line, kind="crispr_knockout") for line in "XYZ" for i in range(n)]
    values = rng.normal(size=3 * n)
    values[2 * n :] = values[n : 2 * n] + 0.01 * rng.normal(size=n)
    phenotype = pl.DataFrame({"condition_index": range(3 * n), "phenotype": ["gene_effect"] * 3 * n, "value": values})
    writer.dataset("external", conditions, np.full((3 * n, 30), np.nan), phenotype=phenotype)
    with writer.open() as store:
        yield store, values.reshape(3, n)


def test_phenotype__is_the_profile_of_the_target_gene_across_lines(depmap):
    store, values = depmap
    matrix = build(store, spec_of(external("phenotype", "where = \"context_label <> 'Z'\"")))
    assert matrix.columns["name"].to_list() == [f"phenotype/external/gene_effect/CVCL_{line}" for line in "XY"]
    labels = matrix.rows["perturbation_label"].to_list()
    expected = [[values[line, int(label[1:])] for line in range(2)] for label in labels]
    np.testing.assert_allclose(matrix.X, expected, rtol=1e-6)
    assert matrix.rows["rule/phenotype/external"].unique().to_list() == ["same direction"]


PREDICT = '[target]\ndataset = "external"\nphenotype = "gene_effect"\nwhere = "context_label = \'Y\'"\n'


def test_phenotype__can_be_predicted_from_signatures(depmap):
    store, values = depmap
    matrix = build(store, spec_of('kind = "signature"\ndatasets = ["target"]\ncomponents = 4', target=PREDICT))
    assert matrix.X.shape == (25, 4)
    order = [int(label[1:]) for label in matrix.rows["perturbation_label"]]
    np.testing.assert_allclose(matrix.Y[:, 0], values[1, order], rtol=1e-6)
    assert matrix.genes["gene_id"].to_list() == ["gene_effect"]
    with pytest.raises(FeatureError, match="phenotypes of the dataset: gene_effect"):
        build(store, spec_of('kind = "context"', target=PREDICT.replace('= "gene_effect', '= "viability')))


def test_phenotype__a_column_that_is_the_answer_is_refused(depmap):
    store, _ = depmap
    others = external("phenotype", "where = \"context_label <> 'Y'\"")
    with pytest.raises(LeakageError, match="column gene_effect/CVCL_Z"):
        build(store, spec_of(others, target=PREDICT))
    with pytest.raises(LeakageError, match="looks in the experiment"):
        build(store, spec_of(external("phenotype"), target=PREDICT))
    allow = '\n[[allow]]\ntarget = "external:CVCL_Y"\nsource = "external:CVCL_Z"\nreason = "a sister line"\n'
    matrix = build(store, spec_of(others, target=PREDICT, more=SPLIT + allow))
    assert matrix.manifest["guard"]["lookalikes"][0]["n_allowed"] == 1


@pytest.fixture
def readouts(writer, make_condition):
    """Write a dataset of gene effects of 28 genes, shape (contexts, genes), or (contexts, genes, doses)."""

    def readouts(dataset, values, contexts="ABC", genes=28):
        flat = values.reshape(len(values), genes, -1)
        conditions = [
            make_condition(f"G{i}", line, kind="crispr_knockout", cells=None) | {"condition_id": f"{line}/{i}/{dose}"}
            for line in contexts[: len(values)]
            for i in range(genes)
            for dose in range(flat.shape[2])
        ]
        n = len(conditions)
        phenotype = pl.DataFrame(
            {"condition_index": range(n), "phenotype": ["gene_effect"] * n, "value": values.ravel()}
        )
        writer.dataset(dataset, conditions, np.full((n, 30), np.nan), phenotype=phenotype)

    return readouts


PREDICT_ALL = '[target]\ndataset = "target"\nphenotype = "gene_effect"\n'


@pytest.mark.parametrize("shape", [(1, 28), (2, 28), (3, 28), (3, 28, 4)], ids=["1 line", "2", "3", "3 lines, 4 doses"])
def test_phenotype__a_copy_of_several_lines_is_refused(writer, readouts, shape):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(28, 1) if len(shape) > 2 else 28) + 0.5 * rng.normal(size=shape)
    readouts("target", truth)
    readouts("external", truth + 1e-3 * rng.normal(size=shape))
    with writer.open() as store:
        with pytest.raises(LeakageError, match="column gene_effect/CVCL_A") as caught:
            build(store, spec_of(external("phenotype"), target=PREDICT_ALL))
        assert caught.value.got == "28 perturbations nearly identical"


def test_phenotype__the_same_lines_in_another_laboratory_are_welcome(writer, readouts):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=28) + 0.3 * rng.normal(size=(3, 28))
    readouts("target", truth)
    again = truth + 0.3 * rng.normal(size=truth.shape)
    readouts("external", again)
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(truth, again, strict=True)) > 0.9
    with writer.open() as store:
        matrix = build(store, spec_of(external("phenotype"), target=PREDICT_ALL))
    verdict = {"source": "phenotype/external", "n_compared": 12, "n_alike": 0, "n_allowed": 0}
    assert matrix.manifest["guard"]["lookalikes"] == [verdict], "three columns with three lines and their mean"


def test_phenotype__a_copy_without_contexts_is_refused(writer, readouts, make_condition):
    values = np.random.default_rng(0).normal(size=28)
    readouts("target", values[None])
    conditions = [
        make_condition(f"G{i}", kind="crispr_knockout", experiment="x") | {"context_id": None} for i in range(28)
    ]
    phenotype = pl.DataFrame({"condition_index": range(28), "phenotype": ["gene_effect"] * 28, "value": values})
    writer.dataset("external", conditions, np.full((28, 30), np.nan), phenotype=phenotype)
    with writer.open() as store, pytest.raises(LeakageError, match="column gene_effect/none"):
        build(store, spec_of(external("phenotype"), target=PREDICT_ALL))


@pytest.fixture
def with_controls(writer, make_condition, gene_ids):
    """A target in lines A and B, whose controls express gene i at i (A) and 2 i (B) in ten cells; gene 9 is in none."""
    conditions = [make_condition("ctrl", line, kind="control", genes=[], cells=10) for line in "AB"]
    conditions += [make_condition(label, line) for line in "AB" for label in ("G1", "G2", "G3", "G4+G6", "G4+G9")]
    genes = np.arange(len(gene_ids))
    sums = pl.DataFrame(
        {
            "condition_index": np.repeat([0, 1], len(genes)),
            "gene_index": np.tile(genes, 2),
            "sum_log1p": 10.0 * np.concatenate([genes, 2 * genes]),
            "n_expressing": np.minimum(np.concatenate([genes, genes]), 10),
        }
    ).filter(pl.col("gene_index") != 9)
    writer.dataset("target", conditions, np.ones((12, 30)), statistics=sums)
    with writer.open() as store:
        yield store


def test_context__is_the_expression_of_the_rows_own_controls(with_controls, gene_ids):
    matrix = build(with_controls, spec_of(f'kind = "context"\ngenes = ["{gene_ids[7]}", "{gene_ids[3]}"]'))
    assert matrix.columns["gene_id"].to_list() == [gene_ids[3], gene_ids[7]]
    lines = matrix.rows["context_label"].to_list()
    assert {line: tuple(x) for line, x in zip(lines, matrix.X.tolist(), strict=True)} == {"A": (3, 7), "B": (6, 14)}
    assert matrix.manifest["sources"][0]["effect_kind"] == "mean_log1p"


def test_target_expression__is_that_of_the_perturbed_genes(with_controls):
    matrix = build(with_controls, spec_of('kind = "target_expression"'))
    found = dict(zip(matrix.rows["condition_id"], matrix.X.tolist(), strict=True))
    assert found["G3/A/crispri"] == pytest.approx([3.0, 0.3])
    assert found["G3/B/crispri"] == pytest.approx([6.0, 0.3])
    assert found["G4+G6/A/crispri"] == pytest.approx([5.0, 0.5]), "the mean of two targets"
    assert np.isnan(found["G4+G9/A/crispri"]).all(), "gene 9 was not measured: gene 4 alone is no mean of both"


def test_context__without_controls_says_so(two_datasets):
    manifest = build(two_datasets, spec_of('kind = "context"', external("signature"))).manifest
    assert manifest["sources"][0]["skipped"] == "the rows' contexts have no controls with cells"


def write_embedding(folder, form, keys, vectors):
    path = folder / f"vectors.{form}"
    frame = pl.DataFrame({"gene": keys} | {f"v{i}": vectors[:, i] for i in range(vectors.shape[1])})
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "csv":
        frame.write_csv(path)
    else:
        np.savez(path, ids=np.array(keys), vectors=vectors)
    return path


@pytest.mark.parametrize("form", ["parquet", "csv", "npz"])
def test_embedding__is_keyed_by_any_name_and_says_what_did_not_map(two_datasets, tmp_path, gene_ids, form):
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    keys = [gene_ids[2], f"{gene_ids[3]}.7", "S005", "s006", "NOSUCH"]
    write_embedding(tmp_path, form, keys, vectors)
    (tmp_path / "features.toml").write_text(
        f'{TARGET}[[feature]]\nkind = "embedding"\nfile = "vectors.{form}"\nlicence = "MIT"\n{SPLIT}'
    )
    matrix = build(two_datasets, read_spec(tmp_path / "features.toml"))
    labels = matrix.rows["perturbation_label"].to_list()
    found = {label: x for label, x in zip(labels, matrix.X.tolist(), strict=True) if np.isfinite(x).all()}
    assert found == {"G2": [0, 1], "G3": [2, 3], "G4": [4, 5], "G5": [6, 7]}
    facts = matrix.manifest["sources"][0]
    assert facts["keys"]["not_mapped"] == {"NOSUCH": "unmapped"}
    assert facts["keys"]["by_method"] == {"approved symbol": 2, "gene id": 2}
    assert matrix.manifest["licences"][f"file:vectors.{form}"] == "MIT"
    assert not matrix.covered.any(), "a vector is no experiment"
    assert str(tmp_path) not in str(matrix.manifest)


def test_embedding__of_gene_sets_says_which_a_gene_is_in(two_datasets, tmp_path, gene_ids):
    sets = {"A": ["S003", gene_ids[2], "S005"], "B/C": ["S005", "s006"], "alone": ["S002"], "again": ["S006", "S006"]}
    lines = ["\t".join([name, "what it is", *members]) for name, members in sets.items()]
    (tmp_path / "sets.gmt").write_text("\n".join(lines))
    (tmp_path / "features.toml").write_text(f'{TARGET}[[feature]]\nkind = "embedding"\nfile = "sets.gmt"\n{SPLIT}')
    matrix = build(two_datasets, read_spec(tmp_path / "features.toml"))
    assert matrix.columns["name"].to_list() == ["embedding/A", "embedding/B/C"]
    labels = matrix.rows["perturbation_label"].to_list()
    found = {label: x for label, x in zip(labels, matrix.X.tolist(), strict=True) if np.isfinite(x).any()}
    assert found == {"G2": [1, 0], "G4": [1, 1], "G5": [0, 1]}
    assert matrix.manifest["sources"][0]["keys"]["n_merged"] == 1


@pytest.mark.parametrize("components", ["", "components = 2"])
def test_features__of_both_describe_measured_genes_as_those_that_are_perturbed(two_datasets, tmp_path, components):
    sets = {"A": ("S003", "S005", "S030"), "B": ("S005", "S006"), "C": ("S007", "S003", "S029")}
    text = "".join("\t".join([name, "", *members]) + "\n" for name, members in sets.items())
    (tmp_path / "sets.gmt").write_text(text)
    features = [
        external("signature"),
        f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"\nof = "both"\n{components}',
        external("response", "where = \"context_label = 'B'\"", 'of = "both"', components),
    ]
    spec = spec_of(*features)
    matrix = build(two_datasets, spec)
    described = matrix.of_genes.drop("gene_id")
    names = matrix.columns.filter(pl.col("kind") != "signature")["name"].to_list()
    assert described.columns == names
    place = {gene: i for i, gene in enumerate(matrix.of_genes["gene_id"])}
    assert list(place) == matrix.genes["gene_id"].to_list()
    values, columns = described.to_numpy(), [matrix.columns["name"].to_list().index(name) for name in names]
    of_targets = values[[place[genes[0]] for genes in matrix.rows["target_gene_ids"]]]
    np.testing.assert_array_equal(matrix.X[:, columns], of_targets)
    n_known = {"embedding": 6, "response": 25}
    for source in matrix.manifest["sources"]:
        assert source.get("n_genes_covered") == n_known.get(source["kind"])
    assert np.isfinite(values).any(axis=1).sum() > np.isfinite(of_targets).any(axis=1).sum(), "others are measured too"
    (block,) = plan(two_datasets, spec).facts["own_blocks"]
    assert (block["n_rows_covered"], block["n_genes_covered"]) == (4, 6)

    matrix.write(tmp_path / "matrix")
    again = FeatureMatrix.read(tmp_path / "matrix")
    assert again.of_genes.equals(matrix.of_genes)
    assert again.manifest == matrix.manifest
    build(two_datasets, spec_of(external("signature"))).write(tmp_path / "matrix")
    assert FeatureMatrix.read(tmp_path / "matrix").of_genes.width == 0


def test_features__of_every_kind_that_looks_elsewhere_do_not_change_with_the_answers(writer, make_condition, tmp_path):
    rng = np.random.default_rng(3)
    (tmp_path / "sets.gmt").write_text("A\t\tS003\tS005\tS030\nB\t\tS005\tS006\nC\t\tS007\tS003\n")
    inside = [make_condition(f"G{i}", "A") for i in range(12)]
    answers = rng.normal(size=(12, 30))
    writer.dataset("target", inside, answers)
    writer.dataset("poisoned", inside, 1e3 * rng.normal(size=answers.shape))
    writer.dataset(
        "external", [make_condition(f"G{i}", c) for c in "BC" for i in range(4, 16)], rng.normal(size=(24, 30))
    )
    both = 'of = "both"\ncomponents = 2'
    features = [
        external("signature"),
        external("signature", 'name = "mean"', 'average = "equal"'),
        external("neighbours"),
        external("response", both),
        f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"\n{both}',
    ]
    with writer.open() as store:
        made, poisoned = (
            build(store, spec_of(*features, target=f'[target]\ndataset = "{name}"\n'))
            for name in ("target", "poisoned")
        )
    assert not np.array_equal(made.Y, poisoned.Y)
    np.testing.assert_array_equal(made.X, poisoned.X)
    np.testing.assert_array_equal(made.elsewhere, poisoned.elsewhere)
    assert made.of_genes.equals(poisoned.of_genes)
    assert made.of_genes.width == 1 + 2 * 2 + 2, "two sources' responses, and the sets"


def test_features__of_both_are_asked_of_conditions_and_of_kinds_that_can():
    pairs = '[target]\ndataset = "a"\nunit = "pair"\neffect_kind = "de_call"\nquestion = "changed"\n'
    with pytest.raises(SpecError) as caught:
        parse_spec(f'{pairs}[[feature]]\nkind = "embedding"\nfile = "a.gmt"\nof = "both"')
    assert "feature 1.of: for pairs, 'perturbation' or 'gene'" in caught.value.got
    with pytest.raises(SpecError, match="fault"):
        spec_of(external("signature", 'of = "both"'))


def test_embedding__of_one_gene_under_two_names_is_in_the_sets_of_either(two_datasets, tmp_path, gene_ids):
    (tmp_path / "sets.gmt").write_text(f"A\t\tS003\tS005\nB\t\t{gene_ids[2]}\tS006\n")
    matrix = build(two_datasets, spec_of(f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"'))
    row = matrix.rows["perturbation_label"].to_list().index("G2")
    assert matrix.X[row].tolist() == [1, 1]


def test_embedding__of_sets_of_one_gene_each_is_refused(two_datasets, tmp_path):
    (tmp_path / "sets.gmt").write_text("A\t\tS003\nB\t\tS005\tS005\n")
    with pytest.raises(FeatureError, match="no set of two members or more"):
        build(two_datasets, spec_of(f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"'))


def test_embedding__of_a_combination_is_the_sum_of_its_parts(writer, make_condition, tmp_path):
    writer.dataset("target", [make_condition(x) for x in ("G1", "G2", "G1+G2", "G3")], np.ones((4, 30)))
    write_embedding(tmp_path, "csv", ["S002", "S003"], np.array([[1.0, 5.0], [2.0, 7.0]]))
    feature = f'kind = "embedding"\nfile = "{tmp_path}/vectors.csv"'
    with writer.open() as store:
        summed = build(store, spec_of(feature, more="\n[split]\nfolds = 2\n"))
        exact = build(store, spec_of(f'{feature}\ncombination = "exact"', more="\n[split]\nfolds = 2\n"))
    rows = summed.rows["perturbation_label"].to_list()
    assert summed.X[rows.index("G1+G2")].tolist() == [3.0, 12.0]
    assert np.isnan(exact.X[rows.index("G1+G2")]).all()


def test_embedding__with_pickles_or_without_vectors_is_refused(two_datasets, tmp_path):
    path = tmp_path / "vectors.npz"
    feature = spec_of(f'kind = "embedding"\nfile = "{path}"')
    np.savez(path, ids=np.array(["S003", {"a": 1}], dtype=object), vectors=np.ones((2, 2)))
    with pytest.raises(FeatureError, match="allow_pickle"):
        build(two_datasets, feature)
    np.savez(path, ids=np.array(["nothing"]), vectors=np.ones((1, 2)))
    with pytest.raises(FeatureError, match="No key of the embedding maps"):
        build(two_datasets, feature)
    path.unlink()
    with pytest.raises(FeatureError, match="The embedding cannot be used"):
        build(two_datasets, feature)


def test_signature__shrinks_small_conditions_and_takes_responders_only(writer, make_condition):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    quality = pl.DataFrame({"condition_index": [0, 1, 2], "is_responder": [True, True, False]})
    outside = [make_condition(f"G{i}", "B", cells=10 * (i + 1)) for i in range(3)]
    writer.dataset("external", outside, np.ones((3, 30)) + np.arange(30), quality=quality)
    with writer.open() as store:
        matrix = build(store, spec_of(external("signature", "shrinkage = 10", "responders_only = true")))
    np.testing.assert_allclose(matrix.X[:2, 0], [0.5, 2 / 3])
    assert np.isnan(matrix.X[2]).all()


@pytest.mark.parametrize(("weighting", "expected"), [("equal", 2.0), ("cells", 2.5)])
def test_average__is_one_block_over_all_sources(writer, make_condition, weighting, expected):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.zeros((3, 30)))
    outside = [make_condition(f"G{i}", "B", cells=100) for i in range(3)]
    outside += [make_condition(f"G{i}", "C", cells=300) for i in range(2)]
    values = np.concatenate([np.ones((3, 30)), np.full((2, 30), 3.0)])
    writer.dataset("external", outside, values)
    with writer.open() as store:
        matrix = build(store, spec_of(external("signature", f'average = "{weighting}"')))
    assert matrix.X[:, 0].tolist() == [expected, expected, 1.0]
    assert matrix.columns["block"].unique().to_list() == ["signature/average"]
    assert matrix.manifest["sources"][0]["average_of"] == ["external/CVCL_B", "external/CVCL_C"]
    assert matrix.rows["n_conditions/signature/average"].to_list() == [2, 2, 1]


def test_average__takes_no_opposite_effect_where_a_source_has_one_that_is_alike(writer, make_condition):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.zeros((3, 30)))
    writer.dataset("down", [make_condition("G0", "B", kind="crispr_knockout")], np.full((1, 30), -2.0))
    outside = [make_condition(f"G{i}", "C", kind="crispra") for i in range(2)]
    writer.dataset("up", outside, np.full((2, 30), 2.0))
    feature = 'kind = "signature"\ndatasets = ["down", "up"]\naverage = "equal"'
    with writer.open() as store:
        matrix = build(store, spec_of(feature))
    assert matrix.X[:2, 0].tolist() == [-2.0, 2.0]  # G1 was only ever activated, and its rule says so
    assert matrix.rows["rule/signature/average"].to_list()[:2] == ["same direction", "other kind"]


def lines(rng, own=None):
    effects = rng.normal(size=(3, 8, 30))
    if own is not None:
        effects[0] = own
    return effects.reshape(24, 30)


@pytest.mark.parametrize("components", ["", "components = 3"])
def test_average__leaves_the_rows_own_experiment_out_to_the_last_bit(writer, make_condition, components):
    conditions = [make_condition(f"G{i}", context) for context in "ABC" for i in range(8)]
    text = '[target]\ndataset = "target"\nwhere = "context_label = \'A\'"\n'
    feature = f'kind = "signature"\ndatasets = ["target"]\naverage = "equal"\n{components}'
    built = []
    for release, own in (("r1", None), ("r2", 50.0)):
        writer.dataset("target", conditions, lines(np.random.default_rng(1), own), release=release)
        with writer.open() as store:
            built.append(build(store, spec_of(feature, target=text)))
    first, second = built
    assert not np.allclose(first.Y, second.Y)
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.elsewhere, second.elsewhere)
    if not components:
        truth = lines(np.random.default_rng(1)).reshape(3, 8, 30)
        np.testing.assert_allclose(first.X, truth[1:].mean(axis=0), rtol=1e-5)


def test_average__components_are_those_of_the_averages(two_datasets):
    matrix = build(two_datasets, spec_of(external("signature", 'average = "equal"', "components = 3")))
    both = [effects_of(two_datasets, "external", line) for line in "BC"]
    genes = sorted({gene for _, gene in both[0]})
    mean = np.array(
        [[(both[0][f"G{i}/B/crispri", g] + both[1][f"G{i}/C/crispri", g]) / 2 for g in genes] for i in range(4, 16)]
    )
    pca = PCA(3, svd_solver="full").fit(mean)
    labels = matrix.rows["perturbation_label"].to_list()
    np.testing.assert_allclose(matrix.X[labels.index("G9")], pca.transform(mean[5:6])[0], atol=1e-4)


def test_average__components_ignore_genes_that_only_the_rows_experiment_has(two_datasets):
    more = ('average = "equal"', "components = 3")
    alone = build(two_datasets, spec_of(external("signature", *more)))
    both = external("signature", *more).replace('["external"]', '["target", "external"]')
    np.testing.assert_array_equal(build(two_datasets, spec_of(both)).X, alone.X)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ('forbid = ["non-commercial"]', ["external: CC-BY-NC-4.0", "target: unknown"]),
        ('allow = ["CC-BY-NC-4.0"]', ["noted: CC-BY-4.0 (as read by others), Apache-2.0 (tables)", "target: unknown"]),
        ('forbid = ["MIT"]', ["target: unknown"]),
        ('forbid = ["cc-by-4.0"]', ["noted: CC-BY-4.0 (as read by others), Apache-2.0 (tables)", "target: unknown"]),
        ('forbid = ["CC-BY"]', ["target: unknown"]),
        ("", []),
    ],
)
def test_licence__gate_names_what_it_refuses(rule, refused):
    from featurestore.features.matrix.licence import refuse_licences

    noted = "CC-BY-4.0 (as read by others), Apache-2.0 (tables)"
    terms = {"external": "CC-BY-NC-4.0", "noted": noted, "target": None}
    rules = parse_spec(TARGET + '[[feature]]\nkind = "context"\n[licence]\n' + rule).licence
    if not refused:
        refuse_licences(terms.items(), rules.forbid, rules.allow)
        return
    with pytest.raises(FeatureError, match="not allowed here") as caught:
        refuse_licences(terms.items(), rules.forbid, rules.allow)
    assert [line.strip() for line in caught.value.got.splitlines()] == refused


def test_licence__gate_looks_at_every_licence_of_a_file(two_datasets, tmp_path):
    write_embedding(tmp_path, "csv", ["S003", "S007"], np.array([[1.0, 5.0], [2.0, 7.0]]))
    more = f'{SPLIT}[licence]\nforbid = ["non-commercial", "GPL-3.0"]\n'
    spec = spec_of(f'kind = "embedding"\nfile = "{tmp_path}/vectors.csv"\nlicence = "CC-BY-NC-4.0"', more=more)
    second = spec.feature[0].model_copy(update={"name": "again", "licence": "MIT"})
    for features in ([spec.feature[0], second], [second, spec.feature[0]]):
        with pytest.raises(FeatureError, match="licences of 1 dataset are") as caught:
            build(two_datasets, spec.model_copy(update={"feature": features}))
        assert caught.value.got == "file:vectors.csv: CC-BY-NC-4.0"


def test_licence__gate_refuses_words_that_can_forbid_nothing(two_datasets):
    def rule(*words):
        return spec_of(external("signature"), more=f"{SPLIT}[licence]\nforbid = {list(words)}\n")

    for ask in (build, plan):
        with pytest.raises(FeatureError, match=r"No licence is called so") as caught:
            ask(two_datasets, rule("licence of externl", "CC-BY-NC-4.0", "noncommercial"))
        assert caught.value.got == "'licence of externl', 'noncommercial'"
        assert caught.value.do.split("\n")[0] == "did you mean 'licence of external' or 'licence of target'?"
        assert caught.value.do.split("\n")[1].strip() == "did you mean 'non-commercial'?"
    assert build(two_datasets, rule("CC-BY-NC-4.0", "Non-Commercial", "mit")).X.shape == (12, 50)
    with pytest.raises(FeatureError, match="No licence is called so"):
        two_datasets.to_anndata("target", forbid=["foo"])


def test_licence__gate_of_a_spec_refuses_the_matrix(two_datasets):
    spec = spec_of(external("signature"), more=SPLIT + '[licence]\nallow = ["licence of target"]\n')
    with pytest.raises(FeatureError, match="external: licence of external"):
        build(two_datasets, spec)


def test_coverage__says_for_each_row_and_block_what_there_is(two_datasets):
    matrix = build(two_datasets, spec_of(external("signature")))
    assert matrix.coverage.height == 24
    first = matrix.coverage.filter(condition_id="G5/A/crispri").row(0, named=True)
    assert (first["is_covered"], first["share_observed"], first["n_conditions"]) == (True, 1.0, 1)
    assert not matrix.coverage.filter(condition_id="G1/A/crispri")["is_covered"].any()


def test_coverage__names_every_rule_that_a_sum_of_parts_met(writer, make_condition):
    writer.dataset(
        "target", [make_condition("G1+G2"), *(make_condition(f"G{i}") for i in (1, 2, 5, 6, 7))], np.ones((6, 30))
    )
    parts = [
        make_condition("G1", "B"),
        make_condition("G2", "B", kind="crispra"),
        make_condition("G2", "B", kind="shrna"),
    ]
    writer.dataset("external", parts, np.ones((3, 30)))
    with writer.open() as store:
        coverage = build(store, spec_of(external("signature", 'combination = "sum"'))).coverage
    assert coverage.filter(condition_id="G1+G2/A/crispri").row(0, named=True) == {
        "condition_id": "G1+G2/A/crispri",
        "block": "signature/external/CVCL_B",
        "is_covered": True,
        "share_observed": 1.0,
        "n_conditions": 2,
        "rule": "same kind, sum of parts; same direction, sum of parts",
    }


def test_kinds__each_has_what_makes_its_blocks():
    of_conditions = {name for name, kind in KINDS.items() if not kind.is_of_pairs_alone}
    assert set(by_kind.MAKERS) == of_conditions
    assert set(lineage.MAKERS) == set(PAIR_KINDS)
    for name, kind in KINDS.items():
        assert kind.pair_options <= set(kind.model_fields), name
