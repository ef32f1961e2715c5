"""``featurestore inspect``: say what a file holds, and draft its spec."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import click
from rich.console import Console

from featurestore.commands.options import in_folder
from featurestore.commands.terminal import patience
from featurestore.errors import SpecError
from featurestore.storage.addresses import is_url
from featurestore.storage.whole import beside
from ingest.inspection.draft import Draft, draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.inspection.report import as_json, print_report
from ingest.remote import fetched


def _explain(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:  # noqa: FBT001
    if is_asked:
        from ingest.spec_page import page  # noqa: PLC0415

        click.echo_via_pager(page())
        context.exit()


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--write", "spec", metavar="SPEC", type=click.Path(dir_okay=False, path_type=Path), callback=in_folder,
    help="Draft the spec here.",
)  # fmt: skip
@click.option("--matrix", metavar="NAME", help="Which matrix of the file to look at, such as layers/counts.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--explain", is_flag=True, is_eager=True, expose_value=False, callback=_explain, help="Show every key of a spec."
)
def inspect(file: str, spec: Path | None, matrix: str | None, form: str) -> None:
    """Say what FILE is, by its content: its numbers, genes, labels, and what its columns may mean, with the evidence.

    Only the beginning of the matrix is read. A draft is ready to be ingested wherever the file says enough;
    what it does not say is marked FILL IN, what is no more than a guess CHECK. A file on an object store is fetched
    first, with the small ones beside it.

    \b
    Examples:
      featurestore inspect cells.h5ad
      featurestore inspect cells.h5ad --write cells.toml
      featurestore inspect s3://lab/files/cells.h5ad
      featurestore inspect --explain
    """
    if spec is not None and spec.exists():
        raise SpecError("The spec is there already.", where=str(spec), do="move it away, or draft another")
    with fetched(file) if is_url(file) else nullcontext(Path(file)) as path, patience(f"looking at {path.name}"):
        found = inspect_file(path, matrix=matrix)
        draft = draft_spec(found, path.parent if spec is None or is_url(file) else spec.parent)
    if spec is not None:
        with beside(spec) as work:
            work.write_text(draft.text, encoding="utf-8")
    if form == "json":
        drafted = {"missing": list(draft.missing), "doubtful": list(draft.doubtful), "spec": draft.text}
        click.echo(json.dumps(as_json(found) | {"draft": drafted}, ensure_ascii=False, indent=1))
        return
    print_report(found, Console(highlight=False, markup=False))
    click.echo("\n" + _verdict(draft, spec))


def _verdict(draft: Draft, spec: Path | None) -> str:
    """Say how far a draft is from being ingested, or would be."""
    name = str(spec) if spec is not None else "A draft (--write SPEC)"
    missing = f"{name} needs {', '.join(draft.missing)}: the file does not say." if draft.missing else ""
    doubtful = f"Check {', '.join(draft.doubtful)}: no more than a guess." if draft.doubtful else ""
    ready = "" if draft.missing else f"{name} can be ingested as it is."
    return " ".join(filter(None, (missing, ready, doubtful)))
