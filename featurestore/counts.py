"""Numbers of things in words: ``1 row``, ``2 rows``."""

from __future__ import annotations

from typing import Any


def count_of(n: Any, what: str) -> str:
    """Say how many of something there are, in the singular where it is one.

    Examples
    --------
    >>> count_of(1, "row"), count_of(1200, "row"), count_of(0, "release"), count_of(2, "matrix")
    ('1 row', '1,200 rows', '0 releases', '2 matrices')
    """
    if n == 1:
        return f"1 {what}"
    plural = f"{what.removesuffix('ix')}ices" if what.endswith("matrix") else f"{what}s"
    return f"{n:,} {plural}"
