"""Figures of sums, against scikit-learn and scipy, and their intervals against known spreads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from releo_da.diagnostics import moments, scores
from releo_da.diagnostics.classes import confusions, f1, macro_f1
from releo_da.diagnostics.redrawn import redrawn
from releo_da.types import InputError


@pytest.fixture(scope="module")
def classified() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = rng.choice(4, size=300, p=[0.5, 0.3, 0.15, 0.05])
    said = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 4, 300))
    return truth, said, rng.integers(0, 40, 300)


def test_macro_f1_is_that_of_scikit_learn(classified: tuple[np.ndarray, ...]) -> None:
    truth, said, unit = classified
    table = confusions(truth, said, unit, 5)  # the fifth is neither there nor said
    assert table.shape == (40, 5, 5)
    each = f1(table.sum(0))
    assert np.isnan(each[4])
    assert each[:4] == pytest.approx(f1_score(truth, said, average=None))
    assert macro_f1(table.sum(0)) == pytest.approx(f1_score(truth, said, average="macro"))
    # Said of a sample and never true: it counts, with nothing right.
    only = confusions([0, 0], [0, 1], [0, 0], 3).sum(0)
    assert macro_f1(only) == pytest.approx(f1_score([0, 0], [0, 1], average="macro"))


def test_moments_are_the_scores_of_the_samples() -> None:
    rng = np.random.default_rng(2)
    y = 1e4 + rng.normal(size=200)
    x = 0.7 * y + 3e3 + rng.normal(size=200)
    x[3] = np.nan
    sums = moments.moments(y, x, rng.integers(0, 7, 200)).sum(0)
    good = np.isfinite(x)
    assert sums[0] == 199
    assert moments.bias(sums) == pytest.approx(scores.bias(y, x))
    assert moments.rmse(sums) == pytest.approx(scores.rmse(y, x))
    assert moments.r2(sums) == pytest.approx(stats.pearsonr(x[good], y[good]).statistic ** 2)
    assert np.isnan(moments.r2(moments.moments(y, np.ones(200), np.zeros(200)).sum(0)))


def test_the_interval_of_a_mean_is_that_of_independent_units() -> None:
    """RMSE^2 of units with one value each: a mean, whose standard error is known."""
    rng = np.random.default_rng(3)
    y, x = np.zeros(400), rng.normal(2.0, 1.0, 400)
    sums = moments.moments(y, x, np.arange(400))
    found = redrawn(sums, moments.bias, rng, draws=4000)
    half = 1.96 * x.std() / 20.0
    assert found.value == pytest.approx(x.mean())
    assert found.upper - found.value == pytest.approx(half, rel=0.1)
    assert found.value - found.lower == pytest.approx(half, rel=0.1)
    # Each value four times in its unit: more samples, no more knowledge.
    again = np.repeat(np.arange(400), 4)
    four = redrawn(moments.moments(y[again], x[again], again), moments.bias, rng, draws=4000)
    assert four.upper - four.lower == pytest.approx(2.0 * half, rel=0.1)


def test_a_rival_is_redrawn_with_the_same_units(classified: tuple[np.ndarray, ...]) -> None:
    truth, said, unit = classified
    table = confusions(truth, said, unit, 4)
    generator = np.random.default_rng(4)
    same = redrawn(table, macro_f1, generator, table)
    assert same == (0.0, 0.0, 0.0)
    right = redrawn(confusions(truth, truth, unit, 4), macro_f1, generator, table)
    assert right.value == pytest.approx(1.0 - macro_f1(table.sum(0)))
    assert 0.0 < right.lower < right.value < right.upper < 1.0


def test_what_cannot_be_compared_is_refused(classified: tuple[np.ndarray, ...]) -> None:
    truth, said, unit = classified
    with pytest.raises(InputError, match="classes are 0 to 2"):
        confusions(truth, said, unit, 3)
    with pytest.raises(InputError, match="one of each per sample"):
        confusions(truth, said[:-1], unit, 4)
    with pytest.raises(InputError, match="one of each per sample"):
        moments.moments(truth, said[:-1], unit)
    with pytest.raises(InputError, match="no sample"):
        moments.moments(truth, np.full(300, np.nan), unit)
    table = confusions(truth, said, unit, 4)
    with pytest.raises(InputError, match="one row per unit"):
        redrawn(table, macro_f1, np.random.default_rng(0), table[1:])
