"""What the draft of every layout lacks: ``python tests/benchmarks/drafts.py [--files DIR]`` prints a table.

Each published layout, each tool's table of results and, with ``--files``, each file in that folder is inspected; what
its draft does not ask for is ingested as it is. Nothing here is a test.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from featurestore.errors import FeatureStoreError
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import find_files, ingest_dataset
from ingest.spec import SPECS, read_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from layouts.miniatures import MINIATURES
from layouts.published_results import PUBLISHED_RESULTS
from layouts.result_tools import RESULT_TOOLS

SPEC_ENDING = ".toml"


@click.command()
@click.option("--files", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of further files.")
def main(files: Path | None) -> None:
    """Draft and ingest, and print a table in Markdown, and how many needed no edit."""
    click.echo("| file | draft ingests as it is | asked for | to be checked |")
    click.echo("|---|---|---|---|")
    rows = [_row(name, path) for source in (_layouts(), _tools(), _files(files)) for name, path in source]
    n_ready = sum(rows)
    click.echo(f"\n{n_ready:,} of {len(rows):,} drafts ingest without an edit.")


def _layouts() -> Iterator[tuple[str, Path]]:
    layouts = MINIATURES | PUBLISHED_RESULTS
    for name in sorted(layouts):
        with _folder() as folder:
            layouts[name](folder)
            yield name, find_files(read_spec(SPECS / f"{name}{SPEC_ENDING}"), folder)[0]


def _tools() -> Iterator[tuple[str, Path]]:
    for name, write in RESULT_TOOLS.items():
        with _folder() as folder:
            yield name, write(folder)


def _files(folder: Path | None) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.is_file() and not path.name.endswith(SPEC_ENDING):
            yield path.name, path


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _row(name: str, path: Path) -> bool:
    """Print what a file's draft lacks, and say whether it lacks nothing."""
    try:
        draft = draft_spec(inspect_file(path), path.parent)
        asked, checked = (", ".join(keys) for keys in (draft.missing, draft.doubtful))
        answer = "no" if draft.missing else _ingested(draft.text, path.parent)
    except FeatureStoreError as error:
        asked, checked, answer = "", "", str(error).splitlines()[0]
    click.echo(f"| {name} | {answer} | {asked} | {checked} |")
    return answer == "yes"


def _ingested(text: str, data: Path) -> str:
    with _folder() as folder:
        (folder / f"draft{SPEC_ENDING}").write_text(text, encoding="utf-8")
        try:
            ingest_dataset(folder / f"draft{SPEC_ENDING}", folder / "warehouse", data)
        except FeatureStoreError as error:
            return str(error).splitlines()[0]
    return "yes"


if __name__ == "__main__":
    main()
