"""What perturbation, coverage and feature pages say, against the warehouse asked otherwise."""

from __future__ import annotations

import io
import re

import numpy as np
import polars as pl
import pytest

from featurestore.features.plan import plan
from featurestore.query.warehouse import Warehouse
from featurestore.ui.pages import plan as planning


@pytest.fixture(scope="module")
def strongest(world):
    """The perturbation that does most in K562."""
    with Warehouse(world) as store:
        return store.frame(
            "select perturbation_id from condition join quality using (dataset_id, condition_id) "
            "where dataset_id = 'replogle_demo_k562' order by effect_norm desc limit 1"
        ).item()


@pytest.fixture(scope="module")
def keys(world, strongest):
    """Its conditions, as addresses name them."""
    with Warehouse(world) as store:
        return dict(
            store.frame(
                "select context_label, dataset_id || ':' || condition_id from condition where perturbation_id = ?",
                [strongest],
            ).iter_rows()
        )


def effects(world, key: str) -> dict[str, float]:
    dataset_id, _, condition_id = key.partition(":")
    with Warehouse(world) as store:
        return dict(
            store.frame(
                "select gene_id, effect from signature where dataset_id = ? and condition_id = ?",
                [dataset_id, condition_id],
            ).iter_rows()
        )


def drawn(client, address: str, **values: str) -> list[dict]:
    """The points of a chart."""
    (points,) = client.get(address, params=values).json()["datasets"].values()
    return points


def test_scatter__is_of_the_genes_that_both_measured(client, world, strongest, keys):
    values = {"id": strongest, "a": keys["K562"], "b": keys["A549"]}
    file = client.get("/perturbation/scatter.parquet", params=values).content
    shown = pl.read_parquet(io.BytesIO(file)).sort("gene_id")
    one, other = effects(world, keys["K562"]), effects(world, keys["A549"])
    both = sorted(one.keys() & other.keys())
    assert shown["gene_id"].to_list() == both
    np.testing.assert_array_equal(shown["effect_a"], np.float32([one[gene] for gene in both]))
    np.testing.assert_array_equal(shown["effect_b"], np.float32([other[gene] for gene in both]))
    others = [gene for gene in both if gene != strongest]
    r = np.corrcoef([one[gene] for gene in others], [other[gene] for gene in others])[0, 1]
    assert f"r = {r:.2f}, own targets left out" in client.get("/perturbation", params=values).text


def test_similarity__has_the_correlation_of_every_two_signatures(client, world, strongest, keys):
    cells = drawn(client, "/perturbation/similarity.json", id=strongest)
    assert len(cells) == len(keys) ** 2
    name = {label: next(cell["one"] for cell in cells if label in cell["one"].replace("-", "")) for label in keys}
    one, other = effects(world, keys["RPE1"]), effects(world, keys["HT29"])
    both = sorted((one.keys() & other.keys()) - {strongest})
    cell = next(cell for cell in cells if (cell["one"], cell["other"]) == (name["RPE1"], name["HT29"]))
    assert cell["genes"] == len(both)
    assert cell["r"] == pytest.approx(
        np.corrcoef([one[gene] for gene in both], [other[gene] for gene in both])[0, 1], abs=1e-4
    )


def test_volcano__of_a_source_without_p_values_says_so(client, strongest, keys):
    (why,) = drawn(client, "/perturbation/volcano.json", id=strongest, a=keys["A549"])
    assert "no p-value" in why["why"]


def test_volcano__names_the_ten_surest_genes_and_leads_to_each(client, world, strongest, keys):
    sets = client.get("/perturbation/volcano.json", params={"id": strongest, "a": keys["K562"]}).json()["datasets"]
    dataset_id, _, condition_id = keys["K562"].partition(":")
    with Warehouse(world) as store:
        surest = store.frame(
            "select gene_symbol, gene_id from signature where dataset_id = ? and condition_id = ? and q_value < 0.05 "
            "order by abs(z) desc limit 10",
            [dataset_id, condition_id],
        )
    assert {row["gene"]: row["page"] for row in sets["named"]} == {
        symbol: f"/gene?id={gene}" for symbol, gene in surest.iter_rows()
    }
    assert sets["line"] == [{"sureness": pytest.approx(-np.log10(0.05), rel=1e-4), "words": "q = 0.05"}]
    assert all(row["place"] <= row["sureness"] for row in sets["named"])


def test_volcano__that_would_be_empty_is_a_sentence(client, strongest, keys):
    page = client.get("/perturbation", params={"id": strongest, "a": keys["A549"]}).text
    assert "There is no volcano of A549, 96 h, lincs_demo: its effects (moderated_z) have no p-value." in page
    assert "/perturbation/volcano.json" not in page


def test_heat__is_z_of_each_signature_and_unknown_where_it_has_none(client, world, strongest, keys):
    cells = drawn(client, "/perturbation/heat.json", id=strongest)
    name = {label: next(c["condition"] for c in cells if label in c["condition"].replace("-", "")) for label in keys}
    with Warehouse(world) as store:
        for label, column in (("K562", "z"), ("HT29", "effect")):
            dataset_id, _, condition_id = keys[label].partition(":")
            expected = dict(
                store.frame(
                    f"select gene_symbol, {column}::double from signature where dataset_id = ? and condition_id = ?",
                    [dataset_id, condition_id],
                ).iter_rows()
            )
            shown = {cell["gene"]: cell["z"] for cell in cells if cell["condition"] == name[label]}
            unknown = {gene for gene, value in shown.items() if value is None}
            assert unknown == {gene for gene in shown if expected.get(gene) is None}
            known = shown.keys() - unknown
            assert {gene: shown[gene] for gene in known} == pytest.approx({g: expected[g] for g in known}, rel=1e-4)
            surest = sorted(expected, key=lambda gene: -abs(expected[gene] or 0))[:10]
            assert set(surest) <= shown.keys()


@pytest.mark.parametrize(("chart", "n_sources"), [("volcano", 1), ("scatter", 2), ("heat", 3)])
def test_pictures_say_what_they_show_and_from_which_datasets(client, strongest, keys, chart, n_sources):
    values = {"id": strongest, "a": keys["K562"], "b": keys["RPE1"]}
    picture = client.get(f"/perturbation/{chart}.svg", params=values).text
    sources = set(re.findall(r"(\w+): Simulated", picture))
    assert len(sources) == n_sources
    assert "replogle_demo_k562" in sources
    assert "featurestore, snapshot 3" in picture
    assert "/gene?id=" not in picture


@pytest.mark.parametrize("part", ["coverage/overlaps", "plan/covered"])
def test_pictures_of_many_datasets_name_them(client, world_files, part):
    spec = (world_files / "features.toml").read_text()
    picture = client.get(f"/{part}.svg", params={"text": spec} if "plan" in part else {}).text
    assert {"replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo"} == set(re.findall(r"(\w+): Simulated", picture))


def test_names_of_a_volcano_keep_off_dots():
    """B and C lie where the name of A would be, to its left: A's name goes below both."""
    from featurestore.ui.signature_charts import volcano

    points = pl.DataFrame(
        {
            "gene": ["A", "B", "C", "D"],
            "effect": [5.0, 4.5, 4.2, -5.0],
            "sureness": [100.0, 100.0, 95.0, 0.0],
            "q": [1e-100, 1e-100, 1e-95, 1.0],
            "kind": ["q < 0.05"] * 3 + ["not significant"],
            "page": ["/"] * 4,
        }
    )
    named = {each["gene"]: each for each in volcano(points, "log2fc", 4)["datasets"]["named"]}
    places = {gene: each["place"] for gene, each in named.items()}
    assert places["A"] == 90.0  # a name takes 5 % of 100: 100 is B's dot, 95 is C's
    assert places["B"] < 90.0
    assert len(set(places.values())) == 3


def test_picture_of_a_hit_names_the_query_and_both_datasets(client, keys):
    picture = client.get("/similar/enrichment.svg", params={"condition": keys["K562"], "hit": keys["RPE1"]}).text
    assert f"against {keys['RPE1']}"[:40] in picture
    assert {"replogle_demo_k562", "replogle_demo_rpe1"} == set(re.findall(r"(\w+): Simulated", picture))


def test_charts_of_a_dark_page_have_the_contrast_of_text(client, strongest):
    def light(colour: str) -> float:
        shares = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for address in (f"/perturbation/volcano.json?id={strongest}", "/dataset/null.json?id=replogle_demo_k562"):
        text = client.get(f"{address}&theme=dark").text
        colours = set(re.findall(r'"range":\[([^\]]*)\]', text)[0].replace('"', "").split(","))
        for colour in colours:
            blended = [round(0.8 * int(colour[k : k + 2], 16) + 0.2 * g) for k, g in ((1, 0x12), (3, 0x16), (5, 0x1D))]
            seen = "#" + "".join(f"{part:02x}" for part in blended)
            assert (light(seen) + 0.05) / (light("#12161d") + 0.05) >= 4.5, colour


def test_null__is_a_qq_plot_of_the_datasets_calibration(client, world):
    values = {"id": "replogle_demo_k562"}
    sets = client.get("/dataset/null.json", params=values).json()["datasets"]
    points = next(rows for rows in sets.values() if "observed" in rows[0])
    with Warehouse(world) as store:
        table = store.frame("select n_cells, p_quantiles from calibration where dataset_id = 'replogle_demo_k562'")
    assert len(points) == sum(len(quantiles) for quantiles in table["p_quantiles"])
    smallest = table.filter(n_cells=table["n_cells"].min())["p_quantiles"].item().to_list()
    own = [point["observed"] for point in points if point["n_cells"] == table["n_cells"].min()]
    np.testing.assert_allclose(own, -np.log10(smallest), atol=1e-3)
    page = client.get("/dataset", params=values).text
    assert "pretend conditions of" in page
    assert "Where nothing happened" in page


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_charts_can_be_had_as_pictures(client, strongest, suffix):
    picture = client.get(f"/perturbation/volcano.{suffix}", params={"id": strongest}).content
    assert picture.startswith({"svg": b"<svg", "png": b"\x89PNG"}[suffix])


def test_perturbation__that_is_not_here_is_said_in_a_sentence(client, strongest):
    assert "There is no such perturbation" in client.get("/perturbation?id=ENSG0").text
    unknown = client.get("/perturbation", params={"id": strongest, "a": "no:thing"})
    assert "There is no such signature" in unknown.text


def test_coverage__counts_conditions_by_dataset_kind_and_context(client, world):
    headings = re.findall(r'<a href="[^"]*perturbations_sort=[^"]*">([^<]*)</a>', client.get("/coverage").text)
    assert headings == ["perturbation", "datasets", "lincs_demo", "replogle_demo_k562", "replogle_demo_rpe1"]
    with Warehouse(world) as store:
        expected = store.frame(
            "select perturbation_id, count(*) filter (dataset_id = 'replogle_demo_k562') k, "
            "count(*) filter (dataset_id = 'lincs_demo') l from condition where not is_control group by 1 order by 1"
        )
    shown = pl.read_csv(client.get("/coverage/perturbations.csv").content).sort("perturbation_id").fill_null(0)
    columns = ("perturbation_id", "replogle_demo_k562", "lincs_demo")
    assert shown.select(columns).rows() == expected.rows()
    only = pl.read_csv(client.get("/coverage/perturbations.csv?context=CVCL_0023").content)
    assert "replogle_demo_k562" not in only.columns
    assert "No condition is of this kind" in client.get("/coverage?kind=compound").text


def test_overlap__lists_what_two_datasets_share(client):
    shared = pl.read_csv(client.get("/overlap/shared.csv?a=replogle_demo_k562&b=lincs_demo").content)
    assert shared.height == 40
    assert set(shared["n_conditions_a"]) == {1}
    assert set(shared["n_conditions_b"]) == {2}


def test_overlap__without_names_is_of_the_first_two_datasets(client, world):
    with Warehouse(world) as store:
        names = store.sql("select dataset_id from dataset").pl()["dataset_id"].to_list()
    page = client.get("/overlap")
    one, other = re.search(r"What (\S+) and (\S+) share", page.text).groups()
    assert page.status_code == 200
    assert one != other
    assert {one, other} <= set(names)
    shown = client.get("/overlap/shared.csv")
    assert shown.content == client.get(f"/overlap/shared.csv?a={one}&b={other}").content


def test_plan__of_a_saved_spec_is_the_commands(keeper, kept, world_files):
    label = "k562_from_other_experiments@1"
    assert label in keeper.get("/features").text
    with Warehouse(kept) as store:
        made = plan(store, world_files / "features.toml")
    page = keeper.get("/plan", params={"spec": label}).text
    assert f"<strong>{made.facts['n_rows']}</strong> rows" in page
    assert "Nothing is withheld" in page
    sources = pl.read_csv(keeper.get("/plan/sources.csv", params={"spec": label}).content)
    assert sources["source"].to_list() == made.sources["source"].to_list()
    assert sources["agreement"].to_list() == pytest.approx(made.sources["agreement"].to_list())


def test_plan__says_unknown_where_cells_are_not_known(keeper, kept):
    spec = '[target]\ndataset = "replogle_demo_k562"\n[[feature]]\nkind = "signature"\n'
    spec += 'datasets = ["replogle_demo_rpe1"]\n[[feature]]\nkind = "signature"\ndatasets = ["lincs_demo"]\n'
    spec += 'effect_kind = "moderated_z"\n'
    cells = drawn(keeper, "/plan/covered.json", text=spec)
    of_wells = [cell["n"] for cell in cells if "lincs" in cell["source"]]
    assert set(of_wells) == {None}
    with Warehouse(kept) as store:
        known = store.frame("select n_cells from condition where dataset_id = 'replogle_demo_rpe1' and not is_control")
    assert {cell["n"] for cell in cells if "rpe1" in cell["source"]} <= set(known["n_cells"])
    assert '"unknown"' in keeper.get("/plan/covered.json", params={"text": spec}).text


def test_plan__shows_what_the_guard_withholds(keeper):
    leak = (
        '[target]\ndataset = "replogle_demo_k562"\n[[feature]]\nkind = "signature"\ndatasets = ["replogle_demo_k562"]\n'
    )
    page = keeper.get("/plan", params={"text": leak}).text
    assert "It would withhold" in page
    assert "shares experiment" in page


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "not TOML"),
        (
            '[target]\ndataset = "nothing"\n[[feature]]\nkind = "signature"\ndatasets = ["lincs_demo"]',
            "no dataset &#39;nothing&#39;",
        ),
        ('[target]\ndataset = "lincs_demo"\n[[feature]]\nkind = "embedding"\nfile = "/etc/passwd"', "once it is saved"),
    ],
)
def test_plan__of_a_wrong_spec_says_why_and_keeps_the_text(keeper, kept, text, says):
    page = keeper.get("/plan", params={"text": text}).text
    assert says in page
    assert 'role="alert"' in page
    assert str(kept) not in page
    assert text.partition("\n")[0] in page.replace("&#34;", '"')


def test_matrix__shows_its_manifest_and_the_guards_verdict(keeper):
    key = re.search(r"/matrix\?id=([0-9a-f]+)", keeper.get("/features").text).group(1)
    page = keeper.get(f"/matrix?id={key}").text
    assert "0 sources share an experiment with the rows" in page
    assert "CC0-1.0" in page
    manifest = keeper.get(f"/matrix/manifest.json?id={key}").json()
    assert manifest["guard"]["experiments"]["n_shared_experiments"] == 0


def test_report__shows_scores_and_verdict(keeper):
    page = keeper.get("/report?id=one").text
    assert "same perturbation elsewhere" in page
    assert pl.read_csv(keeper.get("/report/single.csv?id=one").content)["model"].n_unique() == 2


def test_report__shows_every_picture_and_gives_the_whole_of_it(keeper, kept):
    page = keeper.get("/report?id=one").text
    pictures = sorted(path.stem for path in (kept / "reports" / "one").glob("*.png"))
    assert "elsewhere" in pictures
    for name in pictures:
        assert f'<img src="/report/{name}.png?id=one"' in page
        assert keeper.get(f"/report/{name}.png?id=one").content.startswith(b"\x89PNG")
    whole = keeper.get("/report/report.html?id=one")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.content == (kept / "reports" / "one" / "report.html").read_bytes()
    assert keeper.get("/report/scores.json?id=one").json()["n_perturbations"] == 40


def test_report__shows_no_picture_that_lies_elsewhere(keeper, kept, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    link = kept / "reports" / "one" / "linked.png"
    link.symlink_to(tmp_path / "secret.png")
    try:
        assert keeper.get("/report/linked.png?id=one").status_code == 404
        assert "linked.png" not in keeper.get("/report?id=one").text
    finally:
        link.unlink()


def test_plan__that_takes_too_long_is_given_up(keeper, monkeypatch):
    monkeypatch.setattr(planning, "SECONDS", -1.0)
    spec = (
        '[target]\ndataset = "replogle_demo_rpe1"\n[[feature]]\nkind = "signature"\ndatasets = ["replogle_demo_k562"]\n'
    )
    page = keeper.get("/plan", params={"text": spec}).text
    assert "The plan took too long." in page
    assert "featurestore plan SPEC.toml" in page
    monkeypatch.undo()
    assert "Nothing is withheld" in keeper.get("/plan", params={"text": spec}).text


def test_facts_and_manifests_can_be_had_as_files(keeper, client, strongest):
    facts = pl.read_csv(client.get("/dataset/facts.csv?id=lincs_demo").content)
    assert facts["dataset_id"].to_list() == ["lincs_demo"]
    manifest = client.get("/dataset/manifest.json?id=lincs_demo")
    assert manifest.json()["release_id"] == facts["release_id"][0]
    gene = pl.read_csv(client.get("/gene/facts.csv?id=ENSG00000165406").content)
    assert "MARCH8" in gene["names"][0].split("|")
    planned = pl.read_csv(keeper.get("/plan/facts.csv?spec=k562_from_other_experiments@1").content)
    assert planned["n_rows"].to_list() == [40]


@pytest.mark.parametrize("name", ["../releases", "..", "one/../one", "/etc"])
@pytest.mark.parametrize("page", ["matrix", "report"])
def test_only_what_lies_in_its_folder_is_shown(keeper, page, name):
    answer = keeper.get(f"/{page}", params={"id": name})
    assert answer.status_code == 400
    assert "There is none of that name" in answer.text
