"""What is wrong with a dataset spec, key by key: what was got, what would be right, and how to write it.

A key that takes several shapes, such as ``context``, is one fault: that of the shape that was meant, or all shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from featurestore.errors import did_you_mean
from ingest.column_names import plain_name

Error = ErrorDetails
"""One error of pydantic."""

SHAPES = {
    "Fixed": '{ value = "..." }',
    "FromColumn": '{ column = "..." }',
    "FromColumns": '{ columns = ["...", "..."] }',
    "FromTemplate": '{ template = "{...}, {...}" }',
    "str": '"..."',
    "constrained-str": '"..."',
    "list[str]": '["..."]',
    "list[constrained-str]": '["..."]',
}
"""How a shape of a key is written, by the name that pydantic gives it."""
TYPES = {
    "string_type": '"text"',
    "list_type": 'a list, ["..."]',
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "model_type": "a [section], or { key = ... }",
    "dict_type": "a [section], or { key = ... }",
}
"""What a value should have been, by the type of pydantic's error."""
UNITS = {"time": ', unit = "h"', "dose": ', unit = "uM"'}
"""What a number of these keys needs beside it."""


def spec_faults(error: ValidationError, spec: type[BaseModel]) -> list[str]:
    """Say each fault of a spec once, in the order of the file's keys.

    Parameters
    ----------
    error
        What pydantic found.
    spec
        The model that the content was checked against.
    """
    errors = sorted(error.errors(), key=_order)
    together = (list(faults) for _, faults in groupby(errors, key=lambda fault: _key(fault, of_shape=True)))
    return list(dict.fromkeys(line for faults in together for line in _lines(faults, spec)))


def _order(fault: Error) -> tuple[list[str], list[str]]:
    """Put faults of one key together, and of these those of one shape."""
    return [str(part) for part in _key(fault, of_shape=True)], [str(part) for part in fault["loc"]]


def _shape_at(fault: Error) -> int | None:
    """Return where in a fault's location pydantic names the shape that it tried."""
    return next((i for i, part in enumerate(fault["loc"]) if _is_shape(part)), None)


def _is_shape(part: int | str) -> bool:
    return isinstance(part, str) and (part in SHAPES or bool(re.match(r"literal\[|list\[|function-", part)))


def _key(fault: Error, *, of_shape: bool = False) -> tuple[int | str, ...]:
    """Return the location of a fault without the shapes: of the key that takes shapes, or of what is inside."""
    at = _shape_at(fault)
    if of_shape and at is not None:
        return tuple(fault["loc"][:at])
    return tuple(part for part in fault["loc"] if not _is_shape(part))


def _lines(faults: list[Error], spec: type[BaseModel]) -> Iterator[str]:
    at = _shape_at(faults[0])
    if at is None:
        yield from (_line(fault, spec) for fault in faults)
        return
    key = ".".join(str(part) for part in faults[0]["loc"][:at])
    by_shape = {shape: list(of) for shape, of in groupby(faults, key=lambda fault: fault["loc"][at])}
    within = {shape: of for shape, of in by_shape.items() if any(len(fault["loc"]) > at + 1 for fault in of)}
    if not within or not faults[0]["input"]:
        yield _no_shape(key, faults, by_shape)
        return
    unknown = {shape: {str(f["loc"][-1]) for f in of if f["type"] == "extra_forbidden"} for shape, of in within.items()}
    if clash := _excluding(unknown, within):
        written = " or ".join(SHAPES[shape] for shape in by_shape if shape in SHAPES)
        yield f"{key}: {' and '.join(repr(name) for name in clash)} exclude each other; give {written}"
        return
    meant = min(within.values(), key=lambda of: sum(1 + (fault["type"] == "missing") for fault in of))
    misspelt = [fault for fault in meant if fault["type"] == "extra_forbidden"]
    yield from (_line(fault, spec) for fault in misspelt or meant)


def _excluding(unknown: Mapping[str, set[str]], within: Iterable[str]) -> list[str]:
    """Return keys that are each right in one shape, and wrong in all others."""
    names = set().union(*unknown.values())
    least = [unknown[shape] for shape in within]
    known = {name for name in names if any(name not in of for of in least)}
    return sorted(known) if len(known) > 1 and all(of & known for of in least) else []


def _no_shape(key: str, faults: list[Error], by_shape: Mapping[str, list[Error]]) -> str:
    """Say that a value has none of the shapes that its key takes."""
    got = faults[0]["input"]
    words = [word for fault in faults if fault["type"] == "literal_error" for word in _words(fault)]
    if words:
        return f"{key}: got {got!r}; {did_you_mean(str(got), words)}"
    own = [fault for fault in faults if fault["type"] not in {*TYPES, "missing"}]
    if own:
        return _line(own[0], None)
    written = list(dict.fromkeys(SHAPES.get(shape, shape) for shape in by_shape))
    name = key.rpartition(".")[2]
    unit = UNITS.get(name, "") if isinstance(got, int | float) else ""
    is_value = "Fixed" in by_shape and isinstance(got, str | int | float)
    more = f"; write {name} = {{ value = {_toml(got)}{unit} }}" if is_value else ""
    return f"{key}: expected {' or '.join(written)}, got {got!r}{more}"


def _line(fault: Error, spec: type[BaseModel] | None) -> str:
    path = [str(part) if isinstance(part, str) else f"item {part + 1}" for part in _key(fault)]
    place = ".".join(path).replace(".item", ", item")
    if fault["type"] == "extra_forbidden":
        known = _known_keys(path[:-1], spec) if spec is not None else []
        return f"{place}: unknown key; {did_you_mean(path[-1], known)}"
    expected, do = _expected(fault, path[-1] if path else "")
    got = repr(fault["input"])
    if expected:
        return f"{place}: expected {expected}, got {got}" + (f"; write {path[-1]} = {do}" if do else "")
    message = _message(fault)
    shown = fault["type"] not in {"missing", "value_error", "literal_error"} or isinstance(fault["input"], str)
    return (f"{place}: " if place else "") + message + (f"; got {got}" if shown and got not in message else "")


def _expected(fault: Error, key: str) -> tuple[str, str]:
    """Return what would be right where a value is of a wrong type or length, and how it is written."""
    kind, got = fault["type"], fault["input"]
    if kind == "string_pattern_mismatch" and key == "id":
        return "small letters, digits and _ only", _toml(plain_name(got) or "screen")
    if kind in {"too_short", "string_too_short"}:
        return f"at least {fault['ctx']['min_length']}", ""
    return TYPES.get(kind, ""), f"[{_toml(got)}]" if kind == "list_type" and isinstance(got, str) else ""


def _message(fault: Error) -> str:
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "literal_error":
        return f"got {fault['input']!r}; {did_you_mean(str(fault['input']), _words(fault))}"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message[0].lower() + message[1:]


def _words(fault: Error) -> list[str]:
    """Return the words that a key takes."""
    return re.findall(r"'([^']*)'", str(fault["ctx"]["expected"]))


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _known_keys(path: list[str], spec: type[BaseModel]) -> list[str]:
    """Return the keys of the section at a path, of all its shapes."""
    models: list[type[BaseModel]] = [spec]
    for part in path:
        annotations = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        if annotations:
            models = [model for annotation in annotations for model in _models(annotation)]
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
