"""What the blocks of a feature are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from featurestore.features.effects.elsewhere import Elsewhere, Measured
from featurestore.features.sections import Allow
from featurestore.features.selection import Source
from featurestore.query.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class BlockInputs:
    """What every kind of feature is given to make its blocks.

    Parameters
    ----------
    warehouse, measured
        The warehouse, and what is to be predicted.
    sources
        The feature's own sources.
    elsewhere
        The mean effect elsewhere, to which a kind of the same perturbation adds what it finds.
    allow
        Pairs of experiments that are no leak.
    report
        Told in words what is being done.
    """

    warehouse: Warehouse
    measured: Measured
    sources: Sequence[Source]
    elsewhere: Elsewhere
    allow: Sequence[Allow]
    report: Callable[[str], None]

    def tell(self, source: Source) -> None:
        """Say that a source is being read."""
        self.report(f"reading {source.conditions.height} conditions of {source.name}")
