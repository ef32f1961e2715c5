"""What a submission of the challenge of 2026 has to hold, as the bundle of its controls says.

The bundle has ``gene_names.csv``, ``pert_counts.csv`` and ``manifest.json`` beside the control cells. Everything that
``vcc prep`` refuses is refused here, before a file of gigabytes is written.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from featurestore.challenge.cells import COLUMN, NON_TARGETING
from featurestore.errors import FeatureError, SourceFormatError, did_you_mean, first_of

N_GENES_2026 = 18_533
CELLS_EACH_2026 = 400
MOST_CELLS_2026 = 400_000
PHASES = (("A", "B", "C"), ("D", "E", "F"))
"""Contexts of the validation and of the final phase."""
GENES, PERTURBATIONS, MANIFEST = "gene_names.csv", "pert_counts.csv", "manifest.json"


@dataclass(frozen=True)
class Panel:
    """What the challenge expects.

    Parameters
    ----------
    genes
        Genes, in order.
    n_cells
        Cells of every perturbation; by context, or for every context under the empty name.
    contexts
        Names of the contexts; none where the bundle does not say.
    """

    genes: tuple[str, ...]
    n_cells: Mapping[str, Mapping[str, int]]
    contexts: tuple[str, ...] = ()

    def of(self, context: str) -> Mapping[str, int]:
        """Cells of every perturbation in a context."""
        return self.n_cells.get(context) or self.n_cells.get("", {})

    def check_contexts(self, given: Collection[str]) -> None:
        """Refuse a file that does not cover every context of a phase.

        Raises
        ------
        FeatureError
            Contexts are missing, or not the challenge's.
        """
        phases = (self.contexts,) if self.contexts else PHASES
        if any(set(phase) == set(given) for phase in phases):
            return
        near = max(phases, key=lambda phase: len(set(phase) & set(given)))
        missing = [name for name in near if name not in given]
        unknown = [name for name in given if name not in near]
        raise FeatureError(
            "A submission is one file of every context.",
            expected=" or ".join(", ".join(phase) for phase in phases),
            got=", ".join(given),
            do="; ".join(
                [f"give EFFECTS and CONTROLS of {', '.join(missing)} too"] * bool(missing)
                + [f"leave out {', '.join(unknown)}, or name the contexts with --context"] * bool(unknown)
            ),
        )

    def check_perturbations(self, context: str, given: Collection[str]) -> None:
        """Refuse effects that lack a perturbation of a context.

        Raises
        ------
        FeatureError
            Some are missing.
        """
        missing = [name for name in self.of(context) if name not in given]
        if missing or not self.of(context):
            raise FeatureError(
                f"The effects lack {len(missing):,} of {len(self.of(context)):,} perturbations of context {context}.",
                expected=first_of(missing) or f"perturbations of context {context} in {PERTURBATIONS}",
                got=did_you_mean(missing[0], given) if missing else "none",
                do="predict them all, by gene symbol and not by guide, or give them the mean with --missing mean",
            )


def read_panel(folder: str | Path) -> Panel:
    """Read the panel from the unpacked bundle of the challenge's controls.

    Raises
    ------
    SourceFormatError
        A file of it is missing or damaged, or names a gene twice.
    """
    folder = Path(folder)
    for name in (GENES, PERTURBATIONS):
        if not (folder / name).is_file():
            raise SourceFormatError(
                "The bundle of the challenge's controls is not whole.",
                where=str(folder),
                expected=f"{GENES} and {PERTURBATIONS}, from vcc_2026_controls.zip",
                got=f"no {name}",
            )
    genes = read_genes(folder / GENES)
    twice = sorted({gene for gene in genes if genes.count(gene) > 1}) if len(set(genes)) < len(genes) else []
    if twice or not genes:
        what = "A gene is listed twice." if twice else "No gene is listed."
        raise SourceFormatError(what, where=str(folder / GENES), got=first_of(twice))
    return Panel(tuple(genes), _read_perturbations(folder / PERTURBATIONS), _read_contexts(folder))


def read_genes(path: Path) -> list[str]:
    """Read names of genes, one a line; a header ``gene_name`` is none."""
    names = [line.split(",")[0].strip().strip('"') for line in path.read_text(encoding="utf-8-sig").splitlines()]
    return [name for name in names if name and name != "gene_name"]


def _read_perturbations(path: Path) -> dict[str, dict[str, int]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        fields = list(reader.fieldnames or [])
        if COLUMN not in fields:
            raise SourceFormatError(
                "The list of perturbations cannot be read.",
                where=str(path),
                expected=f"a column '{COLUMN}'",
                got=", ".join(fields),
            )
        found: dict[str, dict[str, int]] = {}
        for row in reader:
            name, n = (row[COLUMN] or "").strip(), (row.get("n_cells") or "").strip()
            if name and name != NON_TARGETING:
                found.setdefault((row.get("context") or "").strip(), {})[name] = int(float(n)) if n else CELLS_EACH_2026
    return found


def _read_contexts(folder: Path) -> tuple[str, ...]:
    path = folder / MANIFEST
    if not path.is_file():
        return ()
    try:
        return tuple(str(name) for name in json.loads(path.read_text(encoding="utf-8"))["contexts"])
    except (ValueError, KeyError, TypeError) as error:
        raise SourceFormatError("The manifest names no contexts.", where=str(path), got=str(error)) from None
