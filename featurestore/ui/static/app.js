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

if (document.querySelector("figure[data-spec]")) {
  dark.addEventListener("change", drawAll);
  drawAll();
}
