"""The text of a spec: TOML in UTF-8, and what is said of one that is not, with the line that is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from featurestore.errors import SpecError

_WRITE = 'write it as TOML: [section], then name = "text", a line each'
_WRITE_PATH = "write a path in single quotes: 'C:\\data\\screen.h5ad'"
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_LONGEST = 100
"""Characters of a line that are shown."""


def spec_text(path: Path) -> str:
    """Read the text of a spec, without the byte order mark that some editors begin a file with.

    Raises
    ------
    OSError
        The file cannot be read.
    SpecError
        It is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"{error.reason} at byte {error.start}"
        raise SpecError(
            "The spec is not text in UTF-8.", where=str(path), expected="UTF-8", got=got, do="save it as UTF-8"
        ) from None


def spec_content(text: str, where: str) -> dict[str, Any]:
    """Read TOML.

    Raises
    ------
    SpecError
        It is none, or nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        got, is_path = f"{error}{_line(str(error), text)}", "Unescaped '\\'" in str(error)
        do = _WRITE_PATH if is_path else _WRITE
        raise SpecError("The spec is not TOML.", where=where, expected="TOML", got=got, do=do) from None
    except RecursionError:
        raise SpecError(
            "The spec is nested too deeply.",
            where=where,
            expected="sections of keys, and lists of texts",
            got="lists or sections in each other that do not end",
            do=_WRITE,
        ) from None


def _line(said: str, text: str) -> str:
    """Quote the line that an error is of."""
    found = _LINE.search(said)
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return ""
    line = lines[int(found[1]) - 1].strip()
    return f": {line[:_LONGEST]}{'...' if len(line) > _LONGEST else ''}" if line else ""
