"""``featurestore show``: what is known of one name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import polars as pl

from featurestore.commands.options import as_picture, snapshot_option, table_or_json_option
from featurestore.counts import count_of
from featurestore.errors import did_you_mean

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_SHOWN = [
    "dataset_id",
    "context_label",
    "perturbation_kind",
    "dose_um",
    "time_h",
    "n_cells",
    "knockdown_ratio",
    "n_significant",
    "is_responder",
]
_GENES = ["gene", "effect", "log2fc", "z", "q_value"]
_RESPONSES = [
    "perturbation_label",
    "dataset_id",
    "context_label",
    "dose_um",
    "time_h",
    "n_cells",
    "effect",
    "effect_kind",
    "z",
    "q_value",
]
_HEADINGS = {
    "conditions": "Its conditions, those that change most genes first:",
    "up": "Genes that go up in {of}:",
    "down": "Genes that go down in {of}:",
    "responses": "What moves {name} most:",
    "datasets": "Datasets that measured {name}:",
    "strongest": "Conditions that change most genes:",
}
_DIGITS = 4
_FLOATS = pl.selectors.float()
_COMPARED = 20
"""Signatures of one heat map."""


def _picture(help_text: str) -> dict[str, Any]:
    return {"type": click.Path(dir_okay=False, path_type=Path), "callback": as_picture, "help": help_text}


@click.command()
@click.argument("name")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many of each list.")
@click.option(
    "--condition", metavar="DATASET:ID", help="The condition whose genes are listed; the clearest by default."
)
@click.option("--volcano", **_picture("Draw its genes: PNG, SVG or PDF."))
@click.option("--heat-map", **_picture("Draw its surest genes in all its conditions: PNG, SVG or PDF."))
@table_or_json_option
@snapshot_option
@click.pass_obj
def show(
    warehouse: Path,
    name: str,
    top: int,
    condition: str | None,
    volcano: Path | None,
    heat_map: Path | None,
    form: str,
    snapshot: int | None,
) -> None:
    """Show what is known of NAME: a gene, perturbation, compound, cell line or dataset, by any of its names.

    A perturbation: its conditions, whether the knock-down worked, and the genes that it changes most, up and down. A
    gene: what changes it most. A cell line or dataset: what was measured there.

    \b
    Examples:
      featurestore show STAT1
      featurestore show STAT1 --volcano stat1.png --heat-map stat1_everywhere.png
      featurestore show K-562
    """
    from featurestore.commands.terminal import patience  # noqa: PLC0415
    from featurestore.lookup.named import find_named, refuse_name_of_several_genes  # noqa: PLC0415
    from featurestore.query.warehouse import Warehouse  # noqa: PLC0415

    with Warehouse(warehouse, snapshot) as store, patience(f"looking for {name}"):
        found = find_named(store, name)
        is_perturbed = found["entity"].is_in(["perturbation", "compound"])
        if (volcano or heat_map or condition) and not is_perturbed.any():
            refuse_name_of_several_genes(found, name)
            raise click.UsageError(f"'{name}' is no perturbation of this warehouse: it has no signature to draw.")
        parts = [
            _CARDS[entity](store, identity, top) | {"is": entity, "id": identity, "name": label, "what": what}
            for entity, identity, label, what in found.iter_rows()
            if entity not in {"perturbation", "compound"}
        ]
        drawn = found.filter(is_perturbed).unique("id", keep="first", maintain_order=True)
        perturbed = [
            _perturbation(store, identity, top, condition, volcano, heat_map)
            | {"is": entity, "id": identity, "name": label, "what": what}
            for entity, identity, label, what in drawn.iter_rows()
        ]
    if form == "json":
        rows = [{key: _plain(value) for key, value in part.items()} for part in perturbed + parts]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    click.echo("\n\n".join(_described(part) for part in perturbed + parts))


def _perturbation(
    store: Warehouse, identity: str, top: int, condition: str | None, volcano: Path | None, heat_map: Path | None
) -> dict[str, Any]:
    from featurestore.lookup.cards import conditions_of, moved_most, signature_of  # noqa: PLC0415

    conditions = conditions_of(store, identity)
    keys = [f"{dataset}:{one}" for dataset, one in conditions.select("dataset_id", "condition_id").iter_rows()]
    if condition is not None and condition not in keys:
        raise click.UsageError(f"'{condition}' is none of its conditions; {did_you_mean(condition, keys)}")
    key = condition or keys[0]
    signature = signature_of(store, *key.split(":", 1))
    part = {
        "conditions": conditions.select(_SHOWN).head(top),
        "up": moved_most(signature, top, up=True).select(_GENES),
        "down": moved_most(signature, top, up=False).select(_GENES),
        "of": key,
    }
    title = conditions["perturbation"][0]
    if volcano is not None:
        from featurestore.lookup import pictures  # noqa: PLC0415

        pictures.save(pictures.volcano(signature, f"{title}: {key}"), volcano)
    if heat_map is not None:
        from featurestore.lookup import pictures  # noqa: PLC0415

        read = [(each, signature_of(store, *each.split(":", 1))) for each in keys[:_COMPARED]]
        measured = [(each, one) for each, one in read if one.height]
        names = [f"{one['context_label'][0]}, {each}" for each, one in measured]
        pictures.save(pictures.heat_map([one for _, one in measured], names, title), heat_map)
    return {"n_conditions": conditions.height, "n_datasets": conditions["dataset_id"].n_unique(), **part}


def _gene(store: Warehouse, identity: str, top: int) -> dict[str, Any]:
    from featurestore.lookup.cards import responses_of  # noqa: PLC0415

    responses = responses_of(store, identity)
    return {"n_conditions": responses.height, "responses": responses.select(_RESPONSES).head(top)}


def _context(store: Warehouse, identity: str, top: int) -> dict[str, Any]:
    from featurestore.lookup.cards import datasets_in  # noqa: PLC0415

    return {"datasets": datasets_in(store, identity).head(top)}


def _dataset(store: Warehouse, identity: str, top: int) -> dict[str, Any]:
    from featurestore.lookup.cards import strongest_of  # noqa: PLC0415

    strongest = strongest_of(store, identity)
    return {
        "n_conditions": strongest.height,
        "n_responders": int(known.sum()) if (known := strongest["is_responder"].drop_nulls()).len() else None,
        "strongest": strongest.head(top),
    }


_CARDS: dict[str, Callable[[Warehouse, str, int], dict[str, Any]]] = {
    "gene": _gene,
    "context": _context,
    "dataset": _dataset,
}


def _plain(value: Any) -> Any:
    """Make JSON of a table."""
    from featurestore.query.results import json_text  # noqa: PLC0415

    return json.loads(json_text(value)) if isinstance(value, pl.DataFrame) else value


def _described(part: dict[str, Any]) -> str:
    from featurestore.commands.shown import table_text  # noqa: PLC0415

    told = [(key[2:].removesuffix("s"), n) for key, n in part.items() if key.startswith("n_")]
    counts = ", ".join(f"{what}s not known" if n is None else count_of(n, what) for what, n in told)
    what = [words for words in (part["what"] or "").split("; ") if words]
    lines = [f"{part['name']} ({part['is']}): {'; '.join(filter(None, (*what, counts)))}"]
    for key, value in part.items():
        if isinstance(value, pl.DataFrame) and value.height:
            known = [each.name for each in value if each.null_count() < value.height]
            lines += [
                "",
                _HEADINGS[key].format_map(part),
                table_text(value.select(known).with_columns(_FLOATS.cast(pl.Float64).round_sig_figs(_DIGITS))),
            ]
    return "\n".join(lines)
