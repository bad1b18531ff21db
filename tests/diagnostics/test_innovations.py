"""The interval of chi2 holds what it says, of independent and of repeated values."""

import math

import numpy as np
import pytest

from releo_da.diagnostics.innovations import chi2_interval
from releo_da.types import InputError


@pytest.mark.parametrize(("values", "alike"), [(3, 1), (40, 1), (40, 4)])
def test_the_interval_holds_its_share(values: int, alike: int) -> None:
    rng = np.random.default_rng(values + alike)
    d = rng.standard_normal((20_000, values // alike)).repeat(alike, axis=1)
    reduced = (d**2).mean(1)
    low, high = chi2_interval(values, 0.9, alike)
    inside = np.mean((reduced >= low) & (reduced <= high))
    assert inside == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 20_000))


def test_many_values_leave_two_standard_errors() -> None:
    low, high = chi2_interval(20_000)
    assert (low, high) == pytest.approx((1 - 1.96 * 0.01, 1 + 1.96 * 0.01), abs=2e-4)
    assert all(map(math.isnan, chi2_interval(0)))
    for wrong in ({"level": 1.0}, {"alike": 0.5}):
        with pytest.raises(InputError, match="between 0 and 1"):
            chi2_interval(10, **wrong)


def test_a_small_ensemble_inflates_it_as_hotelling_says() -> None:
    """12 members, 3 channels, no error of observation: (N^2 - 1) / (N (N - 2 - p)) = 143 / 84."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 12, 3))
    d = rng.standard_normal((20_000, 3)) - x.mean(1)
    x -= x.mean(1, keepdims=True)
    s = np.einsum("pmi,pmj->pij", x, x) / 11
    chi2 = np.einsum("pi,pij,pj->p", d, np.linalg.inv(s), d)
    assert chi2.mean() / 3 == pytest.approx(143 / 84, rel=0.03)
