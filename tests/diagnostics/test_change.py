"""An abrupt change: its law while nothing happens, calibration, delay, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from releo_da.diagnostics import quiet
from releo_da.diagnostics.change import KAPPA, YEAR, changes, longest, posterior
from releo_da.diagnostics.quiet import innovations_of
from releo_da.types import InputError

DATES, PIXELS, CHANNELS = 60, 3000, 3
TIMES = 1e4 + 5.0 * np.arange(DATES)
DAYS = 400.0  # longer than the series: nothing is forgotten


@pytest.fixture(scope="module")
def noise() -> tuple[np.ndarray, np.ndarray]:
    """White innovations, three in ten of them under cloud."""
    rng = np.random.default_rng(7)
    seen = rng.random((DATES, PIXELS)) < 0.7
    return rng.normal(size=(DATES, PIXELS, CHANNELS)) * seen[..., None], seen


def test_false_alarms_are_as_rare_as_they_are_said_to_be(noise: tuple) -> None:
    v, seen = noise
    rate = 0.6
    found = posterior(v, seen, TIMES, rate, DAYS)
    mass = rate * (TIMES[-1] - TIMES[0]) / YEAR
    for level in (0.8, 0.9, 0.95):
        odds = level / (1.0 - level) * (1.0 - mass)
        share = np.isfinite(found.first(level)).mean()
        assert 0.0 < share < mass / odds
    # The odds have the mean of the prior (a martingale): with a small shift it can be measured.
    small = posterior(v, seen, TIMES, rate, DAYS, kappa=0.3).probability[8]
    early = rate * (TIMES[8] - TIMES[0]) / YEAR
    assert (small / (1.0 - small)).mean() == pytest.approx(early / (1.0 - early), rel=0.03)


def test_a_probability_is_the_share_of_those_that_changed(noise: tuple) -> None:
    v, seen = noise
    rate, rng = 0.6, np.random.default_rng(8)
    when = rng.exponential(YEAR / rate, PIXELS)  # few change twice: the prior has one change
    changed = TIMES[0] + when <= TIMES[:, None]
    shifted = v + (changed & seen)[..., None] * rng.normal(0.0, KAPPA, (PIXELS, CHANNELS))
    found = posterior(shifted, seen, TIMES, rate, DAYS)
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        those = (found.probability > low) & (found.probability <= high)
        assert changed[those].mean() == pytest.approx(found.probability[those].mean(), abs=0.06)
    late = found.probability[-1] > 0.99
    begin = TIMES[0] + when[late]
    # The first acquisition after the change, where nothing hides it.
    assert (abs(found.onset[-1, late] - begin) < 10.0).mean() > 0.8


def test_a_shift_is_found_by_the_third_acquisition_and_a_cloud_is_not() -> None:
    v = np.random.default_rng(9).normal(size=(DATES, 500, CHANNELS))
    burnt, cloudy = v.copy(), v.copy()
    burnt[30:] += 4.0
    cloudy[30] += 40.0
    still = np.arange(DATES) < 30
    first = [changes({"a": u}, TIMES, still).first() for u in (burnt, cloudy)]
    assert ((first[0] > TIMES[30]) & (first[0] <= TIMES[32])).mean() > 0.98
    assert np.isnan(first[1]).mean() > 0.99


def test_innovations_become_white() -> None:
    """Shifted, correlated, with clouds: mean and covariance are those of the quiet ones."""
    rng = np.random.default_rng(10)
    mix = np.array([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.3, 0.1, 2.0]])
    u = rng.normal(size=(200, 40, 3)) @ mix.T + [0.5, -1.0, 2.0]
    u[rng.random((200, 40)) < 0.02] += 30.0
    u[rng.random((200, 40)) < 0.3] = np.nan
    usual = quiet.reference(u)
    assert usual.centre == pytest.approx(np.array([0.5, -1.0, 2.0]), abs=0.08)
    assert usual.whiten @ mix @ mix.T @ usual.whiten == pytest.approx(np.eye(3), abs=0.06)
    v, seen = quiet.whitened(u, usual)
    v = quiet.clipped(v)
    assert quiet.alike(v, seen) == pytest.approx(1.0, abs=0.1)
    assert (v[~seen] == 0).all()
    assert (v**2).sum(-1).max() <= stats.chi2.ppf(quiet.RARE, 3) * 1.0001


@pytest.fixture(scope="module", params=[0.4, 0.7])
def autoregression(request: pytest.FixtureRequest) -> tuple[float, np.ndarray]:
    r, rng = request.param, np.random.default_rng(11)
    v = np.empty((200, 400, 2))
    v[0] = rng.normal(size=(400, 2))
    for k in range(1, 200):
        v[k] = r * v[k - 1] + np.sqrt(1 - r**2) * rng.normal(size=(400, 2))
    return r, v


def test_likeness_is_that_of_an_autoregression(autoregression: tuple) -> None:
    r, v = autoregression
    seen = np.ones(v.shape[:2], bool)
    found = quiet.correlations(v, seen)
    assert found == pytest.approx(r ** np.arange(quiet.LAGS + 1), abs=0.02)
    assert quiet.alike(v, seen) == pytest.approx((1.0 + r) / (1.0 - r), rel=0.1)
    e = quiet.fresh(v, seen, r)
    assert quiet.alike(e, seen) == pytest.approx(1.0, abs=0.05)
    assert e.var() == pytest.approx(1.0, abs=0.02)
    # Under cloud the last value seen stands for the one before.
    seen[5] = False
    v = np.where(seen[..., None], v, 0.0)
    assert quiet.fresh(v, seen, r)[6, 0] == pytest.approx(
        (v[6, 0] - r * v[4, 0]) / (1 - r**2) ** 0.5
    )


def test_likeness_of_a_slow_part_under_noise() -> None:
    """What is new is unlike the last value and like those before: sums grow as `alike` says."""
    rng = np.random.default_rng(15)
    slow = np.empty((300, 400, 1))
    slow[0] = rng.normal(size=(400, 1))
    for k in range(1, 300):
        slow[k] = 0.8 * slow[k - 1] + 0.6 * rng.normal(size=(400, 1))
    v = np.sqrt(0.4) * slow + np.sqrt(0.6) * rng.normal(size=slow.shape)
    seen = np.ones(v.shape[:2], bool)
    e = quiet.fresh(v, seen, float(quiet.correlations(v, seen)[1]))
    assert quiet.correlations(e, seen)[1] < 0.0
    assert quiet.alike(e, seen) == pytest.approx(e.sum(0).var() / 300.0, rel=0.15)


def test_innovations_that_are_alike_raise_no_more_alarms(autoregression: tuple) -> None:
    r, v = autoregression
    times = 1e4 + 5.0 * np.arange(200)
    found = changes({"a": v}, times, np.ones(200, bool), rate=0.1)
    assert found.noise.r == pytest.approx(r, abs=0.02)
    bound = 0.1 * (times[-1] - times[0] + 120.0) / YEAR / 9.0
    assert np.isfinite(found.first(0.9)).mean() < bound
    # A shift that stays is found all the same, and by the value that has it first.
    shifted = v.copy()
    shifted[150:] += 3.0
    after = changes({"a": shifted}, times, np.arange(200) < 150)
    assert np.isfinite(after.first()).mean() > 0.7
    assert np.median(after.onset[160]) == pytest.approx(times[150], abs=10.0)


def test_two_sensors_see_one_change() -> None:
    """Each has channels of its own errors; together they need fewer days than either."""
    rng = np.random.default_rng(12)
    u = rng.normal(size=(DATES, 300, 2))
    u[40:] += 2.0
    even = (np.arange(DATES) % 2 == 0)[:, None, None]
    one, other = np.where(even, u, np.nan), np.where(even, np.nan, 3.0 * u + 1.0)
    still = np.arange(DATES) < 40
    alone = changes({"a": one}, TIMES, still).first()
    both = changes({"a": one, "b": other}, TIMES, still).first()
    assert np.nanmean(both) < np.nanmean(alone) - 5.0


def verification() -> xr.Dataset:
    rng = np.random.default_rng(13)
    shape = (2, 4, 3, 2)
    return xr.Dataset(
        {
            "observed": (("time", "pixel", "channel"), rng.normal(size=shape[1:])),
            "mean": (("case", "time", "pixel", "channel"), rng.normal(size=shape)),
            "sd": (("case", "time", "pixel", "channel"), rng.uniform(1, 2, size=shape)),
        },
        {
            "case": ["background", "forecast_30"],
            "channel": ["B04", "B08"],
            "sensor": ("time", ["s2", "s2", "l8", "s2"]),
        },
    )


def test_innovations_come_from_verification() -> None:
    found = verification()
    u = innovations_of(found, "forecast_30", {"s2": ["B08"], "l8": ["B04", "B08"]})
    assert np.isnan(u["s2"][2]).all()
    assert np.isfinite(u["l8"][2]).all()
    one = found.isel(time=3, pixel=1, channel=1)
    expected = (one.observed - one["mean"][1]) / one.sd[1]
    assert u["s2"][3, 1, 0] == pytest.approx(float(expected))
    with pytest.raises(InputError, match="no case 'smoothed'.*background, forecast_30"):
        innovations_of(found, "smoothed", {"s2": ["B08"]})
    with pytest.raises(InputError, match="no channel 'B11'"):
        innovations_of(found, "background", {"s2": ["B11"]})
    with pytest.raises(InputError, match="no sensor 'l9'"):
        innovations_of(found, "background", {"l9": ["B04"]})


def test_what_says_nothing_is_refused() -> None:
    u = np.random.default_rng(14).normal(size=(30, 2, 2))
    times, all_dates = np.arange(30.0), np.ones(30, bool)
    with pytest.raises(InputError, match="4 innovations of 2 channels"):
        changes({"a": u}, times, np.arange(30) < 2)
    with pytest.raises(InputError, match="one entry per date"):
        changes({"a": u}, times, all_dates[1:])
    with pytest.raises(InputError, match="one sensor or more.*got none"):
        changes({}, times, all_dates)
    for one in (u[..., :1], u[:, :1], u[1:], u[..., 0]):  # numpy would repeat one channel or pixel
        with pytest.raises(InputError, match=r"a \[30, 2, 2\], b \["):
            changes({"a": u, "b": one}, times, all_dates)
    with pytest.raises(InputError, match="between 0 and 1"):
        changes({"a": u}, times, all_dates, rate=4.0)
    with pytest.raises(InputError, match="days is -3"):
        changes({"a": u}, times, all_dates, rate=-4.0, days=-3.0)
    with pytest.raises(InputError, match="do not vary"):
        changes({"a": np.stack([u[..., 0], u[..., 0]], -1)}, times, all_dates)


def test_a_reference_that_saw_no_pixel_twice_is_refused() -> None:
    u = np.random.default_rng(16).normal(size=(6, 100, 2))
    still = np.arange(6) < 1
    with pytest.raises(InputError, match="no pixel was seen twice"):
        changes({"a": u}, np.arange(6.0), still)


def test_days_before_a_gap_count_for_what_is_expected() -> None:
    """Starts of the window may stand for nearly twice its length: odds need less than 1 in all."""
    times = np.array([0.0, 119.0, *np.arange(125.0, 240.0, 5.0)])
    e, seen = np.zeros((len(times), 1, 2)), np.ones((len(times), 1), bool)
    with pytest.raises(InputError, match="2 changes a year make 1.3 within 120 days and the gap"):
        posterior(e, seen, times, rate=2.0, days=120.0)
    # On day 235 the start of day 119 is looked at still; it stands for the 119 days before it.
    assert longest(times, 120.0) == 119.0 + (235.0 - 119.0)
    found = posterior(e, seen, times, rate=0.99 * YEAR / 235.0, days=120.0)
    assert ((found.probability >= 0.0) & (found.probability < 1.0)).all()
    assert longest(np.arange(0.0, 500.0, 10.0), 95.0) == 100.0
    assert longest(np.array([]), 95.0) == longest(np.array([3.0]), 95.0) == 95.0
