// Charts: each figure names a Vega-Lite specification, drawn here without eval, in the page's colours.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");

async function draw(figure) {
  const place = figure.querySelector(".chart");
  const separator = figure.dataset.spec.includes("?") ? "&" : "?";
  const theme = dark.matches ? "dark" : "light";
  const response = await fetch(figure.dataset.spec + separator + "theme=" + theme);
  if (!response.ok) {
    place.textContent = "The chart could not be made; reload the page to try again.";
    return;
  }
  const spec = await response.json();
  await vegaEmbed(place, spec, {
    ast: true,
    actions: false,
    defaultStyle: false,
    renderer: "canvas",
    tooltip: { disableDefaultStyle: true },
  });
  place.removeAttribute("aria-busy");
  figure.dataset.drawn = theme;
}

function drawAll() {
  document.querySelectorAll("figure[data-spec]").forEach(draw);
}

// Ctrl+Enter runs the statement; a slash goes to the search.
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.requestSubmit();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    document.querySelector("#search").focus();
  }
});

document.querySelectorAll("select[data-submit]").forEach((select) => {
  select.addEventListener("change", () => select.form.requestSubmit());
});

// A table of genes and values, read here and sent to nobody: its ends become the two lists of genes.
const MOST_IN_SET = 150;
const GENE_COLUMNS = ["gene_id", "gene", "genes", "gene_symbol", "symbol", "names", "gene_name", "feature", "id", ""];
const VALUE_COLUMNS = [
  "z", "zscore", "z_score", "stat", "statistic", "t", "scores", "score", "value", "effect", "log2foldchange", "log2fc",
  "logfoldchanges", "avg_log2fc", "logfc", "lfc", "log2_fold_change",
];

function endsOf(text) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  const separator = ["\t", ",", ";"].sort((a, b) => lines[0].split(b).length - lines[0].split(a).length)[0];
  const rows = lines.map((line) => line.split(separator).map((cell) => cell.trim().replace(/^"|"$/g, "")));
  const names = rows[0].map((name) => name.toLowerCase().replace(/[ .]/g, "_"));
  const isNumber = (cell) => cell !== "" && Number.isFinite(Number(cell));
  const hasHeader = !rows[0].some(isNumber);
  const body = hasHeader ? rows.slice(1) : rows;
  const numeric = names.map((_, k) => body.some((row) => isNumber(row[k] ?? "")));
  const named = (known) => (hasHeader ? known.map((name) => names.indexOf(name)).find((k) => k >= 0) : undefined);
  const gene = named(GENE_COLUMNS) ?? numeric.indexOf(false);
  const others = names.map((_, k) => k).filter((k) => numeric[k] && k !== gene);
  const value = named(VALUE_COLUMNS) ?? (others.length === 1 ? others[0] : undefined);
  if (gene < 0 || value === undefined) {
    throw new Error("A column of genes and one of values are needed: name them gene and value.");
  }
  const known = body.filter((row) => row[gene] && isNumber(row[value] ?? ""));
  known.sort((a, b) => Number(b[value]) - Number(a[value]));
  const up = known.filter((row) => Number(row[value]) > 0).slice(0, MOST_IN_SET);
  const down = known.filter((row) => Number(row[value]) < 0).slice(-MOST_IN_SET);
  return { up: up.map((row) => row[gene]), down: down.map((row) => row[gene]), column: rows[0][value], n: known.length };
}

document.querySelectorAll("input[type=file][data-up]").forEach((input) => {
  input.addEventListener("change", async () => {
    const said = document.querySelector("output[for='" + input.id + "']");
    try {
      const ends = endsOf(await input.files[0].text());
      document.getElementById(input.dataset.up).value = ends.up.join("\n");
      document.getElementById(input.dataset.down).value = ends.down.join("\n");
      said.textContent = `${ends.up.length} up and ${ends.down.length} down, by ${ends.column}, of ${ends.n} genes.`;
    } catch (failure) {
      said.textContent = failure.message;
    }
  });
});

// A file that is chosen fills the text that its form sends.
document.querySelectorAll("input[type=file][data-text]").forEach((input) => {
  input.addEventListener("change", async () => {
    const text = await input.files[0].text();
    document.getElementById(input.dataset.text).value = text;
    const n = text.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#")).length;
    document.querySelector("output[for='" + input.id + "']").textContent = n === 1 ? "1 set" : n + " sets";
  });
});

if (document.querySelector("figure[data-spec]")) {
  dark.addEventListener("change", drawAll);
  drawAll();
}
