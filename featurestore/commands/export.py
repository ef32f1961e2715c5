"""``featurestore export``: a dataset, or a written feature matrix, as a file for other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featurestore.commands.options import in_folder, refuse_given, snapshot_option
from featurestore.counts import count_of
from featurestore.errors import FeatureError, UnknownDatasetError

if TYPE_CHECKING:
    from featurestore.lookup.exported import What
    from featurestore.query.warehouse import Warehouse


@click.command()
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), callback=in_folder, required=True,
    help="File to write: .h5ad, .csv or .parquet.",
)  # fmt: skip
@click.option(
    "--what",
    type=click.Choice(["signatures", "sums", "matrix"]),
    default="signatures",
    show_default=True,
    help="Effects with their tests, additive sums, or effects alone: a row a condition, a column a gene.",
)
@click.option("--effect-kind", metavar="KIND", help="Which effects, where a dataset has several.")
@click.option(
    "--forbid",
    multiple=True,
    metavar="LICENCE",
    help="Write nothing under this licence, or an unknown one; 'non-commercial' for all of those.",
)
@snapshot_option
@click.pass_obj
def export(
    warehouse: Path,
    name: str,
    output: Path,
    what: What,
    effect_kind: str | None,
    forbid: tuple[str, ...],
    snapshot: int | None,
) -> None:
    """Write NAME, a dataset or the folder of a feature matrix, as a file for other tools.

    An h5ad of a dataset has conditions as obs, with their quality, and genes as var. Signatures: X is the effect, and
    layers are standard_error, log2fc, z, p_value and q_value. Sums: X is the mean of log1p(CP10k), and layers are
    counts and share_expressing. Missing is NaN or empty, never 0. A dataset is read a block at a time, however large.

    \b
    Examples:
      featurestore export replogle_2022_rpe1 -o rpe1.h5ad
      featurestore export replogle_2022_rpe1 -o rpe1_sums.parquet --what sums
      featurestore export replogle_2022_rpe1 -o rpe1_effects.csv --what matrix
      featurestore export matrix/ -o matrix.h5ad
    """
    from featurestore.commands.terminal import progress  # noqa: PLC0415
    from featurestore.features.matrix.licence import check_words, refuse_licences  # noqa: PLC0415
    from featurestore.lookup.exported import export_dataset  # noqa: PLC0415
    from featurestore.query.warehouse import Warehouse  # noqa: PLC0415

    if (Path(name) / "manifest.json").is_file():
        refuse_given(["what", "effect_kind", "snapshot"], "NAME is the folder of a matrix, which is written as it is.")
        _export_matrix(Path(name), output, forbid)
        return
    if what == "sums":
        refuse_given(["effect_kind"], "sums are of no effect.")
    with Warehouse(warehouse, snapshot) as store, progress() as report:
        _require_dataset(store, name)
        check_words(forbid, store)
        terms = store.frame("select dataset_id, licence from dataset where dataset_id = $name", {"name": name})
        refuse_licences(terms.rows(), forbid)
        n_rows = export_dataset(store, name, output, what, effect_kind=effect_kind, report=report)
    click.echo(f"{output}: {count_of(n_rows, 'condition' if _is_wide(output, what) else 'row')} of {name}.")


def _require_dataset(store: Warehouse, name: str) -> None:
    """Say how one perturbation is had as a file, where that is what is named."""
    try:
        store.snapshot.release_of(name)
    except UnknownDatasetError as unknown:
        if store.frame("select 1 from condition where perturbation = ? limit 1", [name]).is_empty():
            raise
        query = f"\"select * from effects where perturbation = '{name}'\""  # noqa: S608, shown and not run
        do = f"ask for its effects: featurestore sql {query} --format csv -o FILE"
        raise UnknownDatasetError(f"'{name}' is a perturbation, not a dataset.", do=do) from unknown


def _is_wide(output: Path, what: str) -> bool:
    return what == "matrix" or output.suffix == ".h5ad"


def _export_matrix(folder: Path, output: Path, forbid: tuple[str, ...]) -> None:
    """Write what ``featurestore build`` wrote as one file: X alone as a table, all of it as h5ad."""
    from featurestore.features.matrix.feature_matrix import FeatureMatrix  # noqa: PLC0415
    from featurestore.features.matrix.licence import refuse_licences  # noqa: PLC0415
    from featurestore.features.pairs.pair_matrix import read_matrix  # noqa: PLC0415
    from featurestore.storage.whole import beside  # noqa: PLC0415

    matrix = read_matrix(folder)
    refuse_licences(matrix.manifest["licences"].items(), forbid)
    frame = matrix.to_polars()[0] if isinstance(matrix, FeatureMatrix) else matrix.to_polars()
    writers: dict[str, Callable[[Path], object]] = {".csv": frame.write_csv, ".parquet": frame.write_parquet}
    if isinstance(matrix, FeatureMatrix):
        writers[".h5ad"] = lambda path: matrix.to_anndata().write_h5ad(path)
    if output.suffix not in writers:
        raise FeatureError(f"'{output.name}' does not say the format.", expected=", ".join(writers))
    with beside(output) as path:
        writers[output.suffix](path)
    click.echo(f"{output}: {count_of(frame.height, 'row')} of {folder}.")
