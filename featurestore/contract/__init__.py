"""The border between writing and reading: every table of a release and every view of a snapshot, column by column.

Each column is defined once: its type, unit and one sentence. That definition is checked when a release is written,
shown by ``COMMENT ON``, and printed in ``sql/README.md``.

What a version promises: a view or column that it has keeps its name, type, unit, grain and meaning as long as the
version does. New views, and columns that follow from what releases hold already, may come without a new version.
Whatever is renamed, removed or means something else is a new version. A warehouse of an older version opens, or says
which columns its releases lack and how to bring them up; one of a newer version asks for a newer featurestore.
"""

from __future__ import annotations

from featurestore.contract.columns import COLUMNS, Column
from featurestore.contract.tables import KEY, RELEASE, SHARED, SINCE_VERSION_2, VIEWS, Table, conform

__all__ = [
    "COLUMNS",
    "CONTRACT_VERSION",
    "EFFECT_KINDS",
    "ENOUGH_NULLS",
    "FALSE_DISCOVERY_RATE",
    "KEY",
    "P_GRID",
    "QUANTILES",
    "RELEASE",
    "SHARED",
    "SINCE_VERSION_2",
    "TILES",
    "TILE_CONDITIONS",
    "TILE_GENES",
    "VIEWS",
    "Column",
    "Table",
    "conform",
]

CONTRACT_VERSION = 2

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""What columns of quantiles are at."""
P_GRID = tuple(10.0 ** (-at / 4.0) for at in range(25))
"""What ``calibration.p_quantiles`` are at."""
FALSE_DISCOVERY_RATE = 0.05
"""The q-value below which a gene changes, wherever that is counted or drawn."""
ENOUGH_NULLS = 8
"""Pretend conditions that say something of a dataset."""

TILES = b"featurestore.tiles"
"""Mark in the metadata of a file whose every row group holds all pairs of some conditions and some consecutive genes,
by condition and gene."""
TILE_CONDITIONS, TILE_GENES = 250, 500
"""How many conditions and genes such a row group is of; fewer at the ends."""

EFFECT_KINDS = ("delta_log1p", "log2_fold_change", "moderated_z", "zscore", "signed_log10_p", "de_call", "gene_effect")
