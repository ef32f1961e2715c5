"""Names of columns, written in one way whatever tool wrote them."""

from __future__ import annotations

import re


def plain_name(name: str) -> str:
    """Write a name in lower case, any run of other signs being one underscore, and none at the ends.

    Examples
    --------
    >>> plain_name("cell.line.name"), plain_name("10xrun_id"), plain_name("Unnamed: 0")
    ('cell_line_name', '10xrun_id', 'unnamed_0')
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
