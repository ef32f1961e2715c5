"""The manifest of a feature matrix: enough to build it again, and to trust it without building it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.contract import CONTRACT_VERSION

if TYPE_CHECKING:
    from featurestore.features.blocks.block import FeatureBlock
    from featurestore.features.spec import FeatureSpec
    from featurestore.storage.snapshot import Snapshot

RECIPE_VERSION = 6
"""Raised whenever the same spec and releases would give another matrix."""

PACKAGES = ("perturbation-featurestore", "duckdb", "numpy", "polars", "scikit-learn", "scipy")


def matrix_manifest(
    spec: FeatureSpec,
    snapshot: Snapshot,
    rows: pl.DataFrame,
    blocks: list[FeatureBlock],
    n_genes: int,
    guard: dict[str, Any],
) -> dict[str, Any]:
    """Record spec, snapshot, releases, sources, guard, licences, versions and counts; nothing that changes by the hour.

    Parameters
    ----------
    spec, snapshot
        What was asked, and of what.
    rows
        The rows of the matrix.
    blocks
        Every source's block, skipped ones too.
    n_genes
        Genes of Y.
    guard
        The guard's verdict.
    """
    facts = [block.facts for block in blocks]
    target = rows.select("dataset_id", "release_id", "licence").unique()
    origins = [*target.iter_rows(named=True), *(origin for block in blocks for origin in block.origins)]
    counts = {
        "n_rows": rows.height,
        "n_features": sum(block.columns.height for block in blocks),
        "n_genes": n_genes,
        "n_groups": rows["group"].n_unique(),
    }
    return manifest_of(spec, snapshot, origins, counts, guard, facts)


def manifest_of(
    spec: FeatureSpec,
    snapshot: Snapshot,
    origins: Iterable[dict[str, Any]],
    counts: dict[str, int],
    guard: dict[str, Any],
    facts: list[dict[str, Any]],
) -> dict[str, Any]:
    """Record a matrix of any unit.

    Parameters
    ----------
    spec, snapshot
        What was asked, and of what.
    origins
        dataset_id, release_id and licence of everything that it is made from.
    counts
        What there is how much of.
    guard, facts
        The guard's verdict, and what is to be said of each source.
    """
    named = {origin["dataset_id"]: origin for origin in origins}
    releases = {dataset_id: named[dataset_id]["release_id"] for dataset_id in sorted(named)}
    return {
        "name": spec.name,
        "recipe": recipe_hash(spec, releases, guard.get("compounds", ())),
        "snapshot": snapshot.number,
        "releases": releases,
        **counts,
        "spec": _content(spec),
        "guard": guard,
        "sources": facts,
        "licences": {dataset_id: named[dataset_id]["licence"] for dataset_id in sorted(named)},
        "versions": {"contract": CONTRACT_VERSION, "recipe": RECIPE_VERSION}
        | {name: version(name) for name in PACKAGES},
    }


def recipe_hash(spec: FeatureSpec, releases: dict[str, str], compounds: Sequence[dict[str, Any]] = ()) -> str:
    """Hash what decides a matrix: the spec but for its name and snapshot, the releases it reads, and the recipe.

    Two snapshots that agree on those releases, and on which of their compounds are one, give the same hash, and the
    same matrix.
    """
    content = _content(spec)
    decisive = {key: content[key] for key in ("target", "feature", "split", "allow")}
    text = json.dumps([RECIPE_VERSION, CONTRACT_VERSION, decisive, releases, list(compounds)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(spec: FeatureSpec) -> dict[str, Any]:
    """Return what a spec says; files by name, since their content is among the releases."""
    content: dict[str, Any] = spec.model_dump(mode="json", exclude_none=True)
    for feature in content["feature"]:
        if "file" in feature:
            feature["file"] = Path(feature["file"]).name
    return content
