"""Every page in a real browser: no error, no other host, usable by all; pictures kept where CI collects them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGES = {
    "catalogue": "/",
    "search": "/search?q=march8",
    "nothing_found": "/search?q=no+such+thing",
    "typing_error": "/search?q=marhc8",
    "dataset_of_wells": "/dataset?id=lincs_demo&conditions_all=yes",
    "dataset": "/dataset?id=replogle_demo_k562",
    "coverage": "/coverage",
    "overlap": "/overlap?a=replogle_demo_k562&b=lincs_demo",
    "perturbation": "/perturbation?id={gene}",
    "gene": "/gene?id={gene}",
    "similar": "/similar?perturbation={gene}",
    "enrichment": "/enrichment?perturbation={gene}",
    "features": "/features",
    "plan": "/plan?text={spec}",
    "matrix": "/matrix?id={matrix}",
    "report": "/report?id=one",
    "sql": "/sql?query=select+dataset_id,+n_cells+from+dataset",
    "sql_refused": "/sql?query=select+*+from+read_csv('/etc/passwd')",
    "missing": "/nothing",
}
MODES = {"light": 1280, "dark": 360}
"""Colours, and the width of the window: a desk's and a phone's. Unit: pixels."""
ALIKE = {"exclude": [["tbody tr:nth-child(n+11)"]]}
"""Rows that are made as the ten above them, and take most of the time."""
VIOLATIONS = {"resultTypes": ["violations"]}
FITS = "width => document.documentElement.scrollWidth <= width"
PATIENCE = 120_000
"""How long a page may take on a machine that is busy. Unit: milliseconds."""
PICTURES = os.environ.get("FEATURESTORE_SCREENSHOTS")
"""Folder for pictures of every page, where they are wanted."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here")


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def values(kept, world_files):
    """Names that addresses are made with."""
    from featurestore.query.warehouse import Warehouse

    with Warehouse(kept) as store:
        row = store.frame(
            "select target_gene_ids[1] as gene from condition join quality "
            "using (dataset_id, condition_id) where dataset_id = 'replogle_demo_k562' order by effect_norm desc limit 1"
        ).row(0, named=True)
        symbols = store.frame(
            "select distinct gene_symbol from signature where dataset_id = 'replogle_demo_k562' order by all limit 30"
        )
        row["symbols"] = "\t".join(symbols.to_series().drop_nulls())
    matrix = next((kept / "matrices").glob("[!.]*/manifest.json")).parent.name
    return row | {"matrix": matrix, "spec": quote((world_files / "features.toml").read_text())}


@pytest.fixture(scope="module")
def window(browser, served):
    """One window for all pages, and a list of what goes wrong in it."""
    wrong: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((served, "data:")) else wrong.append(request.url))
    yield page, wrong
    page.close()


@pytest.fixture
def visit(window, served):
    """Open an address on a desk, in light; what went wrong is told at the end."""
    page, wrong = window
    wrong.clear()

    def visit(address: str):
        show(page, "light")
        page.goto(served + address)
        expect(page.locator("figure[data-spec]:not([data-drawn=light])")).to_have_count(0)
        return page

    yield visit
    allowed = "Failed to load resource: the server responded with a status of 40"
    assert [text for text in wrong if not text.startswith(allowed)] == []


def show(page, mode: str) -> None:
    """Turn to light or dark, and to the width that goes with it."""
    page.set_viewport_size({"width": MODES[mode], "height": 800})
    page.emulate_media(color_scheme=mode)


def require_soon(page, question: str, arg: int) -> None:
    """Ask a page from outside until it says yes: to wait for it by itself, it would evaluate text, and may not."""
    for _ in range(PATIENCE // 50):
        if page.evaluate(question, arg):
            return
        page.wait_for_timeout(50)
    raise AssertionError(question)


@pytest.mark.parametrize("name", PAGES)
def test_page__is_usable_by_all_on_a_desk_and_on_a_phone(visit, values, name):
    require_usable(visit(PAGES[name].format(**values)), name)


def test_enrichment__takes_a_gmt_file_and_is_usable_by_all(visit, values, tmp_path):
    page = visit("/enrichment?perturbation={gene}".format(**values))
    file = tmp_path / "sets.gmt"
    genes = [f"{name}\tof a test\t{values['symbols']}" for name in ("one", "other")]
    file.write_text("\n".join(genes))
    page.set_input_files("#gmt", file)
    expect(page.locator("#taken")).to_have_text("2 sets")
    page.get_by_role("button", name="Test").click()
    page.wait_for_url("**sets=*")
    expect(page.locator("figure[data-spec] canvas")).to_have_count(2)
    expect(page.locator("#tested tbody tr")).to_have_count(2)
    require_usable(page, "enrichment_found")


def require_usable(page, name: str) -> None:
    of_colours = {"runOnly": ["color-contrast", "scrollable-region-focusable"]}
    options = {"light": VIOLATIONS, "dark": VIOLATIONS | of_colours}
    for mode, width in MODES.items():
        show(page, mode)
        expect(page.locator(f"figure[data-spec]:not([data-drawn={mode}])")).to_have_count(0)
        require_soon(page, FITS, width)
        found = Axe().run(page, ALIKE, options[mode]).response["violations"]
        faults = [(each["id"], node["html"], node["failureSummary"]) for each in found for node in each["nodes"]]
        assert faults == [], mode
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(PICTURES) / f"{name}_{mode}.png", full_page=True)


def test_report__has_its_pictures(visit):
    page = visit(PAGES["report"])
    pictures = page.locator("figure img")
    expect(pictures).not_to_have_count(0)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("each => each.naturalWidth") > 0


def test_report__as_a_file_fits_a_phone(browser, kept):
    page = browser.new_page(viewport={"width": MODES["dark"], "height": 800}, color_scheme="dark")
    page.goto((kept / "reports" / "one" / "report.html").as_uri())
    require_soon(page, FITS, MODES["dark"])
    heights = page.locator("figure img").evaluate_all("pictures => pictures.map(each => each.clientHeight)")
    found = Axe().run(page, None, VIOLATIONS).response["violations"]
    page.close()
    assert [each["id"] for each in found] == []
    assert min(heights) >= 200, "a wide picture that shrinks to the window cannot be read"


def test_volcano__a_dot_leads_to_its_gene(visit, values):
    """The topmost significant dot is found by its colour, wherever it is drawn."""
    page = visit(PAGES["perturbation"].format(**values))
    figure = page.locator("figure", has_text="Volcano of")
    box = figure.locator("canvas").bounding_box()
    at = figure.locator("canvas").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const ratio = canvas.width / canvas.getBoundingClientRect().width;
          const from = [60, 40].map(each => Math.round(each * ratio));
          for (let y = from[1]; y < canvas.height; y++) for (let x = from[0]; x < canvas.width; x++) {
            const k = 4 * (y * canvas.width + x), red = data[k];
            const isBlue = data[k + 2] > red + 80 && data[k + 1] > red + 40;
            if (isBlue && data[k + 3] > 150) return [x / ratio, y / ratio + 2];
          }
        }"""
    )
    page.mouse.click(box["x"] + at[0], box["y"] + at[1])
    page.wait_for_url("**/gene?id=*")
    expect(page.locator("dl.facts")).to_contain_text("Ensembl")


def test_search__by_an_old_symbol_leads_to_the_gene(visit):
    page = visit("/")
    page.keyboard.press("/")
    page.keyboard.type("MARCH8")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="MARCHF8", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("MARCHF8")
    expect(page.locator("dl.facts")).to_contain_text("MARCH8")


def test_perturbation__two_contexts_are_drawn_against_each_other(visit, values):
    page = visit(PAGES["perturbation"].format(**values))
    names = page.locator("select[name=b]").locator("option").all_inner_texts()
    chosen = next(name for name in names if "lincs_demo" in name)
    page.locator("select[name=b]").select_option(chosen)
    page.wait_for_url("**b=lincs_demo*")
    figure = page.locator("figure", has_text="genes that both measured; r =")
    expect(figure.locator("canvas")).to_have_count(1)
    expect(figure).to_have_attribute("data-drawn", "light")
    drawn = figure.locator("canvas").evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert drawn > 50, "an empty canvas has one colour"


def test_similar__a_table_that_is_dropped_becomes_two_lists_of_genes(visit):
    """Of 4 genes with a value other than 0, in the order of their values; what is not a number is left out."""
    page = visit("/similar")
    page.click("summary")
    table = "symbol,log2FoldChange,padj\nJAK2,2.5,0.1\nTP53,-1,0.2\nMYC,0,1\nIRF1,NA,1\nSTAT1,3,0.1\nEGFR,-2,0\n"
    page.set_input_files("#drop", {"name": "table.csv", "mimeType": "text/csv", "buffer": table.encode()})
    expect(page.locator("#dropped")).to_have_text("2 up and 2 down, by log2FoldChange, of 5 genes.")
    assert page.input_value("#up").split() == ["STAT1", "JAK2"]
    assert page.input_value("#down").split() == ["TP53", "EGFR"]
    page.set_input_files("#drop", {"name": "names.csv", "mimeType": "text/csv", "buffer": b"a,b\nx,y\n"})
    expect(page.locator("#dropped")).to_contain_text("A column")


def test_sql__runs_from_the_keyboard_and_refuses_what_is_outside(visit):
    page = visit("/sql")
    editor = page.get_by_label("One SELECT statement")
    editor.fill("select count(*) as n from dataset")
    editor.press("Control+Enter")
    expect(page.locator("#result td")).to_have_text("3")
    page.get_by_label("One SELECT statement").fill("select * from read_text('/etc/hostname')")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_contain_text("file system", ignore_case=True)


def test_first_stop_of_the_keyboard_skips_to_the_content(visit):
    page = visit("/dataset?id=lincs_demo")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_page__without_scripts_has_its_charts_as_pictures(browser, served):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/dataset?id=replogle_demo_k562", wait_until="load")
    sizes = page.locator("figure img").evaluate_all("pictures => pictures.map(each => each.naturalWidth)")
    context.close()
    assert sizes
    assert all(size > 0 for size in sizes)
