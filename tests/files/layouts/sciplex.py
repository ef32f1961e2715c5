"""Miniatures of sci-Plex 2, 3 and 4: as deposited, nuclei whose oligo or hash tells the well, and as in scPerturb."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl

from ingest.reader import INDEX
from layouts.compound_hits import ENMD, HALF, JQ1, hits
from layouts.miniature import GENES, SYMBOLS, Miniature, barcodes, shuffled, simulate
from layouts.triplets import write_triplets

VERSIONED = GENES.with_columns(pl.col(INDEX) + ".7")
MIXED = pl.concat(
    [VERSIONED, pl.DataFrame({INDEX: ["ENSMUSG00000059552.9", "ENSMUSG00000022346.18"], "gene_name": ["Trp53", "Myc"]})]
)
"""The genes of sci-Plex: identifiers with versions, some of the mouse."""


def sciplex_wells(seed: int) -> tuple[pl.DataFrame, list[str | None]]:
    """Draw nuclei of sci-Plex 3, some in no well, some surer of their well than others."""
    label = shuffled({"Vehicle": 60, JQ1: 40, ENMD: 24, None: 12}, seed)
    n = len(label)
    rows = pl.DataFrame(
        {
            INDEX: [f"A01_E09_RT_BC_{number}_Lig_BC_7" for number in range(n)],
            "n.umi": 500,
            "hash_umis_W": [3 if number % 25 == 0 else 20 for number in range(n)],
            "hash_umis_P": 20,
            "top_to_second_best_ratio_W": 12.5,
            "top_to_second_best_ratio_P": 9.0,
            "plate_oligo": [["plate9", "plate10"][number % 2] for number in range(n)],
            "replicate": [["rep1", "rep2"][number % 2] for number in range(n)],
            "time_point": 24,
            "dose": [0 if name == "Vehicle" else [10, 10_000][number // 2 % 2] for number, name in enumerate(label)],
            "product_name": label,
            "cell_type": [["A549", "K562"][number % 3 == 0] for number in range(n)],
        }
    )
    assigned = pl.col("product_name").is_not_null()
    return rows.with_columns(pl.when(assigned).then(pl.exclude(INDEX))), label


def sciplex3_triplets(folder: Path) -> None:
    """Write sci-Plex 3 as deposited."""
    rows, label = sciplex_wells(3)
    counts = simulate(hits(label), 3, genes=MIXED, left=HALF)
    write_triplets(folder, "GSM4150378_sciPlex3_A549_MCF7_K562_screen_", counts, rows, MIXED)


def sciplex_oligos(name: str, sizes: dict[str | None, int], seed: int) -> Miniature:
    """sci-Plex 2 and 4 as deposited: what a nucleus got is in the name of its oligo."""

    def write(folder: Path) -> None:
        oligo = shuffled(sizes, seed)
        rows = pl.DataFrame({INDEX: barcodes(len(oligo), ""), "top_oligo_W": oligo, "hash_umis_W": 20})
        rows = rows.with_columns(pl.when(pl.col("top_oligo_W").is_not_null()).then(pl.exclude(INDEX)))
        counts = simulate([[] for _ in oligo], seed, genes=MIXED)
        write_triplets(folder, name, counts, rows, MIXED, annotations="bare", with_cells=False)

    return write


DOUBLED = pl.concat(
    [
        SYMBOLS,
        pl.DataFrame(
            {
                INDEX: ["STAT1-1", "Trp53"],
                "gene_name": ["STAT1", "Trp53"],
                "ensembl_id": ["ENSG00000115415", "ENSMUSG00000059552"],
            }
        ),
    ]
)
"""The genes of sci-Plex in scPerturb: an identifier twice, and one of the mouse."""

_DOSES = itertools.cycle(("0", "0.1", "10"))


def dose_of_sciplex2(label: str) -> str | None:
    """Give a cell of sci-Plex 2 the next dose, of which 0 is the vehicle; one whose hash was not read has none."""
    return None if label == "control" else next(_DOSES)
