"""Divergence is told from a bad cycle, from a gap and from a filter that is fine."""

import numpy as np
import pytest

from releo_da.diagnostics.divergence import CYCLES, flagged, of_run, row, unwatched, watched
from releo_da.diagnostics.streaming import TERMS, sums
from releo_da.diagnostics.verification import FIELDS


def run(errors, spreads, compared=None):
    watch = unwatched(np.shape(errors[0]))
    for k, (error, spread) in enumerate(zip(errors, spreads, strict=True)):
        here = np.ones(np.shape(error), bool) if compared is None else compared[k]
        watch = watched(watch, error, spread, here)
    return watch


def test_only_a_stretch_of_cycles_makes_a_diagnosis() -> None:
    errors = np.ones((12, 3))
    spreads = np.ones((12, 3))
    spreads[4:8, 1] = 0.1  # four bad cycles
    spreads[6:, 2] = 0.1  # six
    watch = run(errors, spreads)
    assert flagged(watch).tolist() == [False, False, True]
    assert watch.longest.tolist() == [0, 4, 6] and watch.current.tolist() == [0, 0, 6]
    np.testing.assert_allclose(watch.worst, [1.0, 10.0, 10.0])


def test_a_gap_neither_ends_nor_lengthens_a_stretch() -> None:
    compared = np.ones((CYCLES + 3, 1), bool)
    compared[2:5] = False
    watch = run(np.full((CYCLES + 3, 1), 4.0), np.ones((CYCLES + 3, 1)), compared)
    assert watch.longest.tolist() == [CYCLES] and flagged(watch).all()


def test_what_is_not_finite_has_diverged_and_no_spread_is_no_excuse() -> None:
    watch = run([[1.0, 1.0, 0.0], [np.nan, 1.0, 0.0]], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert watch.lost.tolist() == [1, 0, 0]
    assert np.isinf(watch.worst[1]) and watch.longest.tolist() == [1, 2, 0]
    assert flagged(watch).tolist() == [True, False, False]


def numbers(rng, error: float, spread: float, bias: float = 0.0):
    found = np.zeros((400, 1, len(FIELDS)))
    found[:, 0, FIELDS.index("mean")] = bias + error * rng.standard_normal(400)
    found[:, 0, FIELDS.index("sd")] = spread
    return found


def test_a_run_whose_spread_collapses_is_flagged_from_its_sums() -> None:
    rng = np.random.default_rng(0)
    parts = [
        {
            "fine": sums(numbers(rng, 0.5, 0.5))[0],
            "lost": sums(numbers(rng, 0.5 + 0.1 * k, 0.5 * 0.7**k))[0],
        }
        | ({"late": sums(numbers(rng, 9.0, 1.0))[0]} if k > 7 else {})
        for k in range(12)
    ]
    found = of_run(parts)
    assert {name: one["diverged"] for name, one in found.items()} == {
        "fine": False,
        "lost": True,
        "late": False,  # four cycles only
    }
    assert found["fine"]["worst_ratio"] < 1.3
    assert found["lost"]["spread_left"] == pytest.approx(0.7**11)
    assert found["lost"]["error_grown"] == pytest.approx(3.2, rel=0.1)
    assert found["late"]["cycles_beyond"] == 4
    assert of_run([{"fine": np.zeros(TERMS)}])["fine"]["diverged"] is False


def test_cycles_that_are_not_finite_are_counted_and_gaps_are_not() -> None:
    """Six cycles of NaN have lost the truth; six without an observed value say nothing."""
    lost, gap = (numbers(np.random.default_rng(2), 0.5, 0.5) for _ in range(2))
    lost[..., FIELDS.index("mean")] = np.nan
    gap[...] = np.nan
    few = numbers(np.random.default_rng(2), 0.5, 0.5)
    few[3, 0, FIELDS.index("mean")] = np.inf
    found = of_run([{n: sums(x)[0] for n, x in zip("lgf", (lost, gap, few), strict=True)}] * 6)
    assert {n: one["not_finite"] for n, one in found.items()} == {"l": 6, "g": 0, "f": 6}
    assert {n: one["diverged"] for n, one in found.items()} == {"l": True, "g": False, "f": True}


def test_every_pixel_of_a_block_alone() -> None:
    """Independent calibrated errors flag nobody; a pixel that stands still while truth moves is."""
    rng = np.random.default_rng(1)
    errors = np.abs(rng.standard_normal((40, 256, 2)))
    errors[20:, 7, 1] += 6.0
    found = flagged(run(errors, np.ones((40, 256, 2))))
    assert found.sum() == 1 and found[7, 1]
    assert row(run(errors[:, 7, 1], np.ones(40)))["cycles_beyond"] >= 19
