"""Made cells of a small challenge of 2026: three contexts, twelve perturbations, 800 genes, predictions of any kind.

The numbers come of raw bits of a generator, whose stream NumPy never changes, so that answers can be kept without the
cells. One perturbation has no effect, one few genes, and one a name that is no gene.
"""

import hashlib

import numpy as np
from scipy import sparse

from featurestore.challenge import Cells

CONTROL = "non-targeting"
CONTEXTS = ("A", "B", "C")
N_PERTURBATIONS, N_GENES, N_EACH, N_CONTROLS = 12, 800, 30, 90
GENES = tuple(f"G{i:03d}" for i in np.argsort((np.arange(N_GENES) * 7919) % N_GENES, kind="stable"))
TARGETS = (*GENES[5 : 5 + N_PERTURBATIONS - 1], "pool")
PREDICTIONS = ("ordinary", "identical", "none", "everything", "mislabelled")


class Bits:
    """Uniform numbers and exponential counts from the raw bits of a generator."""

    def __init__(self, seed):
        self._bits = np.random.PCG64(seed)

    def uniform(self, *shape):
        """Numbers between 0 and 1."""
        raw = self._bits.random_raw(int(np.prod(shape)))
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def normal(self, *shape):
        """Nearly normal numbers: the sum of four uniform ones."""
        return (self.uniform(4, *shape).sum(axis=0) - 2.0) * 3.0**0.5

    def counts(self, mean, n):
        """Whole counts of n cells of different sizes around a mean profile, zeros among them."""
        size = np.exp(0.3 * self.normal(n, 1))
        noise = -np.log1p(-self.uniform(n, len(mean)))
        return np.floor(mean * size * noise)


def context(name):
    """Measured cells of a context, and its predictions by kind; the cells of ``none`` are controls drawn again."""
    bits = Bits(CONTEXTS.index(name))
    base = np.exp(1.2 * bits.normal(N_GENES))
    base *= 4.0 * N_GENES / base.sum()
    shared = 0.5 * bits.normal(N_GENES) * (bits.uniform(N_GENES) < 0.3)
    shape = N_PERTURBATIONS, N_GENES
    effects = shared + 1.2 * bits.normal(*shape) * (bits.uniform(*shape) < 0.25)
    effects[1] = 0.0
    effects[2] = np.where(np.arange(N_GENES) == np.argmax(base), -2.5, 0.0)
    for p, target in enumerate(TARGETS[:-1]):
        effects[p, GENES.index(target)] = -2.0
    guess = 0.6 * effects + 0.5 * bits.normal(*shape) * (bits.uniform(*shape) < 0.2)
    controls = bits.counts(base, N_CONTROLS)
    measured = [bits.counts(base * np.exp(effect), N_EACH) for effect in effects]
    ordinary = [bits.counts(base * np.exp(effect), N_EACH) for effect in guess]
    once = bits.counts(base * np.exp(shared), N_EACH)
    everything = [bits.counts(base * np.exp(2.0 * bits.normal(N_GENES)), N_EACH) for _ in TARGETS]
    none = [controls[(bits.uniform(N_EACH) * N_CONTROLS).astype(int)] for _ in TARGETS]
    predicted = {
        "ordinary": ordinary,
        "identical": [once] * N_PERTURBATIONS,
        "none": none,
        "everything": everything,
        "mislabelled": [*ordinary[1:], ordinary[0]],
    }
    return cells(controls, measured), {kind: cells(controls, blocks) for kind, blocks in predicted.items()}


def cells(controls, blocks):
    """Put controls and perturbations together."""
    labels = np.array([CONTROL] * len(controls) + [name for name in TARGETS for _ in range(N_EACH)])
    return Cells(sparse.csr_array(np.vstack([controls, *blocks]).astype(np.float32)), labels, GENES, CONTROL)


def content(name):
    """Hash everything of a context, to tell whether kept answers are of these cells."""
    measured, predicted = context(name)
    parts = [side.values.toarray().astype(np.int64).tobytes() for side in (measured, *predicted.values())]
    return hashlib.sha256(b"".join(parts)).hexdigest()
