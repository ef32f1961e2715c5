"""What is wrong with a spec, key by key: what was got, what would be right, and how to write it.

A key that takes several shapes, such as ``context``, is one fault: that of the shape that was meant, or all shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from featurestore.errors import SpecError
from featurestore.spec_names import Meant, Models, Names, Path

SHAPES = {
    "Fixed": '{ value = "..." }',
    "FromColumn": '{ column = "..." }',
    "FromColumns": '{ columns = ["...", "..."] }',
    "FromTemplate": '{ template = "{...}, {...}" }',
    "str": '"..."',
    "constrained-str": '"..."',
    "list[str]": '["..."]',
    "list[constrained-str]": '["..."]',
    "float": "a number",
    "constrained-float": "a number",
}
"""How a shape of a key is written, by the name that pydantic gives it."""
TYPES = {
    "string_type": '"text"',
    "list_type": 'a list, ["..."]',
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "model_type": "a [section], or {{ key = ... }}",
    "model_attributes_type": "a [section], or {{ key = ... }}",
    "dict_type": "a [section], or {{ key = ... }}",
}
"""What a value should have been, by the type of pydantic's error."""
SIZES = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "at least {min_length}",
    "string_too_short": "a text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "small letters, digits and _ only",
}
"""Of what size or form it should have been, by the same."""
UNITS = {"time": ', unit = "h"', "dose": ', unit = "uM"'}
"""What a number of these keys needs beside it."""
LONGEST = 100
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class _Error:
    """An error of pydantic: the key it is of, the shape that was tried there, and the kind of a block that has one."""

    path: Path
    shape: str | None
    depth: int
    block: str | None
    kind: str
    got: Any
    said: ErrorDetails


def spec_error(faults: Iterable[str], where: str, do: str = "", *, of: str = "feature") -> SpecError:
    """Make one error of all the faults of a spec, and of what to do about them."""
    lines = list(faults)
    count = f"{len(lines)} faults" if len(lines) > 1 else "a fault"
    return SpecError(f"The {of} spec has {count}.", where=where, got="\n            ".join(lines), do=do)


def spec_faults(
    error: ValidationError,
    spec: type[BaseModel],
    blocks: Mapping[str, Models] | None = None,
    meant: Meant = lambda _: (),
) -> list[str]:
    """Say each fault of a spec once, in the order of the keys.

    Parameters
    ----------
    error
        What pydantic found.
    spec
        The model that the content was checked against.
    blocks
        Of lists whose items are of several kinds: the models of these, by the key of the list and their ``kind``.
    meant
        Gives the names that another word may stand for.
    """
    names = Names(spec, blocks or {}, meant)
    errors = sorted((_read(each, names.blocks) for each in error.errors()), key=_order)
    together = (list(faults) for _, faults in groupby(errors, key=_key))
    return list(dict.fromkeys(line for faults in together for line in _lines(faults, names)))


def _read(error: ErrorDetails, blocks: Mapping[str, Models]) -> _Error:
    location = error["loc"]
    block = None
    if len(location) > 2 and location[0] in blocks:  # noqa: PLR2004, the list, the item, and which kind that is of
        block, location = str(location[2]), location[:2] + location[3:]
    at = next((i for i, part in enumerate(location) if _is_shape(part)), None)
    shape = None if at is None else str(location[at])
    path = tuple(part for part in location if not _is_shape(part))
    return _Error(path, shape, len(path) if at is None else at, block, error["type"], error["input"], error)


def _is_shape(part: int | str) -> bool:
    return isinstance(part, str) and (part in SHAPES or bool(re.match(r"literal\[|list\[|function-", part)))


def _key(error: _Error) -> Path:
    """Return the key that a fault is of: the one that takes shapes, where there is one."""
    return error.path[: error.depth]


def _order(error: _Error) -> tuple[list[str], list[str]]:
    """Put faults of one key together, and of these those of one shape."""
    key, path = ([f"{part:06}" if isinstance(part, int) else part for part in of] for of in (_key(error), error.path))
    return key, [error.shape or "", *path]


def _lines(faults: list[_Error], names: Names) -> Iterator[str]:
    if faults[0].shape is None:
        yield from (_line(fault, names) for fault in faults)
        return
    by_shape = {str(shape): list(of) for shape, of in groupby(faults, key=lambda fault: fault.shape)}
    within = {shape: of for shape, of in by_shape.items() if any(len(each.path) > each.depth for each in of)}
    is_empty = all(fault.kind == "missing" and not fault.got for fault in faults)
    if not within or is_empty:
        yield _no_shape(_place(_key(faults[0])), faults, list(by_shape), names)
        return
    unknown = {shape: {str(f.path[-1]) for f in of if f.kind == "extra_forbidden"} for shape, of in within.items()}
    if clash := _excluding(unknown, within):
        written = " or ".join(SHAPES[shape] for shape in by_shape if shape in SHAPES)
        yield f"{_place(_key(faults[0]))}{' and '.join(map(repr, clash))} exclude each other; give {written}"
        return
    meant = min(within.values(), key=lambda of: sum(1 + (fault.kind == "missing") for fault in of))
    misspelt = [fault for fault in meant if fault.kind == "extra_forbidden"]
    if misspelt:
        yield from (_line(fault, names) for fault in misspelt)
        return
    for path in dict.fromkeys(fault.path for fault in meant):
        of_path = [fault for fault in meant if fault.path == path]
        shapes = [str(fault.said["loc"][-1]) for fault in of_path]
        alone = len(of_path) == 1
        yield _line(of_path[0], names) if alone else _no_shape(_place(path), of_path, shapes, names)


def _excluding(unknown: Mapping[str, set[str]], within: Iterable[str]) -> list[str]:
    """Return keys that are each right in one shape, and wrong in all others."""
    names = set().union(*unknown.values())
    least = [unknown[shape] for shape in within]
    known = {name for name in names if any(name not in of for of in least)}
    return sorted(known) if len(known) > 1 and all(of & known for of in least) else []


def _no_shape(place: str, faults: list[_Error], shapes: Sequence[str], names: Names) -> str:
    """Say that a value has none of the shapes that its key takes."""
    got = faults[0].got
    written = list(dict.fromkeys(SHAPES.get(shape, shape) for shape in shapes if not shape.startswith("literal[")))
    words = [word for fault in faults if fault.kind == "literal_error" for word in _words(fault)]
    own = [fault for fault in faults if fault.kind not in {*TYPES, "missing", "literal_error"}]
    if own:
        return _line(own[0], names)
    if words and not written:
        return f"{place}got {_shown(got)}; {names.nearest(str(got), words)}"
    name = faults[0].path[-1]
    unit = UNITS.get(str(name), "") if isinstance(got, int | float) else ""
    is_value = "Fixed" in shapes and isinstance(got, str | int | float)
    more = f"; write {name} = {{ value = {_toml(got)}{unit} }}" if is_value else ""
    if is_value and isinstance(got, str) and "FromColumn" in shapes:
        column = f"{{ column = {_toml(got)} }}"
        if name not in UNITS:
            more += f", or {column} if that is a column"
        elif not got[:1].isdigit():
            more = f"; write {name} = {column}"
    return f"{place}expected {' or '.join([*map(_toml, words), *written])}, got {_shown(got)}{more}"


def _line(fault: _Error, names: Names) -> str:
    name = str(fault.path[-1]) if fault.path else ""
    path = fault.path
    if fault.kind == "extra_forbidden":
        text = f"unknown key; {names.of_key(path, fault.block)}"
    elif fault.kind == "missing":
        text = "is missing"
    elif fault.kind == "union_tag_not_found":
        path, text = (*path, "kind"), f"is missing; one of {', '.join(names.blocks[str(path[0])])}"
    elif fault.kind == "union_tag_invalid":
        got = fault.got["kind"]
        path, text = (*path, "kind"), f"got {_shown(got)}; {names.nearest(str(got), list(names.blocks[str(path[0])]))}"
    elif fault.kind == "literal_error":
        text = f"got {_shown(fault.got)}; {names.nearest(str(fault.got), _words(fault))}"
    else:
        text = _wrong_value(fault, name, names)
    return _place(path, is_block=isinstance(fault.got, dict)) + text


def _wrong_value(fault: _Error, name: str, names: Names) -> str:
    kind, got = fault.kind, _shown(fault.got)
    if kind == "list_type" and isinstance(fault.got, dict) and names.keys(fault.path, fault.block):
        return f"expected a list, each block of which starts with [[{_place(fault.path).removesuffix(': ')}]], got one"
    if kind in TYPES or kind in SIZES:
        expected = (TYPES | SIZES)[kind].format(**fault.said.get("ctx", {}))
        is_item = kind == "list_type" and isinstance(fault.got, str)
        do = f"[{_toml(fault.got)}]" if is_item else _slug(fault.got) if kind == "string_pattern_mismatch" else ""
        return f"expected {expected}, got {got}" + (f"; write {name} = {do}" if do else "")
    message = str(fault.said["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    is_shown = isinstance(fault.got, str | int | float) and got not in message
    joined = ", got " if message.startswith("expected ") else "; got "
    return message[0].lower() + message[1:] + (f"{joined}{got}" if is_shown else "")


def _place(path: Path, *, is_block: bool = False) -> str:
    """Say where: ``condition.controls, item 1: ``, ``feature 2: ``, which is a block, or ``feature 2.kind: ``."""
    text = ""
    for i, part in enumerate(path):
        is_item = i == len(path) - 1 and not is_block
        text += (f", item {part + 1}" if is_item else f" {part + 1}") if isinstance(part, int) else f".{part}"
    return f"{text.removeprefix('.')}: " if text else ""


def _slug(text: str) -> str:
    """Write a name with the letters that it may have."""
    return _toml(re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "screen")


def _words(fault: _Error) -> list[str]:
    """Return the words that a key takes."""
    return re.findall(r"'([^']*)'", str(fault.said["ctx"]["expected"]))


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: object) -> str:
    is_plain = isinstance(value, bool | date | time)
    text = str(value).lower() if is_plain else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"
