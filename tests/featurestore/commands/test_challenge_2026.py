"""A submission of three contexts and its score, as a user makes them, and what is refused on the way."""

import json

import anndata as ad
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy import sparse

from featurestore.challenge import Cells
from featurestore.challenge.contexts import Pair, read_pairs, score_contexts
from featurestore.cli import featurestore

GENES = [f"G{i:02d}" for i in range(40)]
TARGETS = ["G00", "G01", "G02"]
CONTEXTS = ["A", "B", "C"]
CONTROL = "non-targeting"


def run(*arguments):
    result = CliRunner().invoke(featurestore, list(map(str, arguments)), catch_exceptions=True)
    return result, result.stdout


def refused(*arguments):
    result, _ = run(*arguments)
    assert result.exit_code != 0
    return str(result.exception)


def cells_of(context, rng, *, effect=2.0):
    base = rng.lognormal(2.0, 0.5, len(GENES))
    blocks, labels = [rng.poisson(base, (60, len(GENES)))], [CONTROL] * 60
    for target in TARGETS:
        change = np.exp(effect * rng.normal(size=len(GENES)) * (rng.random(len(GENES)) < 0.6))
        blocks.append(rng.poisson(base * change, (20, len(GENES))))
        labels += [target] * 20
    found = ad.AnnData(sparse.csr_matrix(np.vstack(blocks).astype(np.float32)))
    found.obs_names, found.var_names = [str(i) for i in range(len(labels))], GENES
    found.obs["target_gene"] = labels
    if context:
        found.obs["context"] = context
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The bundle of the controls of three contexts, measured cells of each, and effects that serve them all."""
    folder, rng = tmp_path_factory.mktemp("lab"), np.random.default_rng(0)
    for context in CONTEXTS:
        found = cells_of(context, rng)
        found.write_h5ad(folder / f"measured_{context}.h5ad")
        controls = found[found.obs["target_gene"] == CONTROL].copy()
        del controls.obs["context"]
        controls.write_h5ad(folder / f"context_{context}.h5ad")
    effects = pl.DataFrame({"perturbation": [*TARGETS, "G39"]})
    columns = {gene: pl.Series(rng.normal(0, 0.5, 4)) for gene in GENES}
    effects.with_columns(**columns).write_parquet(folder / "effects.parquet")
    (folder / "gene_names.csv").write_text("\n".join(["gene_name", *reversed(GENES)]))
    (folder / "pert_counts.csv").write_text("\n".join(["target_gene,n_cells", *(f"{name},25" for name in TARGETS)]))
    (folder / "manifest.json").write_text(json.dumps({"contexts": CONTEXTS}))
    return folder


def pairs(lab, contexts=CONTEXTS):
    return [part for context in contexts for part in (lab / "effects.parquet", lab / f"context_{context}.h5ad")]


def measured(lab):
    return [lab / f"measured_{context}.h5ad" for context in CONTEXTS]


@pytest.fixture(scope="module")
def submission(lab):
    path = lab / "submission.h5ad"
    result, text = run("submit", *pairs(lab), "-o", path, "--protocol", 2026, "--panel", lab)
    assert result.exit_code == 0, result.output
    assert "context A: 3 perturbations of 25 cells; context B:" in text
    assert text.endswith("3 effects of other perturbations are left out. The challenge's own list has 18,533 genes.\n")
    return path


def test_submit__makes_one_file_of_three_contexts_by_the_panel(submission):
    found = ad.read_h5ad(submission)
    assert found.var_names.tolist() == GENES[::-1]
    assert found.obs.groupby(["context", "target_gene"], observed=True).size().to_dict() == {
        (context, target): 25 for context in CONTEXTS for target in TARGETS
    }
    assert found.X.has_sorted_indices
    assert (found.X.data == np.rint(found.X.data)).all()


def test_submit__takes_controls_of_all_contexts_from_one_file(lab, submission, tmp_path):
    parts = [ad.read_h5ad(lab / f"context_{context}.h5ad") for context in CONTEXTS]
    whole = ad.concat(parts, label="context", keys=CONTEXTS, index_unique="-")
    whole.write_h5ad(tmp_path / "controls.h5ad")
    arguments = ["-o", tmp_path / "again.h5ad", "--protocol", 2026, "--panel", lab]
    result, _ = run("submit", lab / "effects.parquet", tmp_path / "controls.h5ad", *arguments)
    assert result.exit_code == 0, result.output
    first, again = ad.read_h5ad(submission), ad.read_h5ad(tmp_path / "again.h5ad")
    np.testing.assert_array_equal(first.X.toarray(), again.X.toarray())


def test_submit__refuses_what_the_challenge_would_refuse(lab, tmp_path):
    arguments = ["-o", tmp_path / "x.h5ad", "--protocol", 2026, "--panel", lab]
    assert "one file of every context" in refused("submit", *pairs(lab, ["A", "B"]), *arguments)
    assert "as many cells of each" in refused("submit", *pairs(lab), *arguments, "--cells", 400)
    assert "Two CONTROLS are of the same context" in refused("submit", *pairs(lab, ["A", "A", "B"]), *arguments)
    assert "come in pairs" in refused("submit", *pairs(lab)[:3], *arguments)
    assert "--context 3 times" in refused("submit", *pairs(lab), *arguments, "--context", "A")
    assert "expected  A, B, C" in refused(
        "submit", *pairs(lab), *arguments, "--context", "D", "--context", "E", "--context", "F"
    )
    pl.read_parquet(lab / "effects.parquet").filter(pl.col("perturbation") != "G01").write_csv(tmp_path / "few.csv")
    few = [tmp_path / "few.csv" if part.suffix == ".parquet" else part for part in pairs(lab)]
    assert "lack 1 of 3 perturbations of context A" in refused("submit", *few, *arguments)
    assert "2025 has one context" in refused("submit", *pairs(lab), "-o", tmp_path / "x.vcc")
    assert [path.name for path in tmp_path.iterdir()] == ["few.csv"]


def test_submit__gives_what_the_effects_lack_their_mean_where_asked(lab, submission, tmp_path):
    """The mean of the three others' effects, given as a table of its own, makes the same cells."""
    effects = pl.read_parquet(lab / "effects.parquet")
    few = effects.filter(pl.col("perturbation") != "G01")
    mean = few.select(pl.lit("G01").alias("perturbation"), pl.col(GENES).mean())
    few.write_csv(tmp_path / "few.csv")
    pl.concat([few, mean]).write_csv(tmp_path / "filled.csv")
    arguments = ["--protocol", 2026, "--panel", lab, "-o"]
    for name, more in (("few", ["--missing", "mean"]), ("filled", [])):
        files = [tmp_path / f"{name}.csv" if part.suffix == ".parquet" else part for part in pairs(lab)]
        result, text = run("submit", *files, *arguments, tmp_path / f"{name}.h5ad", *more)
        assert result.exit_code == 0, result.output
        assert ("3 perturbations that the effects lack: the mean effect stands in" in text) == bool(more)
    few, filled = (ad.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("few", "filled"))
    np.testing.assert_array_equal(few.X.toarray(), filled.X.toarray())


def test_submit__takes_the_predictions_of_a_report(lab, submission, tmp_path):
    (tmp_path / "report").mkdir()
    files = [tmp_path / "report" if part.suffix == ".parquet" else part for part in pairs(lab)]
    arguments = ["--protocol", 2026, "--panel", lab, "-o", tmp_path / "again.h5ad"]
    assert "--predictions MODEL" in refused("submit", *files, *arguments)
    pl.read_parquet(lab / "effects.parquet").write_parquet(tmp_path / "report" / "predicted.parquet")
    result, _ = run("submit", *files, *arguments)
    assert result.exit_code == 0, result.output
    first, again = ad.read_h5ad(submission), ad.read_h5ad(tmp_path / "again.h5ad")
    np.testing.assert_array_equal(first.X.toarray(), again.X.toarray())


def test_submit__takes_a_line_for_each_perturbation_and_gene(lab, submission, tmp_path):
    long = pl.read_parquet(lab / "effects.parquet").unpivot(
        GENES, index="perturbation", variable_name="gene", value_name="effect"
    )
    long.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(tmp_path / "long.parquet")
    files = [tmp_path / "long.parquet" if part.suffix == ".parquet" else part for part in pairs(lab)]
    arguments = ["--protocol", 2026, "--panel", lab, "-o", tmp_path / "again.h5ad"]
    result, text = run("submit", *files, *arguments)
    assert result.exit_code == 0, result.output
    assert "without effects" not in text
    first, again = ad.read_h5ad(submission), ad.read_h5ad(tmp_path / "again.h5ad")
    np.testing.assert_array_equal(first.X.toarray(), again.X.toarray())
    long.filter(pl.col("gene") > "G06").write_parquet(tmp_path / "long.parquet")
    assert "As they are in the controls: 7 genes without effects." in run("submit", *files, *arguments)[1]
    pl.concat([long, long.head(1)]).write_parquet(tmp_path / "long.parquet")
    assert "two effects on the same gene" in refused("submit", *files, *arguments)


def test_score__is_the_mean_over_contexts_and_takes_the_scale_of_an_earlier_one(lab, submission, tmp_path):
    result, text = run("score", submission, *measured(lab), "--protocol", 2026, "-o", tmp_path / "scores")
    assert result.exit_code == 0, result.output
    assert text.count("perturbations by the protocol of 2026") == 3
    found = json.loads((tmp_path / "scores" / "scores.json").read_text())
    scale = found["challenge_2026"]
    each = [scale["contexts"][context]["score"] for context in CONTEXTS]
    assert scale["score"] == pytest.approx(np.mean(each))
    for own in scale["contexts"].values():
        six = own["metrics"].values()
        assert own["score"] == pytest.approx(np.mean([m["score"] for m in six]))
        pds = own["metrics"]["pds_2026"]
        assert pds["score"] == pytest.approx((pds["value"] - pds["baseline"]) / (pds["replicate"] - pds["baseline"]))
    assert (
        text.rstrip()
        .splitlines()[-1]
        .startswith(f"Score of the challenge of 2026 over 3 contexts: {scale['score']:.3f}")
    )
    table = pl.read_csv(tmp_path / "scores" / "per_perturbation.csv")
    assert table["context"].to_list() == [context for context in CONTEXTS for _ in TARGETS]
    arguments = ["--protocol", 2026, "--format", "json", "--baseline", tmp_path / "scores"]
    result, text = run("score", submission, *measured(lab), *arguments)
    assert json.loads(text)["challenge_2026"] == scale
    assert "half-splits" not in result.stderr
    other = [*measured(lab)[:2], lab / "other_C.h5ad"]
    cells_of("C", np.random.default_rng(9)).write_h5ad(other[2])
    assert "are of other measured cells" in refused("score", submission, *other, *arguments)
    assert "no scores by the protocol of 2026" in refused("score", submission, *other, *arguments[:-1], lab)


def test_score__needs_the_contexts_of_both_sides_to_be_the_same(lab, submission):
    found = refused("score", submission, *measured(lab)[:2], "--protocol", 2026)
    assert "not of the same contexts" in found
    assert "expected  A, B\n" in found
    twice = refused("score", submission, *measured(lab)[:1] * 2, "--protocol", 2026)
    assert "Two measured files have the same context" in twice
    assert "scores one context" in refused("score", submission, *measured(lab))


def test_score__maps_guides_to_their_targets_and_names_those_it_cannot(lab, tmp_path):
    found = ad.read_h5ad(lab / "measured_A.h5ad")
    expected, _ = run("score", lab / "measured_A.h5ad", lab / "measured_A.h5ad", "--protocol", 2026, "--format=json")
    names = found.obs["target_gene"].astype(str)
    found.obs["target_gene"] = names.where(names == CONTROL, names + "-1")
    found.write_h5ad(tmp_path / "guides.h5ad")
    arguments = ["score", tmp_path / "guides.h5ad", tmp_path / "guides.h5ad", "--protocol", 2026]
    assert "--targets FILE" in refused(*arguments)
    (tmp_path / "targets.csv").write_text("".join(f"{name}-1,{name}\n" for name in TARGETS))
    result, text = run(*arguments, "--targets", tmp_path / "targets.csv", "--format=json")
    assert result.exit_code == 0, result.output
    mapped, plain = json.loads(text), json.loads(expected.stdout)
    assert mapped["metrics"] == plain["metrics"]
    assert mapped["challenge_2026"]["score"] == plain["challenge_2026"]["score"]
    (tmp_path / "targets.csv").write_text("G00-1,G00\nG01-1,\n")
    _, text = run(*arguments, "--targets", tmp_path / "targets.csv")
    assert "1 of them are not named like genes (G02-1)" in text
    assert "G02-1 looks like a guide of G02" in text
    (tmp_path / "targets.csv").write_text("G00-1\n")
    assert "is not a pair" in refused(*arguments, "--targets", tmp_path / "targets.csv")


def test_score__without_a_scale_says_why(tmp_path):
    cells_of("", np.random.default_rng(1), effect=0.0).write_h5ad(tmp_path / "nothing.h5ad")
    arguments = ["score", tmp_path / "nothing.h5ad", tmp_path / "nothing.h5ad", "--protocol", 2026]
    result, text = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "There is no score of the challenge of 2026: " in text
    assert "has no scale: its baseline is" in text
    found = json.loads(run(*arguments, "--format=json")[1])
    assert found["challenge_2026"]["score"] is None
    one = ad.read_h5ad(tmp_path / "nothing.h5ad")[:61].copy()
    one.write_h5ad(tmp_path / "one.h5ad")
    _, text = run("score", tmp_path / "one.h5ad", tmp_path / "one.h5ad", "--protocol", 2026)
    assert "A replicate needs two cells of every perturbation" in text


def test_pair__of_files_of_which_one_names_its_context_is_that_context(lab):
    whole = lab / "measured_A.h5ad"
    ((name, predicted, truth),) = read_pairs(whole, [whole])
    assert name == "A"
    assert predicted.perturbations == truth.perturbations == tuple(TARGETS)
    plain = Cells(truth.values, truth.labels, truth.genes, truth.control)
    scores = score_contexts([Pair("", plain, plain)])
    assert scores.shares("")["significant_jaccard"] > 1.0
