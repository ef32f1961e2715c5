"""The names that a spec may hold, and what was meant by one that it may not: the nearest, or where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel

from featurestore.errors import did_you_mean

Path: TypeAlias = tuple[int | str, ...]
Models: TypeAlias = Mapping[str, type[BaseModel]]
Meant: TypeAlias = Callable[[str], Sequence[str]]
"""Gives the names that another word may stand for."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a spec.

    Parameters
    ----------
    spec
        Its model.
    blocks
        Of lists whose items are of several kinds: the models of these, by the key of the list and their ``kind``.
    meant
        Other words for its names.
    """

    spec: type[BaseModel]
    blocks: Mapping[str, Models]
    meant: Meant

    def nearest(self, name: str, names: Sequence[str]) -> str:
        """Name what was meant by a word, as the end of a message."""
        other = [word for word in self.meant(name) if word in names and word != name]
        return f"did you mean {' or '.join(map(repr, other))}?" if other else did_you_mean(name, names)

    def of_key(self, path: Path, block: str | None) -> str:
        """Say what was meant by a key that a section does not have: another there, or where it goes."""
        name, known = str(path[-1]), self.keys(path[:-1], block)
        said = self.nearest(name, known)
        if len(path) > 1 and name in self.spec.model_fields:
            return f"it is a section of its own: [{name}]"
        homes = " or ".join(f"[{section}]" for section in self._homes(name, path))
        if homes and said.startswith("known"):
            return f"it goes under {homes}"
        return f"{said} {name!r} is a key of {homes}" if homes else said

    def keys(self, path: Path, block: str | None) -> list[str]:
        """Return the keys of a section, of all its shapes; none of what is no section."""
        models: list[type[BaseModel]] = [self.spec]
        if path and block is not None:
            models, path = [self.blocks[str(path[0])][block]], path[2:]
        for part in path:
            annotations = [model.model_fields[str(part)].annotation for model in models if part in model.model_fields]
            if annotations:
                models = [model for annotation in annotations for model in _models(annotation)]
        return list(dict.fromkeys(key for model in models for key in model.model_fields))

    def _homes(self, name: str, path: Path) -> list[str]:
        """Return the other sections that have a key."""
        sections = {section: _models(field.annotation) for section, field in self.spec.model_fields.items()}
        return [
            section
            for section, models in sections.items()
            if section != path[0] and section not in self.blocks and any(name in model.model_fields for model in models)
        ]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
