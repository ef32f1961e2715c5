"""The metrics by name: what each means, its best value, how it is fooled, and what it has to be given.

A metric is registered once, where it is defined. Definition and loophole are read from its docstring, so that what a
page or a table says of a metric is what its code says. A metric is a pure function of what it is given: none sees
another's result.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from featurestore.errors import did_you_mean

Per = Literal["perturbation", "screen"]
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as tables and pages show it.

    Parameters
    ----------
    name
        Its name in tables and files.
    title
        Its name in prose.
    best
        The value of a perfect prediction.
    chance
        The value of a prediction that knows nothing of the perturbation, where there is one.
    definition
        What it measures, in a sentence.
    loophole
        How a worthless prediction scores well, in a sentence or two.
    source
        Who defined it.
    function
        The metric. Its parameters are inputs by name, see :mod:`featurestore.metrics.inputs`.
    per
        Whether it gives a value for each perturbation or one for the whole screen.
    """

    name: str
    title: str
    best: float
    chance: float | None
    definition: str
    loophole: str
    source: str
    function: Callable[..., Any]
    per: Per

    @property
    def more_is_better(self) -> bool:
        """Whether a higher value is a better one."""
        return self.best > 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Inputs without which it cannot be computed."""
        return tuple(p.name for p in _parameters(self.function) if p.default is inspect.Parameter.empty)

    @property
    def uses(self) -> tuple[str, ...]:
        """Inputs that it takes, needed or not."""
        return tuple(p.name for p in _parameters(self.function))


@cache
def _parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(function).parameters.values())


METRICS: dict[str, Metric] = {}
"""Every metric by name, in the order of their modules."""


def metric(
    title: str, *, best: float, chance: float | None = None, per: Per = "perturbation"
) -> Callable[[_Function], _Function]:
    """Register a function under its own name; its docstring has a definition, a loophole and a source."""

    def register(function: _Function) -> _Function:
        name = function.__name__
        text = inspect.getdoc(function) or ""
        METRICS[name] = Metric(
            name,
            title,
            best,
            chance,
            _plain(text.split("\n\n", 1)[0]),
            _labelled("Loophole", text, name),
            _labelled("Source", text, name),
            function,
            per,
        )
        return function

    return register


def get_metric(name: str) -> Metric:
    """Look a metric up by name.

    Raises
    ------
    KeyError
        There is none of that name; the nearest is suggested.
    """
    if name not in METRICS:
        raise KeyError(f"no metric is called '{name}'; {did_you_mean(name, METRICS)}")
    return METRICS[name]


def describe(metrics: Iterable[Metric] | None = None) -> list[dict[str, Any]]:
    """List metrics as plain values: name, title, best, chance, definition, loophole, source, per and needs."""
    return [
        {
            "name": m.name,
            "title": m.title,
            "best": m.best,
            "chance": m.chance,
            "per": m.per,
            "needs": list(m.needs),
            "definition": m.definition,
            "loophole": m.loophole,
            "source": m.source,
        }
        for m in (METRICS.values() if metrics is None else metrics)
    ]


def _labelled(label: str, text: str, name: str) -> str:
    """Return the paragraph of a docstring that begins with a label."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(f"{label}: "):
            return _plain(paragraph.removeprefix(f"{label}: "))
    raise ValueError(f"the docstring of metric '{name}' has no paragraph that begins with '{label}: '")


def _plain(paragraph: str) -> str:
    text = re.sub(r":\w+:`([^`]+)`", r"\1", " ".join(paragraph.split()))
    return text.replace("``", "")
