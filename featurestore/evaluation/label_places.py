"""Labels beside the points of a picture, each where it covers nothing."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

_LETTER, _HEIGHT = 6.5, 9
"""Width and height of a letter of a label. Unit: pixels."""
_STEPS = 24
"""Points of a line between two of its marks that labels keep away from."""
Label = tuple[float, float, str, str]
"""Where a point is, what it is called, and its colour."""


def label_apart(axes: Axes, labels: list[Label]) -> None:
    """Write beside points what they are, first things first, and nothing over a line, a point or another label."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    drawn = (np.column_stack(line.get_data()) for line in axes.lines if line.get_marker() != "None")
    lines = [axes.transData.transform(points) for points in drawn]
    between = [np.linspace(start, end, _STEPS) for line in lines for start, end in pairwise(line)]
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for line in (*lines, *between) for x, y in line]
    for at_x, at_y, text, colour in labels:
        x, y = axes.transData.transform((at_x, at_y))
        width = _LETTER * len(text)
        for right, up in product((5, -5 - width, -width / 2), (5, -14, -4)):
            box = Bbox.from_bounds(x + right, y + up, width, _HEIGHT)
            if not any(box.overlaps(other) for other in taken):
                offset = (72 / axes.figure.dpi * right, 72 / axes.figure.dpi * up)
                axes.annotate(text, (at_x, at_y), offset, textcoords="offset points", fontsize=7, color=colour)
                taken.append(box)
                break
