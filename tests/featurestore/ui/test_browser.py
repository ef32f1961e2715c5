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
    "dataset": "/dataset?id=replogle_demo_k562",
    "coverage": "/coverage",
    "overlap": "/overlap?a=replogle_demo_k562&b=lincs_demo",
    "perturbation": "/perturbation?id={gene}",
    "gene": "/gene?id={gene}",
    "features": "/features",
    "plan": "/plan?text={spec}",
    "sql": "/sql?query=select+dataset_id,+n_cells+from+dataset",
    "sql_refused": "/sql?query=select+*+from+read_csv('/etc/passwd')",
    "missing": "/nothing",
}
MODES = {"light": 1280, "dark": 360}
"""Colours, and the width of the window: a desk's and a phone's. Unit: pixels."""
PICTURES = os.environ.get("FEATURESTORE_SCREENSHOTS")
"""Folder for pictures of every page, where they are wanted."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here")


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def values(world, world_files):
    """Names that addresses are made with."""
    from featurestore.warehouse import Warehouse

    with Warehouse(world) as store:
        row = store.frame(
            "select target_gene_ids[1] as gene from condition join quality "
            "using (dataset_id, condition_id) where dataset_id = 'replogle_demo_k562' order by effect_norm desc limit 1"
        ).row(0, named=True)
    return row | {"spec": quote((world_files / "features.toml").read_text())}


@pytest.fixture
def visit(browser, served):
    """Open an address in light or dark; what went wrong is told at the end."""
    wrong, contexts = [], []

    def visit(address: str, mode: str = "light"):
        context = browser.new_context(color_scheme=mode, viewport={"width": MODES[mode], "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request", lambda request: None if request.url.startswith((served, "data:")) else wrong.append(request.url)
        )
        page.goto(served + address)
        expect(page.locator(".chart[aria-busy]")).to_have_count(0)
        return page

    yield visit
    for context in contexts:
        context.close()
    allowed = "Failed to load resource: the server responded with a status of 40"
    assert [text for text in wrong if not text.startswith(allowed)] == []


@pytest.mark.parametrize("name", PAGES)
def test_page__is_usable_by_all_on_a_desk_and_on_a_phone(visit, values, name):
    for mode, width in MODES.items():
        page = visit(PAGES[name].format(**values), mode)
        options = {} if mode == "light" else {"runOnly": ["color-contrast", "scrollable-region-focusable"]}
        found = Axe().run(page, options=options).response["violations"]
        faults = [(each["id"], node["html"], node["failureSummary"]) for each in found for node in each["nodes"]]
        assert faults == [], mode
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(PICTURES) / f"{name}_{mode}.png", full_page=True)


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
    expect(figure.locator(".chart[aria-busy]")).to_have_count(0)
    drawn = figure.locator("canvas").evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert drawn > 50, "an empty canvas has one colour"


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
    page.goto(f"{served}/dataset?id=replogle_demo_k562", wait_until="networkidle")
    sizes = page.locator("figure img").evaluate_all("pictures => pictures.map(each => each.naturalWidth)")
    context.close()
    assert sizes
    assert all(size > 0 for size in sizes)
