"""What is proved of the sources of a selection before anything of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from featurestore.features.guard.leaks import check_sources
from featurestore.features.guard.shared_controls import check_controls, controls_of

if TYPE_CHECKING:
    from featurestore.features.sections import Allow
    from featurestore.features.selection import Selection
    from featurestore.query.warehouse import Warehouse


def prove_sources(warehouse: Warehouse, selection: Selection, allow: Sequence[Allow]) -> dict[str, Any]:
    """Prove that no source measured the target's own cells, and that none has its control cells.

    Returns
    -------
    The verdicts for the manifest, ``experiments`` and ``controls``.

    Raises
    ------
    LeakageError, SpecError
        As :func:`check_sources` and :func:`check_controls`.
    """
    experiments = check_sources(selection.target, selection.sources, allow)
    controls = controls_of(warehouse, selection.target)
    checked = [check_controls(warehouse, controls, source, allow) for source in selection.sources]
    return {"experiments": experiments, "controls": checked}
