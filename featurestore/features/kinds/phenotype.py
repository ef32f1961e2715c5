"""``kind = "phenotype"``: scalar readouts of the same perturbation."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import External
from featurestore.features.kinds.options import Combination


class PhenotypeFeature(External):
    """Scalar readouts of the same perturbation: one column per phenotype and context, one block per dataset.

    Parameters
    ----------
    phenotype
        Name of the readout; every one of the dataset by default.
    combination
        As of :class:`SignatureFeature`.
    """

    is_by_context = False

    kind: Literal["phenotype"]
    phenotype: str | None = None
    combination: Combination = "exact"
