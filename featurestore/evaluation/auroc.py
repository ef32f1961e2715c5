"""Area under the ROC curve by gene: whether a score ranks the perturbations that change a gene above the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurestore.models.baseline import Doubles, Truths

Labels = npt.NDArray[np.generic]


def auroc_by_group(groups: Labels, truth: Truths, score: npt.NDArray[np.floating]) -> tuple[Labels, Doubles]:
    """Compute the area under the ROC curve within each group that has both answers; tied scores count half.

    Best value 1, chance 0.5. Blind to what differs between groups alone: a gene that is called often gains nothing.

    Parameters
    ----------
    groups
        Group of each pair, such as its gene, shape (pairs,).
    truth
        Whether each pair is positive.
    score
        The higher, the more likely positive.

    Returns
    -------
    The groups that have both answers, in order, and the area of each.

    Examples
    --------
    >>> import numpy as np
    >>> auroc_by_group(np.array(["a", "a", "a", "b"]), np.array([1, 0, 0, 1]) > 0, np.array([2.0, 1.0, 3.0, 0.0]))
    (array(['a'], dtype='<U1'), array([0.5]))
    """
    names, group = np.unique(groups, return_inverse=True)
    order = np.lexsort((score, group))
    group, truth, score = group[order], truth[order], score[order]
    starts_tie = np.ones(len(group), dtype=bool)
    starts_tie[1:] = (group[1:] != group[:-1]) | (score[1:] != score[:-1])
    first = np.flatnonzero(starts_tie)
    last = np.append(first[1:], len(group)) - 1
    middle = ((first + last) / 2)[np.cumsum(starts_tie) - 1]
    n = np.bincount(group, minlength=len(names))
    n_positive = np.bincount(group, weights=truth, minlength=len(names))
    starts = np.cumsum(n) - n
    rank_sum = np.bincount(group, weights=truth * (middle - starts[group]), minlength=len(names))
    n_negative = n - n_positive
    has_both = (n_positive > 0) & (n_negative > 0)
    above = rank_sum - n_positive * (n_positive - 1) / 2
    return names[has_both], np.asarray(above[has_both] / (n_positive * n_negative)[has_both])
