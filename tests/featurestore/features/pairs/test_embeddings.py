"""Vectors of what is perturbed and of the measured gene, as features of pairs."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from featurestore.commands.pairs import describe_pairs
from featurestore.commands.plan import describe_plan
from featurestore.errors import FeatureError, SpecError
from featurestore.evaluation.pair_scoring import held_out_scores, mean_auroc, per_gene
from featurestore.features.builder import build
from featurestore.features.pairs.builder import read_pairs
from featurestore.features.plan import plan
from featurestore.features.registry import rebuild, save
from featurestore.features.spec import parse_spec, read_spec
from featurestore.models.pairs import LogisticOnPairs

P, G = 60, 40
SPEC = """
name = "embedded"
[target]
dataset = "line_a"
unit = "pair"
effect_kind = "de_call"
question = "changed"
[[feature]]
kind = "base_rate"
{features}
[split]
folds = 3
"""


def perturbed(i):
    return f"ENSG9{i:010d}"


@pytest.fixture(scope="module")
def truth():
    """How much each perturbation does and each gene answers, and the calls that follow: three in four are listed."""
    rng = np.random.default_rng(8)
    does, answers = rng.normal(size=P), rng.normal(size=G)
    rate = 1 / (1 + np.exp(-(2 * does[:, None] + 2 * answers)))
    calls = (rng.random((P, G)) < rate).astype(float)
    return does, answers, np.where(rng.random((P, G)) < 3 / 4, calls, np.nan)


@pytest.fixture
def store(writer, write_lines, truth):
    genes = [perturbed(i) for i in range(P)] + [f"ENSG{i:011d}" for i in range(1, G + 1)]
    symbols = [f"P{i}" for i in range(P)] + [f"S{i}" for i in range(1, G + 1)]
    rest = {name: [""] * len(genes) for name in ("entrez_id", "hgnc_id", "biotype", "chromosome")}
    reference = pl.DataFrame({"gene_id": genes, "gene_symbol": symbols} | rest)
    reference.write_parquet(writer.root / "reference" / "genes" / "gene.parquet")
    write_lines(writer, {"line_a": truth[2]})
    with writer.open() as opened:
        yield opened


@pytest.fixture
def make_spec(tmp_path):
    """Write vectors by name, and a spec that asks for each file with some more lines."""

    def make_spec(*asked):
        features = []
        for i, (keys, vectors, more) in enumerate(asked):
            frame = pl.DataFrame({"name": keys} | {f"v{j}": vectors[:, j] for j in range(vectors.shape[1])})
            frame.write_parquet(tmp_path / f"vectors_{i}.parquet")
            features.append(f'[[feature]]\nkind = "embedding"\nfile = "vectors_{i}.parquet"\nname = "e{i}"\n{more}')
        path = tmp_path / "spec.toml"
        path.write_text(SPEC.format(features="\n".join(features)))
        return path

    return make_spec


def both(truth, more=("", "")):
    """Vectors of all perturbations but the first by symbol, of all genes but the first by versioned id, and noise."""
    rng = np.random.default_rng(1)
    symbols, ids = [f"P{i}" for i in range(1, P)], [f"ENSG{i:011d}.4" for i in range(2, G + 1)]
    of_perturbation = np.column_stack([truth[0][1:], rng.normal(size=(P - 1, 2))])
    of_gene = np.column_stack([truth[1][1:], rng.normal(size=G - 1)])
    return (symbols, of_perturbation, more[0]), (ids, of_gene, f'of = "gene"\n{more[1]}')


def test_embedding__of_perturbation_and_gene_are_looked_up_and_missing_where_unknown(store, make_spec, truth):
    asked = both(truth)
    matrix = build(store, make_spec(*asked))
    names = matrix.columns["name"].to_list()
    assert names[1:] == ["e0/dim_0001", "e0/dim_0002", "e0/dim_0003", "e1/dim_0001", "e1/dim_0002"]
    perturbation = matrix.rows["perturbation_label"].str.slice(1).cast(int).to_numpy()
    gene = matrix.rows["gene_id"].str.slice(4).cast(int).to_numpy() - 1
    nothing = np.full((1, 3), np.nan)
    for division in matrix.X:
        np.testing.assert_array_equal(division[:, 1:4], np.float32(np.vstack([nothing, asked[0][1]])[perturbation]))
        np.testing.assert_array_equal(division[:, 4:], np.float32(np.vstack([nothing[:, :2], asked[1][1]])[gene]))


def test_embedding__raises_the_area_by_the_signal_it_carries_and_not_when_shuffled(store, make_spec, truth):
    task = read_pairs(store, make_spec(*both(truth)))

    def areas(matrix, *blocks):
        kept = np.flatnonzero(matrix.columns["block"].is_in(blocks))
        shown = type(matrix)(
            matrix.X[:, :, kept],
            matrix.y,
            matrix.held_out,
            matrix.inner_fold,
            matrix.rows,
            matrix.columns[kept],
            matrix.manifest,
        )
        scores = held_out_scores(shown, {"logistic": LogisticOnPairs()})[0]
        return roc_auc_score(matrix.y, scores["logistic"]), mean_auroc(per_gene(shown, scores))["logistic"]

    matrix, shuffled = task.build(), task.build(shuffle=0)
    overall, of_gene = areas(matrix, "base_rate")
    assert of_gene == pytest.approx(0.5, abs=0.05), "what is known of a gene ranks none of its perturbations"
    with_both, of_gene_with_both = areas(matrix, "base_rate", "e0", "e1")
    assert with_both > overall + 0.1
    assert of_gene_with_both > 0.8
    assert areas(shuffled, "base_rate", "e0", "e1")[1] < 0.6
    assert areas(matrix, "e1")[0] > 0.7, "the gene's vector alone ranks genes"
    assert areas(shuffled, "e1")[0] < 0.6


def test_embedding__is_reduced_to_components_of_all_its_vectors(store, make_spec, truth):
    matrix = build(store, make_spec(*both(truth, ("components = 2", ""))))
    assert matrix.columns["name"][1:3].to_list() == ["e0/pc_01", "e0/pc_02"]
    vectors = both(truth)[0][1]
    centred = vectors - vectors.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    perturbation = matrix.rows["perturbation_label"].str.slice(1).cast(int).to_numpy()
    known = perturbation > 0
    expected = (left * size)[perturbation[known] - 1, :2]
    np.testing.assert_allclose(np.abs(matrix.X[0][known, 1:3]), np.abs(expected), atol=1e-4)


def test_embedding__has_its_lineage_coverage_and_licence(store, make_spec, truth):
    path = make_spec(*both(truth, ('licence = "MIT"', 'licence = "CC-BY-NC-4.0"')))
    matrix = build(store, path)
    lines = {row["name"]: row for row in matrix.columns.iter_rows(named=True)}
    line = lines["e1/dim_0001"]
    assert (line["dataset_ids"], line["licences"]) == (["file:vectors_1.parquet"], ["CC-BY-NC-4.0"])
    assert (line["kind"], line["effect_kind"], line["is_fitted"]) == ("embedding", "embedding", False)
    of_perturbation, of_gene = matrix.manifest["sources"]
    assert (of_perturbation["of"], of_perturbation["n_covered"], of_perturbation["n_asked"]) == ("perturbation", 59, 60)
    assert (of_gene["of"], of_gene["n_covered"], of_gene["n_asked"]) == ("gene", 39, 40)
    assert of_gene["n_pairs"] == np.isfinite(matrix.X[0][:, 4]).sum() < matrix.rows.height
    assert of_gene["keys"]["by_method"] == {"gene id": 39}
    assert matrix.manifest["licences"]["file:vectors_0.parquet"] == "MIT"
    assert "vectors of each gene): 2 features, 39 of 40 genes" in describe_pairs(matrix)
    with pytest.raises(FeatureError, match=r"vectors_1\.parquet: CC-BY-NC-4\.0"):
        matrix.write(path.parent / "matrix", forbid=["non-commercial"])
    forbidding = path.read_text().replace("[split]", '[licence]\nforbid = ["CC-BY-NC-4.0"]\n[split]')
    with pytest.raises(FeatureError, match="The licences of"):
        build(store, parse_spec(forbidding, folder=path.parent))


def test_embedding__is_planned_and_a_written_matrix_is_proven(store, make_spec, truth, tmp_path):
    path = make_spec(*both(truth))
    own = plan(store, path)
    assert [block.get("n_rows_covered", block.get("n_genes_covered")) for block in own.facts["own_blocks"]] == [59, 39]
    assert "Also e1 (embedding): 2 features, 39 genes covered." in describe_plan(own)
    own.write(tmp_path / "plan")
    written = {path.name for path in (tmp_path / "plan").iterdir()}
    assert written == {"plan.json", "sources.csv", "local_agreement.csv"}
    save(store, path)
    build(store, path).write(tmp_path / "matrix")
    assert rebuild(store, tmp_path / "matrix") == []


def test_embedding__of_nothing_in_the_pairs_is_refused(store, make_spec, truth):
    keys = [f"S{i}" for i in range(1, 5)]
    with pytest.raises(FeatureError, match="No source says anything"):
        build(store, make_spec((keys, np.ones((4, 2)), "")))


def test_spec__keeps_vectors_of_the_measured_gene_for_pairs(make_spec, truth):
    text = make_spec(*both(truth)).read_text()
    with pytest.raises(SpecError) as caught:
        parse_spec(text.replace('of = "gene"', 'of = "measured"'))
    assert "of: got 'measured'; known: 'gene', 'perturbation', 'both'" in caught.value.got
    of_conditions = '[target]\ndataset = "a"\n[[feature]]\nkind = "embedding"\nfile = "a.csv"\nof = "gene"'
    with pytest.raises(SpecError) as caught:
        parse_spec(of_conditions)
    assert "feature 1: of = 'gene' is for pairs" in caught.value.got
    assert read_spec(make_spec(*both(truth))).feature[2].of == "gene"
