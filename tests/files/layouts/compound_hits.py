"""What compounds do in the miniatures of chemical screens: the gene that each halves."""

from __future__ import annotations

from collections.abc import Sequence

JQ1, ENMD = "(+)-JQ1", "ENMD-2076 L-(+)-Tartaric acid"
HITS = {
    "Erdafitinib ": "STAT1",
    "Trametinib (DMSO_TF solvate)": "MYC",
    JQ1: "MYC",
    ENMD: "JAK2",
    "Belinostat": "KLF1",
    "0.2 uM panobinostat": "TP53",
    "Dex": "STAT1",
    "Trametinib": "MYC",
}
"""A gene that each compound halves."""
HALF = 0.5


def hits(labels: Sequence[str | None]) -> list[list[str]]:
    """Name the gene that each compound halves."""
    return [[HITS[label]] if label in HITS else [] for label in labels]
