"""What a comparison gives: p-values with their signs, and effects with how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.signatures.calibration import Calibration
from ingest.signatures.digits import cut
from ingest.signatures.false_discovery import benjamini_hochberg
from ingest.signatures.moments import Doubles
from ingest.signatures.rates import Expected

Floats = npt.NDArray[np.floating]
SMALLEST = 5e-324


@dataclass(frozen=True, slots=True)
class Contrast:
    """Effects and how sure they are; every array has shape (conditions, genes), NaN where undefined."""

    effect: Doubles
    standard_error: Doubles
    z: Doubles
    p_value: Doubles
    q_value: Doubles
    log2fc: Doubles
    log2fc_standard_error: Doubles


@dataclass(frozen=True, slots=True)
class Tested:
    """p-values of conditions and genes as logarithms, and their signs; where counts were tested, p of none of them.

    ``counts`` are those observed and those expected, where there are any.
    """

    log_p: Floats
    sign: npt.NDArray[np.int8]
    log_p_of_none: Floats | None
    is_absent: npt.NDArray[np.bool_] | None
    counts: tuple[Doubles, Expected] | None

    def single(self) -> Tested:
        """Return what is kept of pretend conditions, of which there are many: in single precision, without counts."""
        of_none = None if self.log_p_of_none is None else self.log_p_of_none.astype(np.float32)
        return Tested(self.log_p.astype(np.float32), self.sign, of_none, self.is_absent, None)

    def adjusted(
        self, calibration: Calibration, n_cells: Doubles, stratum: npt.NDArray[np.intp]
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Return log p as corrected by pretend conditions, p, and q."""
        log_p = calibration.correct(self.log_p, n_cells, stratum)
        p_value, of_none = np.exp(log_p), None
        np.maximum(p_value, SMALLEST, out=p_value)
        if self.log_p_of_none is not None:
            of_none = calibration.correct(self.log_p_of_none, n_cells, stratum)
            np.exp(of_none, out=of_none)
        q_value = cut(benjamini_hochberg(p_value, of_none))
        if self.is_absent is not None:
            for values in (log_p, p_value, q_value):
                values[self.is_absent] = np.nan
        return log_p, p_value, q_value
