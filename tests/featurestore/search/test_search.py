"""Questions to a warehouse whose effects are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import QueryError
from featurestore.search import ANSWER, SCORES, Query, search, set_query, signature_query, signatures_of
from featurestore.search.background import fit_background, scaled
from featurestore.search.engine import most_alike
from featurestore.search.query import gene_names
from featurestore.store import Store

G3 = "G3/A/crispri"


@pytest.fixture
def store(writer, make_condition):
    """Two datasets of other kinds of effect: the same perturbations do the same in both, and all share a background."""
    rng = np.random.default_rng(5)
    does, shared = rng.normal(size=(14, 30)), 3 * rng.normal(size=30)
    for name, kind, scale in (("one", "delta_log1p", 0.1), ("two", "moderated_z", 4.0)):
        conditions = [make_condition(f"G{i}", "A") for i in range(14)]
        writer.dataset(name, conditions, scale * (does + shared + 0.3 * rng.normal(size=does.shape)), kind=kind)
    with writer.open() as warehouse, Store(warehouse.path) as store:
        yield store


@pytest.mark.parametrize("score", SCORES)
def test_search__finds_the_same_perturbation_in_the_other_dataset(store, score):
    found = store.search(condition=f"one:{G3}", score=score, top=0)
    assert tuple(found.columns[: len(ANSWER)]) == ANSWER
    best = found.filter(pl.col("score") == found["score"].max())
    assert ("two", G3) in best.select("dataset_id", "condition_id").rows(), "tau has few values here"
    assert found["score"].is_sorted(descending=True)
    assert not found.filter(dataset_id="one", condition_id=G3).height, "it is not its own answer"
    assert found["p_value"].is_between(0, 1).all()


def test_search__leaves_out_own_targets_of_either_side(store, gene_ids):
    """G3 acts on gene 3, G5 on gene 5: neither is compared, so 28 of 30 genes are shared."""
    found = store.search(condition=("one", G3), top=0, background="kept")
    row = found.filter(dataset_id="two", perturbation="G5").row(0, named=True)
    effects = store.frame("select dataset_id, condition_id, gene_id, effect from signature order by gene_id")
    others = effects.filter(~pl.col("gene_id").is_in([gene_ids[3], gene_ids[5]]))
    a, b = (
        others.filter(dataset_id=dataset_id, condition_id=f"{label}/A/crispri")["effect"].to_numpy()
        for dataset_id, label in (("one", "G3"), ("two", "G5"))
    )
    assert row["n_genes"] == len(a) == 28
    assert row["score"] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-6)


def test_search__removes_what_all_signatures_share(store):
    kept, removed = (store.search(condition=f"one:{G3}", top=0, background=each) for each in ("kept", "removed"))
    assert kept["score"].median() > 0.5
    assert abs(removed["score"].median()) < 0.2


def test_search__opposite_where_kind_and_top(store):
    both = store.search(condition=f"one:{G3}", top=0)
    assert store.search(condition=f"one:{G3}", opposite=True, top=1)["score"][0] == both["score"].min()
    few = store.search(condition=f"one:{G3}", where="dataset_id = 'two' and n_cells >= 100", top=0)
    assert (few.height, set(few["dataset_id"])) == (14, {"two"})
    p = few["p_value"].sort().to_numpy()
    assert few["q_value"].min() == pytest.approx(min(p * 14 / np.arange(1, 15)))
    assert store.search(condition=f"one:{G3}", kind="crispri", top=0).height == both.height


def test_search__sets_of_any_identifiers(store, tmp_path):
    block = signatures_of(store).blocks[1]
    order = np.argsort(-block.rows[block.conditions["condition_id"].to_list().index(G3)])
    up, down = [f"S{gene[-3:]}" for gene in block.genes[order[:8]]], [f"{g}.7" for g in block.genes[order[-8:]]]
    (tmp_path / "down.grp").write_text("\n".join(down))
    (tmp_path / "sets.gmt").write_text("other\t-\tS001\nmine\t-\t" + "\t".join(up) + "\n")
    for score in ("wtcs", "xsum", "cosine"):
        found = store.search(up=",".join(up), down=down, score=score, top=1)
        assert (found["dataset_id"][0], found["perturbation"][0]) == ("two", "G3")
        files = {"up": f"{tmp_path}/sets.gmt:mine", "down": f"{tmp_path}/down.grp"}
        assert store.search(**files, score=score, top=1).equals(found)
    query = set_query(store, [*up, "NONESUCH"], down)
    assert query.unknown == ("NONESUCH",)
    assert sorted(query.values.tolist()) == [-1.0] * 8 + [1.0] * 8


def test_gene_names__typed_or_of_a_file(tmp_path):
    """A version's digits are no suffix of a file, and a list longer than a file's name may be is a list."""
    one, two = tmp_path / "one.gmt", tmp_path / "two.gmt"
    one.write_text("mine\tfrom a paper\tTP53\tMYC\t\n")
    two.write_text("a\t-\tTP53\nb:c\t-\tMYC\n")
    assert gene_names("ENSG00000141510.17,ENSG00000136997.21") == ["ENSG00000141510.17", "ENSG00000136997.21"]
    assert gene_names("ENSG00000141510.17") == ["ENSG00000141510.17"]
    assert gene_names(",".join(["TP53"] * 2000)) == ["TP53"] * 2000
    assert gene_names(one) == gene_names(str(one)) == gene_names(f"{one}:mine") == ["TP53", "MYC"]
    assert (gene_names(f"{two}:a"), gene_names(f"{two}:b:c")) == (["TP53"], ["MYC"])
    for asked, said in ((two, "several sets"), (f"{two}:z", "There is no set 'z'"), ("no.grp", "cannot be read")):
        with pytest.raises(QueryError, match=said):
            gene_names(asked)


def test_search__a_numeric_signature_or_a_table_of_results(store, tmp_path):
    effects = store.frame(
        "select gene_id as names, effect as logfoldchanges, 0.5 as pvals from signature where dataset_id = 'two' "
        "and condition_id = 'G3/A/crispri'"
    )
    asked = (effects["names"].to_list(), effects["logfoldchanges"].to_numpy())
    first = store.search(signature=asked, background="kept", top=1)
    assert first.select("dataset_id", "perturbation", "score").row(0) == ("two", "G3", pytest.approx(1.0))
    effects.write_csv(tmp_path / "results.csv")
    assert store.search(signature=tmp_path / "results.csv", background="kept", top=1).equals(first)


def test_search__many_queries_by_perturbation(store):
    queries = [signatures_of(store).query_of([("one", f"G{i}/A/crispri")], f"q{i}") for i in (3, 7)]
    found = store.search(queries, by="perturbation", top=1)
    assert found.select("query", "perturbation").rows() == [("q3", "G3"), ("q7", "G7")]
    line = search(store, queries[0], by="perturbation", top=0).filter(perturbation="G7").row(0, named=True)
    rows = search(store, queries[0], top=0).filter(perturbation="G7")
    high, low = (float(np.quantile(rows["score"], q)) for q in (0.67, 0.33))
    assert line["score"] == pytest.approx(high if abs(high) >= abs(low) else low)
    assert line["n_conditions"] == 2


def test_search__perturbation_by_any_name_and_context(store):
    own = store.search(perturbation="S004", top=0)
    assert own.height
    assert not own.filter(perturbation="G3").height
    assert store.search(perturbation="g3", context="a", top=0).equals(own)
    with pytest.raises(QueryError, match="was not done in 'B'"):
        store.search(perturbation="G3", context="B")


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({}, "One thing is searched for"),
        ({"condition": "one:G3/A/crispr"}, "did you mean 'G3/A/crispri'"),
        ({"perturbation": "G99"}, "There is no perturbation"),
        ({"up": "A1,B2"}, "None of the genes is known"),
        ({"up": "S001,S002", "down": "S002"}, "in both sets"),
        ({"perturbation": "G3", "score": "cosin"}, "did you mean 'cosine'"),
        ({"perturbation": "G3", "kind": "crispr"}, "no condition of kind"),
        ({"perturbation": "G3", "where": "n_cell > 3"}, "n_cell"),
        ({"signature": "nowhere.csv"}, "cannot be read"),
    ],
)
def test_search__says_what_it_does_not_know(store, asked, what):
    with pytest.raises(QueryError, match=what):
        store.search(**asked)


def test_search__for_a_query_and_something_else_is_refused(store):
    query = set_query(store, ["S001"], ["S002"])
    with pytest.raises(QueryError, match="One thing is searched for at a time"):
        store.search(query, perturbation="G3")
    with pytest.raises(QueryError, match="A context is of a perturbation"):
        store.search(query, context="A")


def test_signature_query__of_a_gene_named_twice_is_the_mean(store):
    query = signature_query(store, ["S001", "ENSG00000000001", "S002"], [1.0, 3.0, np.nan])
    assert query.genes.tolist() == ["ENSG00000000001"]
    assert query.values.tolist() == [2.0]


def test_search__of_a_large_dataset_looks_at_both_ends_alone(store, monkeypatch):
    """The same lines, scores and p; q is over all that was looked over, and never smaller."""
    whole = {each: store.search(condition=f"one:{G3}", opposite=each, top=0).head(2) for each in (False, True)}
    monkeypatch.setattr("featurestore.search.engine.SHORTLIST", 3)
    monkeypatch.setattr("featurestore.search.answer.most_alike", lambda s, q, _, r: most_alike(s, q, 0, r))
    for opposite, expected in whole.items():
        found = store.search(condition=f"one:{G3}", opposite=opposite, top=2)
        assert found.drop("q_value").equals(expected.drop("q_value"))
        assert (found["q_value"] >= expected["q_value"] - 1e-12).all()


def test_null_queries__are_seldom_significant(store):
    """Genes of a signature shuffled, 200 times: in one query of twenty at most something has q < 0.05."""
    rng = np.random.default_rng(8)
    base = signatures_of(store).query_of([("one", G3)], "base")
    found = [search(store, Query("null", base.genes, rng.permutation(base.values)), top=0) for _ in range(200)]
    assert sum((each["q_value"] < 0.05).any() for each in found) <= 10
    assert np.mean(pl.concat(found)["p_value"].to_numpy() < 0.05) < 0.06


def test_background__is_the_mean_and_damped_components():
    rng = np.random.default_rng(1)
    values = scaled((rng.normal(size=(120, 60)) * np.r_[np.full(4, 5.0), np.ones(56)] + 1.0).astype(np.float32))
    conditions = pl.DataFrame({"context_id": ["A"] * 120, "perturbation_id": [str(i) for i in range(120)]})
    found = fit_background(conditions, 60, lambda: iter([(slice(0, 120), values)]))
    clean = found.removed(values, slice(0, 120))
    np.testing.assert_allclose(clean.mean(axis=0), 0, atol=1e-6)
    before, after = (np.linalg.svd(each, compute_uv=False) for each in (values - values.mean(axis=0), clean))
    np.testing.assert_allclose(after[:6], np.sqrt(before[:6] * before[6]), rtol=1e-4)
    np.testing.assert_allclose(after[6:], before[6:], rtol=1e-4)


def test_background__of_few_perturbations_is_not_known():
    conditions = pl.DataFrame({"context_id": ["A"] * 9, "perturbation_id": [str(i) for i in range(9)]})
    found = fit_background(conditions, 20, lambda: iter([(slice(0, 9), np.ones((9, 20)))]))
    np.testing.assert_array_equal(found.removed(np.ones((9, 20)), slice(0, 9)), np.ones((9, 20)))
