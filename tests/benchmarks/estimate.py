"""Hours, memory and disk of three datasets too large to be had here, from parts that were measured on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from goals import judged
from measure import Row

BYTES_PER_PAIR, BYTES_PER_Z, BYTES_PER_SUM = 48, 5, 28
"""On disk, a pair's statistics and signature, and a published z-score; in memory, a sum."""
READ = 1e9
"""Bytes read in a second; files are read twice, for their checksum and for their values."""
ONE_THREAD = 0.5
"""The share of a pair's or z-score's time in which one thread writes tables, however many cores there are."""


@dataclass(frozen=True)
class Parts:
    """Time of a part on all cores of this machine: a condition and gene, a dense value, a token, a z-score."""

    pair: float
    dense: float
    token: float
    z_score: float

    def text(self) -> str:
        """Say them."""
        named = {"condition and gene": self.pair, "dense value": self.dense, "token": self.token, "z": self.z_score}
        return "parts, ns each: " + ", ".join(f"{name} {1e9 * seconds:.1f}" for name, seconds in named.items())


@dataclass(frozen=True)
class Large:
    """A dataset: bytes of its files, values read of them and the part each is, and what is written."""

    name: str
    n_bytes: float
    n_values: float
    value: str
    n_conditions: int
    n_genes: int

    def hours(self, parts: Parts, speedup: float) -> float:
        """Estimate the time from start to snapshot, with so many times the cores."""
        is_given = self.value == "z_score"
        n_pairs = self.n_conditions * self.n_genes
        values = (
            self.n_values * getattr(parts, self.value) * (max(1 / speedup, ONE_THREAD) if is_given else 1 / speedup)
        )
        tables = 0.0 if is_given else n_pairs * parts.pair * max(1 / speedup, ONE_THREAD)
        return (self.n_bytes / READ + max(values, self.n_bytes / READ) + tables) / 3600

    def row(self, parts: Parts) -> Row:
        """Describe it in the columns of the table."""
        n_pairs, is_given = self.n_conditions * self.n_genes, self.value == "z_score"
        here, there = self.hours(parts, 1.0), self.hours(parts, 32 / (os.cpu_count() or 1))
        sums = "a block" if is_given else f"sums {2 * BYTES_PER_SUM * n_pairs / 1e9:.0f} GB, above --memory on disk"
        disk = f"release {n_pairs * (BYTES_PER_Z if is_given else BYTES_PER_PAIR) / 1e9:.0f} GB"
        goal = judged("estimate", {"h": here})
        return Row(f"estimate: {self.name}", f"{here:.1f} h", f"32 cores {there:.1f} h", disk, sums, goal)


LARGE = (
    Large("Replogle 2022, K562 genome-wide, dense", 65.7e9, 1.99e6 * 8_248, "dense", 11_258, 8_248),
    Large("Tahoe-100M, Parquet", 340e9, 100.6e6 * 1_600, "token", 56_827, 62_710),
    Large("LINCS2020 level 5, whole", 59e9, 1.2e6 * 12_328, "z_score", 1_200_000, 12_328),
)


def tokens(folder: Path) -> int:
    """Count the tokens of a folder of shards."""
    n_tokens = 0
    for path in folder.glob("train-*.parquet"):
        metadata = pq.read_metadata(path)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            columns = map(group.column, range(group.num_columns))
            n_tokens += sum(c.num_values for c in columns if c.path_in_schema.startswith("expressions"))
    return n_tokens


def rows(parts: Parts) -> list[Row]:
    """Estimate all."""
    return [each.row(parts) for each in LARGE]
