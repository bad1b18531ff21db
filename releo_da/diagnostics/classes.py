r"""How well classes are told: confusions as sums over places, macro-F1 of any of these sums.

With C[k, l] the samples of class k that were said to be l,

    F1_k = 2 C[k, k] / (sum_l C[k, l] + sum_l C[l, k]),    macro-F1 = mean over k of F1_k

each class with the same weight however rare it is; one that is neither there nor said of any sample
does not count. Confusions add up over places, folds and seeds, which is what
`releo_da.diagnostics.redrawn` needs for intervals.

Reference: Sokolova and Lapalme (2009), A systematic analysis of performance measures for
classification tasks, Inf. Process. Manag. 45, 427-437.
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError


def confusions(truth: Array, said: Array, unit: Array, classes: int) -> Array:
    """Confusion matrix of each unit, ``[unit, truth, said]``, units in ascending order.

    Args:
        truth: ``[sample]`` integers from 0 to ``classes`` - 1.
        said: ``[sample]`` the same.
        unit: ``[sample]`` labels of what is redrawn as one.
        classes: how many there are.

    Raises:
        InputError: a class outside, or lengths that differ.
    """
    truth, said, unit = np.asarray(truth), np.asarray(said), np.asarray(unit)
    if not len(truth) == len(said) == len(unit):
        raise InputError(
            f"confusions: {len(truth)} true classes, {len(said)} said, {len(unit)} units; "
            "give one of each per sample"
        )
    outside = (truth < 0) | (truth >= classes) | (said < 0) | (said >= classes)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"confusions: sample {at} has the class {truth[at]}, said {said[at]}; "
            f"classes are 0 to {classes - 1}"
        )
    labels, row = np.unique(unit, return_inverse=True)
    cell = (row * classes + truth) * classes + said
    count = np.bincount(cell, minlength=len(labels) * classes * classes)
    return count.reshape(len(labels), classes, classes).astype(float)


def f1(confusion: Array) -> Array:
    """F1 of each class, ``[..., class]``, NaN where a class is neither there nor said.

    Args:
        confusion: ``[..., truth, said]``.
    """
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(-1) + confusion.sum(-2)
    return np.divide(2.0 * hit, total, out=np.full(hit.shape, np.nan), where=total > 0)


def macro_f1(confusion: Array) -> Array:
    """Mean of F1 over the classes that are there or were said, ``[...]``; NaN without any.

    Args:
        confusion: ``[..., truth, said]``.
    """
    each = f1(confusion)
    known = np.isfinite(each)
    number = known.sum(-1)
    total = np.where(known, each, 0.0).sum(-1)
    return np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)
