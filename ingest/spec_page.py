"""Write every key of a dataset spec, from the models: ``python -m ingest.spec_page > ingest/SPEC.md``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from featurestore.spec_faults import SHAPES
from ingest.given import Fixed, FromColumn, FromColumns, FromTemplate
from ingest.sections import JoinSection, Section
from ingest.spec import DatasetSpec

HEAD = """\
# Keys of a dataset spec

Every section and key, how it is written, and what it is where a spec does not say. This page is written by
`python -m ingest.spec_page > ingest/SPEC.md`; `featurestore inspect --explain` prints it. A key of another name is
refused, with the nearest. Worked specs are in `ingest/specs/`.
"""
SHAPED = (Fixed, FromColumn, FromColumns, FromTemplate)
"""Models that are one value of several keys."""
WORDS = {str: '"..."', bool: "true or false", int: "whole number", float: "number"}


def page() -> str:
    """Return the page: the sections in the order of the models, then the shapes of a value."""
    parts = [_section(model, name) for name, model in _sections(DatasetSpec)]
    shapes = [f"- `{SHAPES[shape.__name__]}`: {_said(shape)}" for shape in SHAPED]
    return "\n".join([HEAD, *parts, "## Shapes of a value", "", *shapes, ""])


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, type[Section]]]:
    for name, field in model.model_fields.items():
        for each in _models(field.annotation):
            yield f"[{name}]", each
            if any(JoinSection in _models(inner.annotation) for inner in each.model_fields.values()):
                yield f"[[{name}.join]]", JoinSection


def _models(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _section(model: type[Section], name: str) -> str:
    rows = [
        f"| `{key}` | {written(field.annotation)} | {_default(field.default, is_needed=field.is_required())} |"
        for key, field in model.model_fields.items()
        if name.startswith("[[") or JoinSection not in _models(field.annotation)
    ]
    said = _said(model).partition(": ")[2]
    return "\n".join(
        [
            f"## `{name}`",
            "",
            said[:1].upper() + said[1:],
            "",
            "| key | written as | otherwise |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _said(model: type[BaseModel]) -> str:
    """Return what a model says of itself, a paragraph a line."""
    paragraphs = (inspect.getdoc(model) or "").replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def written(annotation: Any) -> str:
    """Say how a value of a type is written in TOML.

    Examples
    --------
    >>> written(list[str]), written(bool | None), written(Literal["a", "b"])
    ('["..."]', 'true or false', '"a" or "b"')
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return written(parts[0])
    if origin in {Literal, Union, UnionType}:
        each = [f'"{part}"' if origin is Literal else written(part) for part in parts if part is not NoneType]
        return " or ".join(dict.fromkeys(each))
    if origin in {list, dict}:
        inner = written(parts[-1])
        return f"[{inner}]" if origin is list else f"{{ name = {inner} }}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        keys = ", ".join(f"{key} = ..." for key in annotation.model_fields)
        return SHAPES.get(annotation.__name__, f"{{ {keys} }}")
    return WORDS.get(annotation, str(annotation))


def _default(value: Any, *, is_needed: bool) -> str:
    if is_needed:
        return "needed"
    if value is None or value is PydanticUndefined or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value).replace(chr(39), chr(34))}`"


if __name__ == "__main__":
    sys.stdout.write(page())
