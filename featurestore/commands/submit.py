"""``featurestore submit``: predictions written as the cells that a challenge takes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featurestore.commands.options import column_option, control_option, existing_file, in_folder, refuse_given
from featurestore.commands.submit_2026 import Predicted, Report, submit_2026
from featurestore.commands.terminal import progress
from featurestore.counts import count_of
from featurestore.errors import FeatureError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import snapshot_numbers

if TYPE_CHECKING:
    from featurestore.challenge.effects import Same


@click.command()
@click.argument(
    "files",
    type=click.Path(exists=True, path_type=Path),
    nargs=-1,
    required=True,
    metavar="EFFECTS CONTROLS [EFFECTS CONTROLS]...",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    required=True,
    help="File to write.",
)
@click.option(
    "--protocol",
    type=click.Choice(["2025", "2026"]),
    default="2025",
    show_default=True,
    help="Virtual Cell Challenge: .vcc of log1p cells, or .h5ad of counts.",
)
@click.option(
    "--panel",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of 2026: folder with gene_names.csv, pert_counts.csv and manifest.json of the challenge's controls. The file "
    "is a submission: what the challenge would refuse is refused.",
)
@click.option(
    "--missing",
    type=click.Choice(["refuse", "mean"]),
    default="refuse",
    show_default=True,
    help="What perturbations of the panel get that EFFECTS lack: nothing, or the mean of all its effects.",
)
@click.option("--cells", type=click.IntRange(min=1), help="Cells of each perturbation.  [default: 100 or 400]")
@click.option("--genes", type=existing_file, help="File with the genes that are expected, one a line, in order.")
@click.option(
    "--context",
    "contexts",
    multiple=True,
    help="Of 2026: name of the cell context of each CONTROLS, in order; otherwise their column 'context', or the X of "
    "context_X.h5ad, or A.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of control cells.")
@column_option
@control_option
@click.pass_obj
def submit(
    warehouse: Path,
    files: tuple[Path, ...],
    output: Path,
    protocol: str,
    panel: Path | None,
    missing: str,
    cells: int | None,
    genes: Path | None,
    contexts: tuple[str, ...],
    seed: int,
    column: str,
    control: str,
) -> None:
    """Write predicted EFFECTS as cells, made of the control cells of CONTROLS (h5ad) times the predicted fold change.

    EFFECTS is a Parquet or CSV file: a column of perturbations first, then a column for each gene with the predicted
    difference of mean log1p of counts per 10,000; or columns perturbation, gene_id (or gene) and effect, as of 'sql',
    with effect_kind where it says their scale; or the folder that 'evaluate --predictions' wrote. Genes that it does
    not have stay as they are in the controls. A gene may have another name there than here, an Ensembl id and a symbol
    it no longer has: the warehouse's reference tells, if there is a warehouse.

    The challenge of 2026 takes one file of three contexts, which 'vcc prep' packs: give EFFECTS and CONTROLS of each,
    the same EFFECTS as often as they serve, and the panel. Effects of other perturbations are left out. Without a panel
    the cells are for scores of your own.

    \b
    Examples:
      featurestore submit predicted.parquet controls.h5ad -o prediction.vcc --genes gene_names.csv
      featurestore submit a.parquet context_A.h5ad -o prediction.h5ad --protocol 2026 --cells 100
    """
    if protocol == "2025":
        refuse_given(["panel", "missing", "contexts"], "they are of --protocol 2026.")
    if len(files) % 2:
        raise FeatureError("EFFECTS and CONTROLS come in pairs.", got=f"{len(files):,} files")
    pairs = list(zip(files[::2], files[1::2], strict=True))
    same = same_genes(warehouse)
    with progress() as report:
        report("reading")
        if protocol == "2026":
            predicted, remarks = _read_contexts(pairs, contexts, column, control, same)
            said = submit_2026(predicted, output, panel, missing, cells, genes, seed, column, report)
        else:
            said, remarks = _submit_2025(pairs, output, cells, genes, seed, column, control, same, report)
    for remark in remarks:
        click.echo(f"Note: {remark}", err=True)
    click.echo(f"{output}: {said}")


def _submit_2025(
    pairs: list[tuple[Path, Path]],
    output: Path,
    cells: int | None,
    genes: Path | None,
    seed: int,
    column: str,
    control: str,
    same: Same,
    report: Report,
) -> tuple[str, list[str]]:
    """Write the cells, and say what was written and what is to be said of scales."""
    from featurestore.challenge.cells import read_cells  # noqa: PLC0415
    from featurestore.challenge.effects import read_effects, scale_remarks  # noqa: PLC0415
    from featurestore.challenge.panel import read_genes  # noqa: PLC0415
    from featurestore.challenge.submission import CELLS_EACH_2025, emit_cells, write_vcc  # noqa: PLC0415

    if len(pairs) > 1:
        raise FeatureError(
            "The challenge of 2025 has one context.", got=f"{len(pairs):,} pairs of EFFECTS and CONTROLS"
        )
    effects, controls = pairs[0]
    expected = None if genes is None else read_genes(genes)
    pool = read_cells(controls, column=column, control=control)
    labels, values, _ = found = read_effects(effects, pool.genes, same)
    n = cells or CELLS_EACH_2025
    made = emit_cells(pool, values, labels, n_cells=n, seed=seed, report=report)
    report("writing")
    write_vcc(made, output, genes=expected, column=column)
    n_controls, n_genes = int((made.labels == control).sum()), len(expected or pool.genes)
    counts = (count_of(n, "cell"), count_of(n_controls, "control cell"), count_of(n_genes, "gene"))
    return f"{count_of(len(labels), 'perturbation')} of {', '.join(counts)}.", scale_remarks(found, pool)


def _read_contexts(
    pairs: list[tuple[Path, Path]], contexts: tuple[str, ...], column: str, control: str, same: Same
) -> tuple[Predicted, list[str]]:
    """Read the effects and controls of each context, and say what is to be said of scales, once."""
    from featurestore.challenge.cells import as_cells, read_any  # noqa: PLC0415
    from featurestore.challenge.contexts import by_context  # noqa: PLC0415
    from featurestore.challenge.effects import read_effects, scale_remarks  # noqa: PLC0415

    if contexts and len(contexts) != len(pairs):
        raise FeatureError(
            "Not every pair of EFFECTS and CONTROLS has a context.",
            expected=f"--context {len(pairs):,} times",
            got=", ".join(contexts),
        )
    found: Predicted = []
    remarks: dict[str, None] = {}
    for i, (effects, controls) in enumerate(pairs):
        parts = by_context(read_any(controls))
        named = re.search(r"context_([A-Za-z0-9]+)", controls.stem)
        for name, part in parts.items():
            pool = as_cells(part, column=column, control=control, name=str(controls))
            labels, values, _ = read = read_effects(effects, pool.genes, same)
            remarks |= dict.fromkeys(scale_remarks(read, pool))
            given = contexts[i] if contexts and len(parts) == 1 else name
            found.append((given or (named[1] if named else "A"), pool, labels, values))
    names = [name for name, *_ in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FeatureError(
            "Two CONTROLS are of the same context.",
            got=", ".join(names),
            do="name the context of each, in order, with --context",
        )
    return found, list(remarks)


def same_genes(warehouse: Path) -> Same:
    """Return what tells the gene_id of each name of a gene, as far as a warehouse, if there is one, knows it."""

    @cache
    def ids(names: tuple[str, ...]) -> dict[str, str]:
        from featurestore.features.identifiers import harmonise  # noqa: PLC0415, only where names differ

        if not snapshot_numbers(warehouse):
            return {}
        with Warehouse(warehouse) as store:
            found = harmonise(store, names).filter(entity="gene", status="mapped")
        return dict(found.select("original", "target_id").iter_rows())

    return lambda names: ids(tuple(names))
