"""Turning points against the prominence of scipy, on random curves."""

import numpy as np
from scipy.signal import find_peaks

from releo_da.diagnostics.turning import spans, turns


def test_peaks_are_those_of_that_prominence() -> None:
    rng = np.random.default_rng(0)
    curves = rng.standard_normal((300, 60)).cumsum(1)
    curves[:, [0, -1]] = curves.min(1, keepdims=True) - 10.0  # both ends lie low
    height = rng.uniform(0.5, 6.0, 300)
    found = turns(curves, height)
    for row, (curve, least) in enumerate(zip(curves, height, strict=True)):
        expected, _ = find_peaks(curve, prominence=least)
        assert np.flatnonzero(found.peak[row]).tolist() == expected.tolist()
        troughs = np.flatnonzero(found.trough[row])
        assert len(troughs) == len(expected) - 1
        for before, trough, after in zip(expected[:-1], troughs, expected[1:], strict=True):
            assert curve[trough] == curve[before : after + 1].min()


def test_a_curve_may_begin_with_a_fall_and_end_with_a_rise() -> None:
    curve = np.array([[3.0, 1.0, 0.0, 2.0, 0.5, 3.0], [0.0, 0.1, 0.2, 0.1, 0.0, 0.1]])
    found = turns(curve, 1.0)
    assert np.argwhere(found.peak).tolist() == [[0, 0], [0, 3]]  # the last rise has no peak yet
    assert np.argwhere(found.trough).tolist() == [[0, 2]]
    first, last = spans(found.trough)
    assert first.tolist() == [[0, 0, 2, 2, 2, 2], [0] * 6]
    assert last.tolist() == [[2, 2, 5, 5, 5, 5], [5] * 6]
