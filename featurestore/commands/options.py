"""Arguments and options that several commands share, each declared once; reading them needs no library but click."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from featurestore.errors import FeatureStoreError
from featurestore.storage.addresses import meant_place

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
spec_argument = click.argument("spec_path", type=click.Path(path_type=Path), metavar="SPEC")
snapshot_option = click.option("--snapshot", type=int, help="Number of an older snapshot; see history.")
format_option = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True
)
table_or_json_option = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)


def in_folder(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file to write to in a folder that does not exist, before any work is done.

    Raises
    ------
    FeatureStoreError
        There is no such folder.
    """
    as_meant(_context, _parameter, path)
    if path is not None and not path.absolute().parent.is_dir():
        file = next((each for each in path.parents if each.is_file()), None)
        do = f"make the folder first: mkdir -p {shlex.quote(str(path.parent))}"
        if file is not None:
            do = f"name another folder: {shlex.quote(str(file))} is a file"
        raise FeatureStoreError("The folder to write to does not exist.", where=str(path), do=do)
    return path


def as_meant(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a place to write to whose ``~`` or variable the shell left as it is: it would be a folder so called.

    Raises
    ------
    FeatureStoreError
        It is one.
    """
    if path is not None and (meant := meant_place(str(path))):
        raise FeatureStoreError(
            "The place to write to is another than was meant.", where=str(path), do=f"write {meant}"
        )
    return path


PICTURES = (".png", ".svg", ".pdf")


def as_picture(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file to draw to that is in no folder, or whose name does not say how to draw.

    Raises
    ------
    FeatureStoreError
        It is.
    """
    if path is not None and path.suffix.lower() not in PICTURES:
        expected = ", ".join(PICTURES)
        raise FeatureStoreError("The name of a picture does not say its format.", where=str(path), expected=expected)
    return in_folder(context, parameter, path)


def refuse_given(names: Sequence[str], why: str) -> None:
    """Refuse options of the command that runs, where they are given and would change nothing.

    Parameters
    ----------
    names
        The parameters, as the command's function calls them.
    why
        What the options are of, to end the sentence with.

    Raises
    ------
    click.UsageError
        One is given.
    """
    context = click.get_current_context()
    shown = {each.name: each.opts[-1] for each in context.command.params}
    given = [shown[name] for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"{' and '.join(given)} would change nothing: {why}")


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Write here instead of to standard output.",
)


def folder_option(what: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Return the option that names the folder to write to."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("-o", "--output", type=kind, required=True, callback=as_meant, help=f"Folder for the {what}.")


control_option = click.option(
    "--control", default="non-targeting", show_default=True, help="Label of the control cells."
)
column_option = click.option(
    "--column", default="target_gene", show_default=True, help="Column of obs with the perturbation of each cell."
)
