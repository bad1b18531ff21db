"""The double logistic against curves it must recover and against scipy, season by season."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from releo_da.diagnostics.baselines.double_logistic import (
    WIDTHS,
    at_times,
    curve_of,
    fit,
    fit_double_logistic,
    seasons,
    slopes,
    smooth,
    weights,
)
from releo_da.diagnostics.baselines.series import Series, series

TRUTH = np.array([0.15, 0.2, 0.85, 110.0, 200.0, np.log(9.0), np.log(7.0)])
START = 17000.0


@pytest.fixture(scope="module")
def two_years() -> Series:
    """Four pixels, two seasons each, noise and gaps."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(START, START + 730, 120))
    values = []
    for shift in (0.0, 10.0, -15.0, 20.0):
        one = TRUTH + [0.0, 0.0, -shift / 200, shift, shift / 2, 0.0, 0.2]
        day = (times - START) % 365.0
        values.append(curve_of(one[None], day[None])[0])
    noisy = np.array(values) + 0.04 * rng.standard_normal((4, 120))
    seen = rng.random(noisy.shape) < 0.6
    return series(times, noisy, seen)


def test_slopes_are_derivatives() -> None:
    rng = np.random.default_rng(1)
    days = np.linspace(0.0, 300.0, 50)
    found = TRUTH + 0.1 * rng.standard_normal((3, 7))
    exact = slopes(found, np.tile(days, (3, 1)))
    for k, step in enumerate(1e-6 * np.eye(7)):
        up, down = (curve_of(found + sign * step, days[None]) for sign in (1, -1))
        np.testing.assert_allclose(exact[..., k], (up - down) / 2e-6, atol=1e-8)


def test_a_noiseless_season_is_recovered_exactly() -> None:
    times = START + np.arange(0.0, 366.0, 6.0)
    shifts = np.array([[0.0], [12.0], [-8.0]]) * np.array([0, 0, 0, 1.0, 1.0, 0, 0])
    values = curve_of(TRUTH + shifts, np.tile(times - START, (3, 1)))
    given = series(times, values)
    found = seasons(given)
    assert found.pixel.tolist() == [0, 1, 2]
    fitted = fit(found, given, 0.0, close=1e-12)
    fitted[:, :3] *= found.scale[:, None]
    np.testing.assert_allclose(fitted, TRUTH + shifts, atol=1e-8)
    between = times[:-1] + 2.5
    exact = curve_of(TRUTH + shifts, np.tile(between - START, (3, 1)))
    # A fit as it is used ends with a step of a hundredth of the prior's width.
    np.testing.assert_allclose(at_times(1e-12, given, between), exact, atol=1e-4)


@pytest.mark.parametrize("strength", [1e-3, 1e-2])
def test_each_season_has_the_optimum_of_scipy(two_years: Series, strength: float) -> None:
    found = seasons(two_years)
    fitted = fit(found, two_years, strength, close=1e-10)
    held = weights(found, two_years.times) > 0
    assert len(found.pixel) >= 8
    for k, pixel in enumerate(found.pixel):
        seen = two_years.seen[pixel] & held[k]
        day = two_years.times[seen] - found.first[k]
        y = two_years.values[pixel, seen] / found.scale[k]

        def residual(at: np.ndarray, day=day, y=y, k=k) -> np.ndarray:
            prior = np.sqrt(strength) * (at - found.start[k]) / WIDTHS
            return np.concatenate([y - curve_of(at[None], day[None])[0], prior])

        bounds = found.low[k], found.high[k]
        best = least_squares(residual, found.start[k], bounds=bounds, xtol=1e-14, ftol=1e-14)
        cost = 0.5 * np.sum(residual(fitted[k]) ** 2)
        assert cost == pytest.approx(best.cost, rel=1e-6)
        np.testing.assert_allclose((fitted[k] - best.x) / WIDTHS, 0.0, atol=1e-3)


def test_seasons_are_parted_where_the_data_are_low_and_fade_into_each_other(
    two_years: Series,
) -> None:
    found = seasons(two_years)
    parting = found.first[found.first > two_years.times[0]] - START
    assert ((parting % 365 < 130) | (parting % 365 > 190)).all()  # never at full canopy
    total = np.zeros((4, 120))
    np.add.at(total, found.pixel, weights(found, two_years.times))
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    close = np.sort(np.r_[found.first, found.first + 1e-6])
    jump = np.diff(at_times(1e-3, two_years, close))[:, ::2]
    assert np.abs(jump).max() < 1e-6


def test_few_values_bound_the_curve(two_years: Series) -> None:
    rng = np.random.default_rng(2)
    few = np.zeros((200, 120), bool)
    for row, count in enumerate(rng.integers(0, 7, 200)):
        few[row, rng.permutation(120)[:count]] = True
    values = np.tile(two_years.values, (50, 1))
    found = smooth(1e-3, Series(two_years.times, values, few & np.isfinite(values))).mean
    days = np.array([len(np.unique(np.floor(two_years.times[row]))) for row in few])
    assert np.isnan(found[days < 2]).all() and (days < 2).any()
    assert np.isfinite(found[days >= 2]).all()
    # No curve leaves what its pixel showed by more than half of its range.
    kept = np.where(few, values, np.nan)[days >= 2]
    low, high = np.nanmin(kept, 1, keepdims=True), np.nanmax(kept, 1, keepdims=True)
    beyond = np.maximum(low - found[days >= 2], found[days >= 2] - high)
    assert (beyond < 0.51 * (high - low)).all()
    flat = Series(two_years.times, np.full((1, 120), 0.3), np.ones((1, 120), bool))
    np.testing.assert_allclose(smooth(1e-3, flat).mean, 0.3, atol=1e-3)


def test_noise_asks_for_a_stronger_prior(two_years: Series) -> None:
    rng = np.random.default_rng(3)
    clean = at_times(1e-3, two_years, two_years.times)
    rough = clean + 0.2 * rng.standard_normal(clean.shape)
    strengths = [fit_double_logistic(two_years._replace(values=v)) for v in (clean, rough)]
    assert strengths == [1e-3, 1e-2]
