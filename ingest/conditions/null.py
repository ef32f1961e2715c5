"""Conditions in which nothing happened: control cells dealt into pretend conditions of the dataset's usual sizes.

A dataset's own controls say how far its tests can be believed. Their cells are dealt, in the order of a hash of their
barcodes, into pretend conditions of 2, 4, 8, ... cells, as large as the dataset's own; smaller where controls have too
few cells for so large ones. Up to 32 of each size: half of them are pairs of the size below, since sums are additive.
Every pretend condition holds cells of one half of a control, and is compared with the other half; so are the cells of
each negative-control guide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]

MOST_OF_A_SIZE = 32
LARGEST = 512
"""Cells of the largest pretend condition."""
USUAL = (0.05, 0.95)
"""Quantiles of the conditions' cells between which sizes are usual."""
MOST_GUIDES = 100
DEALT, GUIDE = "dealt", "guide"


@dataclass(frozen=True, slots=True)
class NullCondition:
    """A condition in which nothing happened.

    ``controls`` are the condition indices of the controls it was taken from, ``half`` which half of them, ``groups``
    the groups it is the union of; ``kind`` is ``dealt`` or ``guide``.
    """

    controls: tuple[int, ...]
    half: int
    groups: tuple[int, ...]
    n_cells: int
    kind: str = DEALT


@dataclass(frozen=True, slots=True)
class Dealt:
    """Control cells dealt: ``unit`` and ``guide_unit`` are groups of every control row, -1 for none. Shape (rows,)."""

    unit: Integers
    guide_unit: Integers
    conditions: list[NullCondition]
    n_groups: int


def deal(
    condition: Integers,
    draw: npt.NDArray[np.uint32],
    guide: Integers,
    pools: list[tuple[int, ...]],
    sizes: npt.NDArray[np.int64],
    n_groups: int,
) -> Dealt:
    """Deal control cells into pretend conditions.

    Parameters
    ----------
    condition, draw, guide
        Condition, random number and guide of every control row. Shape (rows,).
    pools
        The controls that are used together; a control's cells are dealt once.
    sizes
        Cells of the dataset's own conditions. Shape (conditions,).
    n_groups
        Groups there are already: those of pretend conditions are numbered on.
    """
    unit, guide_unit = np.full(condition.size, -1, np.int32), np.full(condition.size, -1, np.int32)
    conditions: list[NullCondition] = []
    decks: list[_Deck] = []
    taken: set[int] = set()
    for pool in pools:
        if not taken.isdisjoint(pool):
            continue
        taken.update(pool)
        members = np.flatnonzero(np.isin(condition, pool))
        half = draw[members] >> np.uint32(31)
        for side in (0, 1):
            rows = members[half == side]
            if rows.size and rows.size < members.size:
                decks.append(_Deck(pool, side, rows[np.lexsort((rows, draw[rows]))]))
    for size in usual_sizes(sizes, [deck.rows.size for deck in decks]):
        n_groups = _deal_size(decks, size, unit, conditions, n_groups)
    n_guides = 0
    for deck in decks:
        labels = np.unique(guide[deck.rows])
        if labels.size < 2:  # noqa: PLR2004, one guide is the control itself
            continue
        for label in labels.tolist():
            rows = deck.rows[guide[deck.rows] == label]
            if rows.size > 1 and n_guides < MOST_GUIDES:
                guide_unit[rows] = n_groups
                conditions.append(NullCondition(deck.pool, deck.half, (n_groups,), rows.size, GUIDE))
                n_groups += 1
                n_guides += 1
    return Dealt(unit, guide_unit, conditions, n_groups)


def usual_sizes(sizes: npt.NDArray[np.int64], n_cells: list[int]) -> list[int]:
    """List the powers of two that a dataset's conditions are about as large as, from 2 to 512 cells.

    Parameters
    ----------
    sizes
        Cells of the dataset's own conditions. Shape (conditions,).
    n_cells
        Cells of each half of a control: the smallest size is one that they give enough pretend conditions of.
    """
    if not sizes.size:
        return []
    powers = [2**power for power in range(1, LARGEST.bit_length())]
    low, high = np.quantile(sizes, USUAL)
    full = [size for size in powers if sum(n // size for n in n_cells) >= MOST_OF_A_SIZE]
    first = min(max([2, *(size for size in powers if size <= low)]), max(full, default=2))
    last = min([LARGEST, *(size for size in powers if size >= high)])
    return [size for size in powers if first <= size <= last]


class _Deck:
    """Cells of one half of a control, in the order in which they are dealt."""

    def __init__(self, pool: tuple[int, ...], half: int, rows: npt.NDArray[np.intp]) -> None:
        self.pool, self.half, self.rows = pool, half, rows
        self.n_dealt = 0
        self.before: list[NullCondition] = []
        self.now: list[NullCondition] = []

    @property
    def n_left(self) -> int:
        return self.rows.size - self.n_dealt


def _deal_size(decks: list[_Deck], size: int, unit: Integers, conditions: list[NullCondition], n_groups: int) -> int:
    """Make the pretend conditions of one size, in turn from every deck that has the cells."""
    n_made = 0
    for deck in decks:
        deck.before, deck.now = deck.now, []
    for deck in decks:
        for one, other in zip(deck.before[::2], deck.before[1::2], strict=False):
            if n_made < MOST_OF_A_SIZE:
                deck.now.append(NullCondition(deck.pool, deck.half, one.groups + other.groups, size))
                n_made += 1
    while n_made < MOST_OF_A_SIZE:
        able = [deck for deck in decks if deck.n_left >= size]
        if not able:
            break
        for deck in able[: MOST_OF_A_SIZE - n_made]:
            unit[deck.rows[deck.n_dealt : deck.n_dealt + size]] = n_groups
            deck.n_dealt += size
            deck.now.append(NullCondition(deck.pool, deck.half, (n_groups,), size))
            n_groups += 1
            n_made += 1
    for deck in decks:
        conditions += deck.now
    return n_groups
