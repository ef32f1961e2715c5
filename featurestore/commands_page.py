"""Write what commands say of themselves: ``python -m featurestore.commands_page > featurestore/COMMANDS.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from featurestore.cli import featurestore

HEAD = """\
# Commands

What each command answers to `--help`. This page is written by
`python -m featurestore.commands_page > featurestore/COMMANDS.md`.

The shell completes commands and options once it is told to, in `~/.bashrc`, `~/.zshrc` or
`~/.config/fish/completions/featurestore.fish`:

| shell | line |
|---|---|
| bash | `eval "$(_FEATURESTORE_COMPLETE=bash_source featurestore)"` |
| zsh | `eval "$(_FEATURESTORE_COMPLETE=zsh_source featurestore)"` |
| fish | `_FEATURESTORE_COMPLETE=fish_source featurestore &#124; source` |
"""
WIDTH = 100


def page() -> str:
    """Return the page: the program, then each command in the order of the work, with its own commands."""
    sizes = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    root = click.Context(featurestore, info_name="featurestore", **{**featurestore.context_settings, **sizes})
    parts = [f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in _helps(root)]
    return HEAD + "".join(parts)


def _helps(context: click.Context) -> Iterator[tuple[str, str]]:
    command = context.command
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _helps(click.Context(inner, parent=context, info_name=name))


if __name__ == "__main__":
    sys.stdout.write(page())
