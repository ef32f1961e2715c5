"""``featurestore ingest``: bring datasets into the warehouse."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from featurestore.cli import Place
from featurestore.counts import count_of
from featurestore.errors import SpecError, did_you_mean
from featurestore.storage.objects import ObjectStore
from ingest.catalogue.catalogue import read_catalogue
from ingest.commands.heap import keep_memory
from ingest.compiler import leave_out_others, load_compiler
from ingest.harmonise.online import OnlineGenes
from ingest.harmonise.online_cache import AnswerCache
from ingest.harmonise.online_service import GeneService
from ingest.spec import SPECS, read_spec

if TYPE_CHECKING:
    from ingest.pipeline import Outcome
    from ingest.sums.summing import Summing


class ByteCount(click.ParamType[int]):
    """A number of bytes: 8GB, 512 MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a size."""
        try:
            return int(TypeAdapter(ByteSize).validate_python(value))
        except ValidationError:
            self.fail(f"{value!r} is no size; try 8GB", param, ctx)


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=Place(),
    help="Folder of the data files, where that is not the spec's own; or its address on an object store "
    "(s3://bucket/folder), from which they are fetched.",
)
@click.option(
    "--online",
    is_flag=True,
    help="Ask mygene.info (or FEATURESTORE_MYGENE_URL) for genes that the reference leaves open, and for nothing else.",
)
@click.option(
    "--memory",
    type=ByteCount(),
    help="Most memory for sums, such as 8GB; the rest is kept on disk.  [default: a quarter of the machine's]",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Sum cells on a Dask cluster: the address of its scheduler (tcp://node7:8786), its scheduler file (.json), or "
    "'local' for a process on every core. The release is the same to the last digit.",
)
@click.pass_obj
def ingest(
    warehouse: str | Path,
    specs: tuple[Path, ...],
    data: str | Path | None,
    memory: int | None,
    dask: str | None,
    *,
    online: bool,
) -> None:
    """Ingest the datasets that SPEC files describe; SPEC may also be the name of a spec that comes with featurestore.

    Each becomes one immutable release and a new snapshot. The same input twice changes nothing. A failed ingest
    leaves the warehouse as it was. No network is touched without --online.

    An ingest that is interrupted after its first minute continues where it stopped when it is run again: the sums of
    cells so far are kept in the warehouse's staging folder, until then or until gc.

    A warehouse or data on an object store (s3://) go through the system's temporary folder, or FEATURESTORE_SCRATCH:
    there, what was fetched and summed stays when an ingest is interrupted, and the same ingest goes on from it.

    With --dask, files and warehouse are on a file system that every worker sees under the same path, and workers run
    this featurestore. Workers may join, leave and crash meanwhile.

    \b
    Examples:
      featurestore ingest replogle_2022_k562_essential.toml
      featurestore ingest papalexi_2021_thp1 --data downloads/
      featurestore ingest tahoe_100m.toml --dask /shared/scheduler.json
    """
    service = GeneService()
    if isinstance(data, Path) and not data.is_dir():
        raise SpecError("There is no such folder.", where=str(data), do="name another with --data")
    found = [find_spec(spec) for spec in specs]
    if data is None:
        _require_files(found)
    keep_memory()
    leave_out_others()
    from ingest.commands.left_open import left_open  # noqa: PLC0415
    from ingest.commands.tested import tested  # noqa: PLC0415
    from ingest.pipeline import ingest_dataset  # noqa: PLC0415, help and refusals need nothing of it
    from ingest.remote import push  # noqa: PLC0415

    with _summing(dask, memory) as cluster:
        for spec in found:
            with _places(warehouse, data, spec) as (root, folder, store):
                fallback = OnlineGenes(service, AnswerCache(root)) if online else None
                outcome = ingest_dataset(spec, root, folder, online=fallback, memory_limit=memory, cluster=cluster)
                here = outcome  # a store may call the files otherwise
                outcome = push(store, root, outcome) if store and outcome.is_new else outcome
                click.echo(_summary(root, here, outcome))
                for line in (*left_open(root, here), *tested(root, here)) if outcome.is_new else ():
                    click.echo(line)
            if fallback is not None:
                click.echo(fallback.summary(), err=True)


@contextmanager
def _summing(dask: str | None, memory: int | None) -> Iterator[Summing | None]:
    """Connect to the cluster that sums, if one is named."""
    if dask is None:
        yield None
        return
    load_compiler()
    from ingest.sums.cluster import on_cluster  # noqa: PLC0415

    with on_cluster(dask, memory) as cluster:
        yield cluster


@contextmanager
def _places(
    warehouse: str | Path, data: str | Path | None, spec: Path
) -> Iterator[tuple[Path, Path | None, ObjectStore | None]]:
    """Give the folders to ingest into and from, and the object store that the warehouse is on."""
    from ingest.remote import copy_latest, fetch_inputs, scratch  # noqa: PLC0415

    store = None
    with ExitStack() as stack:
        if isinstance(warehouse, str) or isinstance(data, str):
            folder = stack.enter_context(scratch(f"ingest {spec.resolve()} from {data} to {warehouse}"))
        if isinstance(warehouse, str):
            store, warehouse = ObjectStore(warehouse), folder / "warehouse"
            copy_latest(store, warehouse)
        if isinstance(data, str):
            inputs, data = ObjectStore(data), folder / "data"
            fetch_inputs(inputs, read_spec(spec), data)
        yield warehouse, data, store


def shipped_specs() -> dict[str, Path]:
    """Name the specs that come with featurestore."""
    return {path.stem: path for path in sorted(SPECS.glob("*.toml"))}


def find_spec(spec: Path) -> Path:
    """Resolve a spec given as a file or as the name of one that comes with featurestore.

    Raises
    ------
    SpecError
        There is neither.
    """
    if spec.exists():
        return spec
    shipped = shipped_specs()
    if spec.name != str(spec) or spec.suffix == ".toml":
        if re.match(r"\w+:/", str(spec)):
            do = "copy it here first; --data names the address of its files"
            raise SpecError("A spec is read from a disk.", where=str(spec), do=do)
        near = [path.name for path in sorted(spec.parent.glob("*.toml"))]
        raise SpecError(f"There is no file '{spec}'.", do=did_you_mean(spec.name, [*near, *shipped]))
    if spec.name not in shipped:
        raise SpecError(f"There is no spec '{spec}'.", do=did_you_mean(spec.name, shipped))
    return shipped[spec.name]


def _require_files(specs: Iterable[Path]) -> None:
    """Refuse specs that come with featurestore where nothing says where their files are."""
    for spec in specs:
        if spec.parent != SPECS:
            continue
        entry = read_catalogue()[spec.stem]
        can_fetch = entry.access == "open" and entry.files
        raise SpecError(
            f"The spec '{spec.stem}' comes without its files.",
            expected=", ".join(read_spec(spec).dataset.files),
            do="give --data, the folder of the files"
            + (f"; 'featurestore fetch {spec.stem} -o FOLDER' downloads them" if can_fetch else ""),
        )


def _summary(root: Path, here: Outcome, outcome: Outcome) -> str:
    if not outcome.is_new:
        return f"{outcome.dataset_id}: nothing to do, release {outcome.release_id} is in snapshot {outcome.snapshot}"
    rows: Counter[str] = Counter()
    for file in outcome.manifest["files"]:
        rows[file["table"]] += file["rows"]
    from ingest.commands.tested import data_points  # noqa: PLC0415, help and refusals need no polars

    return (
        f"{outcome.dataset_id}: {data_points(root, here)}; {count_of(rows['gene'], 'gene')}, "
        f"{count_of(rows['rejected'], 'group')} of rows rejected; release {outcome.release_id}, "
        f"snapshot {outcome.snapshot} ({outcome.manifest['seconds']:.1f} s)"
    )
