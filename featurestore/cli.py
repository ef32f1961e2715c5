"""The command line: one command for each step from files to an evaluated model.

Commands are found through the entry points ``featurestore.commands``, so the read path needs no import of the write
path. A failure is one message on standard error and exit code 1; a misuse is 2.
"""

from __future__ import annotations

import atexit
import errno
import functools
import os
import sys
import threading
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NoReturn

import click

from featurestore.errors import FeatureStoreError, WarehouseError, did_you_mean
from featurestore.scarcity import is_interrupted, require_address_space, require_open_files, scarcity
from featurestore.storage.addresses import is_url, meant_place, plain_url


class Place(click.ParamType["str | Path"]):
    """A folder, or an address on an object store."""

    name = "place"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Tell one from the other; a file is neither."""
        if is_url(value):
            return plain_url(str(value))
        if not str(value).strip():
            self.fail("the name of the folder is empty; is a variable of the shell not set?", param, ctx)
        if meant := meant_place(str(value)):
            self.fail(f"'{value}' is no folder; did you mean {meant}?", param, ctx)
        folder = click.Path(file_okay=False, path_type=Path).convert(str(value), param, ctx)
        return Path(str(folder))


ON_OBJECT_STORES = (
    "ingest", "sql", "datasets", "show", "search", "enrich", "compare", "plan", "build", "evaluate", "export",
    "demo", "inspect",
)  # fmt: skip
"""Commands that a warehouse on an object store can be used with."""


_WAYS_ON = {
    errno.ENOSPC: "make room, or write to another disk",
    errno.EDQUOT: "make room, or write to another disk",
    errno.EROFS: "write to another folder: this disk can only be read",
    errno.EACCES: "name another folder, or ask the owner of this one for permission",
    errno.ENOENT: "make the folder first, or name another",
    errno.ENOTDIR: "name another folder: a part of this path is a file",
}
"""What to do where the system refuses what no other message tells."""


@functools.cache
def _points() -> dict[str, EntryPoint]:
    """Name the commands of every installed package; to find them takes longer than to run some."""
    return {point.name: point for point in entry_points(group="featurestore.commands")}


class Commands(click.Group):
    """The commands of every installed package, loaded when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name the commands in the order of the work."""
        first = ["demo", "sources", "fetch", "inspect", "genes", "ingest"]
        asking = ["datasets", "history", "ui", "sql", "show", "search", "enrich", "compare"]
        order = [*first, *asking, "build", "evaluate", "export"]
        names = _points()
        return [name for name in order if name in names] + sorted(set(names).difference(order))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one command."""
        for point in entry_points(group="featurestore.commands", name=cmd_name):
            command = point.load()
            if isinstance(command, click.Command):
                return _takes_warehouse(command)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for one that is not known, and say where there is hardly room to load one."""
        require_open_files()
        if note := require_address_space():
            click.echo(note, err=True)
        if args and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No command '{args[0]}'; {did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def _takes_warehouse(command: click.Command) -> click.Command:
    """Let ``--warehouse`` stand after a command too, or after one of its own commands."""
    if not any("--warehouse" in parameter.opts for parameter in command.params):
        help_text = "As before the command."
        option = click.Option(["--warehouse"], type=Place(), expose_value=False, callback=_given_after, help=help_text)
        command.params.append(option)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _takes_warehouse(each)
    return command


def _given_after(context: click.Context, _option: click.Parameter, warehouse: str | Path | None) -> None:
    if warehouse is not None:
        of_group = context.find_root().invoked_subcommand or ""
        _require_reachable(warehouse, of_group)
        context.obj = warehouse


def _require_reachable(warehouse: str | Path, command: str) -> None:
    """Refuse an object store to a command that needs a folder.

    Raises
    ------
    WarehouseError
        It is given one.
    """
    if is_url(warehouse) and command not in ON_OBJECT_STORES:
        raise WarehouseError(
            f"'{command}' works on a warehouse in a folder.",
            where=str(warehouse),
            expected=f"with an object store, one of {', '.join(ON_OBJECT_STORES)}",
            do="copy the warehouse to a disk first, with the store's own tools",
        )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--warehouse",
    type=Place(),
    envvar="FEATURESTORE_WAREHOUSE",
    default=Path("warehouse"),
    show_default=True,
    help="Folder of the warehouse, or its address on an object store (s3://bucket/warehouse); also "
    "FEATURESTORE_WAREHOUSE.",
)
@click.version_option(package_name="perturbation-featurestore")
@click.pass_context
def featurestore(context: click.Context, warehouse: str | Path) -> None:
    """Perturbation transcriptomics in one warehouse: files in, SQL and leak-proof model features out.

    \b
    A first session:
      featurestore demo                                a small world, the whole job, one minute
      featurestore inspect FILE --write SPEC.toml      what a published file is, and its spec drafted
      featurestore ingest SPEC.toml                    the file becomes a release
      featurestore sql "select * from dataset"         ask anything
      featurestore build FEATURES.toml -o matrix/      features from other experiments
      featurestore evaluate FEATURES.toml -o report/   what they add to a regression
    """
    _require_reachable(warehouse, context.invoked_subcommand or "")
    context.obj = warehouse


def _with_options(error: click.NoSuchOption) -> click.NoSuchOption:
    """Name what options there are: the one that is meant may be spelt like none of them."""
    if error.ctx is None:
        return error
    known = [each.opts[-1] for each in error.ctx.command.params if isinstance(each, click.Option)]
    options = f"Options of '{error.ctx.info_name}': {', '.join(known)}."
    return click.NoSuchOption(error.option_name, f"{error.message} {options}", ctx=error.ctx)


def _fail(error: FeatureStoreError, kind: str = "") -> NoReturn:
    """Say what is wrong on standard error, under the name of its kind, and exit with 1."""
    click.echo(f"{kind or type(error).__name__}: {error}", err=True)
    sys.exit(1)


def main() -> None:
    """Run the command line."""
    try:
        code = featurestore.main(prog_name="featurestore", standalone_mode=False)
    except FeatureStoreError as error:
        _fail(error)
    except click.ClickException as error:
        (_with_options(error) if isinstance(error, click.NoSuchOption) else error).show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if told := scarcity(error):
            _fail(told)
        where = error.filename or "what the command writes to: a file, its answer, or what it says meanwhile"
        what = os.strerror(error.errno) if error.errno else error.strerror or str(error)
        _fail(FeatureStoreError(what, where=str(where), do=_WAYS_ON.get(error.errno or 0, "")), type(error).__name__)
    except BaseException as error:
        if is_interrupted(error):
            click.echo("interrupted", err=True)
            sys.exit(130)
        if told := scarcity(error):
            _fail(told)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def process() -> None:
    """Run the command line in a process of its own, which ends at once if no thread works any more.

    To take its objects apart one by one would be a fifth of a short command.
    """
    try:
        main()
    except SystemExit as end:
        if threading.active_count() > 1 or not isinstance(end.code, int):
            raise
        with suppress(OSError, ValueError):  # of a pipe that nobody reads: Python tells that as it ends
            atexit._run_exitfuncs()  # noqa: SLF001, what Python itself would do first
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)
        raise
