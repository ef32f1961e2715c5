"""``scores.json``: what predictions scored, as plain values; the last file of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCORES = "scores.json"
EFFECT_KIND = "effect_kind"
"""Key, in the metadata of a Parquet file of predictions, of the scale that they are on."""


def write_scores(folder: Path, scores: Mapping[str, Any]) -> None:
    """Write scores into a folder; what is undefined is null in them, never NaN."""
    text = json.dumps(scores, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SCORES).write_text(f"{text}\n", encoding="utf-8")
