"""``featurestore ui``: the warehouse in the browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from featurestore.errors import FeatureStoreError

PACKAGES = ("altair", "starlette", "uvicorn", "vl_convert")


@click.command()
@click.option(
    "--warehouse", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder of the warehouse to show."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="0 takes any free port.")
@click.option("--browser/--no-browser", default=True, help="Open the browser, or only say the address.")
@click.option("--snapshot", type=int, help="Show this snapshot; by default always the latest.")
@click.option("--memory", metavar="SIZE", default="4GB", show_default=True, help="The most memory questions may take.")
@click.pass_obj
def ui(warehouse: Path, folder: Path | None, port: int, browser: bool, snapshot: int | None, memory: str) -> None:  # noqa: FBT001
    """Show the warehouse in the browser: datasets, overlaps, perturbations, genes, SQL and feature specs.

    Only this machine can connect, nothing can be changed, and no network is needed. Ctrl-C ends it.

    \b
    Example:
      featurestore ui --port 8642
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise FeatureStoreError(
            "The pages need packages that are not installed.",
            got=f"missing: {', '.join(missing)}",
            do='pip install "perturbation-featurestore[ui]"',
        )
    from featurestore.ui.questions import Shelf  # noqa: PLC0415
    from featurestore.ui.server import serve  # noqa: PLC0415

    shelf = Shelf(folder or warehouse, snapshot, memory)
    serve(shelf, port, lambda url: click.echo(f"{shelf.name} is shown at {url} (Ctrl-C ends it)"), has_browser=browser)
