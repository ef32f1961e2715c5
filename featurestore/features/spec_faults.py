"""What is wrong with a feature spec, in words: every fault with its place and the nearest name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic_core import ErrorDetails

from featurestore.errors import SpecError, did_you_mean
from featurestore.features.kinds import KINDS
from featurestore.features.kinds.options import SpecSection


def spec_error(faults: Iterable[str], where: str, do: str = "") -> SpecError:
    """Make one error of all the faults of a spec, and of what to do about them."""
    lines = list(faults)
    count = f"{len(lines)} faults" if len(lines) > 1 else "a fault"
    return SpecError(f"The feature spec has {count}.", where=where, got="\n            ".join(lines), do=do)


def fault_of(fault: ErrorDetails, sections: Mapping[str, type[SpecSection]]) -> str:
    """Say what pydantic found; ``sections`` are the models by the names of sections, that of the whole spec by none."""
    location, kind, value = fault["loc"], fault["type"], fault["input"]
    is_feature = len(location) > 2 and location[0] == "feature"  # noqa: PLR2004, the third is the block's kind
    section = KINDS[str(location[2])] if is_feature else sections.get(str(location[0]) if len(location) > 1 else "")
    location = location[:2] + location[3:] if is_feature else location
    place = _place(location[:-1] if kind == "extra_forbidden" else location)
    if kind == "extra_forbidden" and section is not None:
        return f"{place}unknown key '{location[-1]}'; {did_you_mean(str(location[-1]), section.model_fields)}"
    if kind == "union_tag_not_found":
        return f"{place.removesuffix(': ')}, kind: is missing; one of {', '.join(KINDS)}"
    if kind == "union_tag_invalid":
        got = str(value["kind"])
        return f"{place.removesuffix(': ')}, kind: {did_you_mean(got, KINDS)}; got {got!r}"
    if kind == "missing":
        return f"{place}is missing"
    if kind == "list_type" and location in {("feature",), ("allow",)}:
        return f"{location[0]}: each block of it starts with [[{location[0]}]]"
    text = fault["msg"].removeprefix("Value error, ")
    if isinstance(value, str | int | float | bool) and kind != "too_short":
        text = f"{text}; got {value!r}"
    return f"{place}{text[0].lower()}{text[1:]}"


def _place(location: tuple[int | str, ...]) -> str:
    parts: list[str] = []
    for part in location:
        if isinstance(part, int):
            parts[-1] = f"{parts[-1]} {part + 1}"
        else:
            parts.append(str(part))
    return ", ".join(parts) + ": " if parts else ""
