"""Baselines against closed forms and dense linear algebra, on random gappy series."""

import numpy as np
import pytest

import releo_da.diagnostics.baselines.double_logistic as double_logistic_module
import releo_da.diagnostics.baselines.interpolation as interpolation_module
import releo_da.diagnostics.baselines.kalman as kalman_module
import releo_da.diagnostics.baselines.whittaker as whittaker_module
from releo_da.diagnostics.baselines import (
    BASELINES,
    constant,
    days,
    line,
    part,
    predict,
    score_baselines,
    score_in_situ,
    series,
    withheld,
)
from releo_da.diagnostics.baselines.climatology import fit_harmonic, harmonic, harmonic_of_place
from releo_da.diagnostics.baselines.interpolation import linear, persistence, savitzky_golay
from releo_da.diagnostics.baselines.kalman import (
    Process,
    deviance,
    filtered,
    fit_process,
    forecast,
    smooth,
)
from releo_da.diagnostics.baselines.series import Series, following, latest, thinned
from releo_da.diagnostics.baselines.whittaker import fit_whittaker, solve_pentadiagonal, whittaker
from releo_da.diagnostics.scores import rmse
from releo_da.types import InputError


@pytest.fixture
def gappy() -> Series:
    """Five pixels, 40 irregular dates, two of them at one instant, about half of them seen."""
    rng = np.random.default_rng(0)
    times = np.sort(np.r_[rng.uniform(17000, 17400, 39), 17100.25, 17100.25][:40])
    seen = rng.random((5, 40)) < 0.5
    seen[:, [0, -1]] = True
    values = 0.5 + 0.3 * np.sin(times / 60) + 0.05 * rng.standard_normal((5, 40))
    return series(times, np.where(seen, values, np.nan))


def covariance(process: Process, lag: np.ndarray) -> np.ndarray:
    """The covariance functions that the state-space forms must reproduce."""
    a = np.abs(lag) / process.tau
    return process.variance * np.exp(-a) * (1 + a if process.order == 2 else 1)


def posterior(process: Process, s: Series, pixel: int, usable: np.ndarray, at: float):
    """Gaussian-process regression by dense solves: mean and variance of a new observation."""
    t, y = s.times[usable], s.values[pixel, usable]
    k = covariance(process, t[:, None] - t) + process.noise * np.eye(len(t))
    cross = covariance(process, at - t)
    gain = np.linalg.solve(k, cross)
    return gain @ (y - process.mean[0]) + process.mean[0], (
        process.variance - gain @ cross + process.noise
    )


@pytest.mark.parametrize("order", [1, 2])
def test_kalman_smoother_equals_gaussian_process_regression(gappy: Series, order: int) -> None:
    process = Process(order, np.array([0.4]), 0.09, 23.0, 0.003)
    found = smooth(process, gappy)
    for pixel in range(5):
        for date in range(40):
            mean, variance = posterior(process, gappy, pixel, gappy.seen[pixel], gappy.times[date])
            assert found.mean[pixel, date] == pytest.approx(mean, abs=1e-10)
            assert found.sd[pixel, date] ** 2 == pytest.approx(variance, abs=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_kalman_forecast_uses_only_what_is_old_enough(gappy: Series, order: int) -> None:
    process = Process(order, np.array([0.4]), 0.09, 23.0, 0.003)
    found = forecast(process, gappy, 10)
    day = np.floor(gappy.times)
    for date in range(40):
        old = gappy.seen[1] & (day <= day[date] - 10)
        mean, variance = posterior(process, gappy, 1, old, gappy.times[date])
        assert found.mean[1, date] == pytest.approx(mean, abs=1e-10)
        assert found.sd[1, date] ** 2 == pytest.approx(variance, abs=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_deviance_is_the_gaussian_likelihood(gappy: Series, order: int) -> None:
    process = Process(order, np.array([0.4]), 0.09, 23.0, 0.003)
    dense = 0.0
    for pixel in range(5):
        t = gappy.times[gappy.seen[pixel]]
        y = gappy.values[pixel, gappy.seen[pixel]] - 0.4
        k = covariance(process, t[:, None] - t) + 0.003 * np.eye(len(t))
        dense += y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]
    assert deviance(process, gappy) == pytest.approx(dense, rel=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_maximum_likelihood_recovers_a_simulated_process(order: int) -> None:
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 730, 150))
    truth = Process(order, np.array([0.3]), 0.04, 20.0, 0.0025)
    root = np.linalg.cholesky(covariance(truth, times[:, None] - times) + 0.0025 * np.eye(150))
    values = 0.3 + rng.standard_normal((80, 150)) @ root.T
    found = fit_process(series(times, values), order, harmonics=0)
    assert found.mean[0] == pytest.approx(0.3, abs=0.02)
    assert found.variance == pytest.approx(0.04, rel=0.15)
    assert found.tau == pytest.approx(20.0, rel=0.15)
    assert found.noise == pytest.approx(0.0025, rel=0.1)


def test_filter_does_not_read_what_was_not_seen(gappy: Series) -> None:
    process = Process(2, np.array([0.4]), 0.09, 23.0, 0.003)
    other = gappy._replace(values=np.where(gappy.seen, gappy.values, 1e9))
    assert np.array_equal(filtered(process, gappy).mean, filtered(process, other).mean)


def test_linear_equals_numpy_interp(gappy: Series) -> None:
    found = linear(gappy).mean
    for pixel, seen in enumerate(gappy.seen):
        if np.any(np.diff(gappy.times[seen]) == 0):
            continue
        expected = np.interp(gappy.times, gappy.times[seen], gappy.values[pixel, seen])
        np.testing.assert_allclose(found[pixel], expected, atol=1e-12)
    assert np.isfinite(found).all()


def test_linear_takes_the_value_seen_at_the_date_itself(gappy: Series) -> None:
    np.testing.assert_allclose(linear(gappy).mean[gappy.seen], gappy.values[gappy.seen])


def test_persistence_is_the_last_value_that_is_old_enough(gappy: Series) -> None:
    for horizon in (0.0, 5.0, 30.0):
        found = persistence(gappy, horizon).mean
        day = np.floor(gappy.times)
        for pixel in range(5):
            for date in range(40):
                old = gappy.seen[pixel] & (np.arange(40) <= date)
                old &= day <= day[date] - horizon
                expected = gappy.values[pixel, old][-1] if old.any() else np.nan
                np.testing.assert_equal(found[pixel, date], expected)


def test_horizon_counts_calendar_days() -> None:
    # A 10-day orbit whose second pass comes six seconds early.
    s = series(np.array([100.45, 110.4499]), np.array([[0.2, 0.7]]))
    assert persistence(s, 10).mean[0, 1] == 0.2
    assert np.isnan(persistence(s, 11).mean[0, 1])


def test_savitzky_golay_keeps_a_cubic_and_shortens_its_window() -> None:
    times = np.arange(80.0)
    curve = 1e-5 * (times - 40) ** 3 + 0.01 * times
    s = series(times, np.stack([curve, curve[::-1]]))
    np.testing.assert_allclose(savitzky_golay(s).mean, s.values, atol=1e-10)
    short = part(s, period=(0, 3))
    np.testing.assert_allclose(savitzky_golay(short).mean, short.values, atol=1e-10)


def test_a_pixel_that_saw_nothing_is_left_out_of_the_smoothing(gappy: Series) -> None:
    """As with the channels of one of several sensors: its dates are not all of every pixel."""
    blind = gappy._replace(seen=gappy.seen.copy())
    blind.seen[0] = False
    found, whole = (savitzky_golay(s).mean for s in (blind, gappy))
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], whole[1:], rtol=1e-12)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 40])
def test_pentadiagonal_solver_equals_dense_algebra(count: int) -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 3, (count, 4)).astype(float)
    weight[[0, -1]] = 1.0
    right = weight * rng.standard_normal((count, 4))
    d = np.diff(np.eye(count), n=2, axis=0)
    found = solve_pentadiagonal(weight, right, 30.0)
    for pixel in range(4):
        dense = np.linalg.solve(np.diag(weight[:, pixel]) + 30 * d.T @ d, right[:, pixel])
        np.testing.assert_allclose(found[:, pixel], dense, atol=1e-9)


def test_whittaker_limits() -> None:
    rng = np.random.default_rng(2)
    times = np.arange(0.0, 200.0, 5.0)
    s = series(times, 0.2 + 0.003 * times + 0.02 * rng.standard_normal((3, 40)))
    lines = [np.polyval(np.polyfit(times, y, 1), times) for y in s.values]
    np.testing.assert_allclose(whittaker(1e9, s).mean, lines, atol=1e-3)
    np.testing.assert_allclose(whittaker(1e-6, s).mean, s.values, atol=1e-6)
    once = s._replace(seen=np.arange(40) == np.array([[7], [8], [9]]))
    assert np.isnan(whittaker(10.0, once).mean).all()


def test_whittaker_smooths_noise_more_than_signal() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(0.0, 400.0, 5.0)
    curve = 0.5 + 0.3 * np.sin(times / 50)
    rough = fit_whittaker(series(times, curve + 0.1 * rng.standard_normal((20, 80))))
    smooth_ = fit_whittaker(series(times, np.tile(curve, (20, 1))))
    assert rough > 100 * smooth_


def test_harmonic_recovers_its_coefficients_and_pools(gappy: Series) -> None:
    times = np.arange(17000.0, 17730.0, 6.0)
    truth = np.array([0.4, 0.2, 0.05, 0.01, -0.1, 0.03, 0.02])
    s = harmonic(truth, series(times, np.zeros((2, len(times)))))
    found = fit_harmonic(series(times, s.mean + np.array([[0.1], [-0.1]])))
    # The ridge of a thousandth costs a thousandth of each coefficient (cos^2 has mean 1/2).
    np.testing.assert_allclose(found, truth, rtol=5e-3)
    with pytest.raises(InputError, match="training"):
        fit_harmonic(gappy._replace(seen=np.zeros_like(gappy.seen)))


def test_harmonic_of_a_place_departs_where_the_place_does() -> None:
    times = np.arange(17000.0, 17730.0, 6.0)
    pooled = np.array([0.4, 0.2, 0, 0, 0, 0, 0])
    wave = 0.4 + 0.2 * np.cos(2 * np.pi * times / 365.25)
    s = series(times, np.stack([wave, wave + 0.2]))
    found = harmonic_of_place(pooled, s).mean
    np.testing.assert_allclose(found[0], wave, atol=1e-12)
    assert rmse(s.values[1], found[1]) < 0.01
    blind = harmonic_of_place(pooled, s._replace(seen=np.zeros_like(s.seen))).mean
    np.testing.assert_allclose(blind, np.stack([wave, wave]), atol=1e-12)


def test_withheld_follows_the_rule_of_the_protocol() -> None:
    seen = np.array([[1, 0, 1, 1, 1, 0, 1, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0, 0, 0, 0]], bool)
    numbers = np.array([0, -1, 1, 2, 3, -1, 4, 5, 6, 7])
    for offset, expected in [(0, {3, 6}), (1, {1, 4}), (2, {2, 5})]:
        found = withheld(seen, 3, offset)
        assert set(numbers[found[0]]) == expected
        assert not found[1].any()
    union = sum(withheld(seen, 3, k).astype(int) for k in range(3))
    assert union.max() == 1


def test_latest_and_following() -> None:
    seen = np.array([[0, 1, 0, 0, 1, 0]], bool)
    assert latest(seen).tolist() == [[-1, 1, 1, 1, 4, 4]]
    assert following(seen).tolist() == [[1, 1, 4, 4, 4, 6]]


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
def test_no_baseline_looks_at_a_target(gappy: Series, baseline) -> None:
    """Replacing values that must not be read changes nothing."""
    fitted = baseline.fit(gappy)
    target = withheld(gappy.seen, 3, 1)
    rest = gappy._replace(seen=gappy.seen & ~target)
    spoiled = rest._replace(values=np.where(target, 9.0, rest.values))
    if baseline.smooth:
        a, b = baseline.smooth(fitted, rest), baseline.smooth(fitted, spoiled)
        np.testing.assert_array_equal(a.mean, b.mean)
    if baseline.forecast:
        late = np.arange(40) > 20
        spoiled = gappy._replace(values=np.where(late, 9.0, gappy.values))
        early = gappy.times < np.floor(gappy.times[21]) + 12
        a = baseline.forecast(fitted, gappy, 12).mean[:, early]
        b = baseline.forecast(fitted, spoiled, 12).mean[:, early]
        np.testing.assert_array_equal(a, b)
        assert early.sum() > 21
        assert np.isfinite(a[:, 15:]).all()


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
def test_baselines_are_independent_per_pixel(gappy: Series, baseline) -> None:
    fitted = baseline.fit(gappy)
    if baseline.smooth:
        whole = baseline.smooth(fitted, gappy).mean
        alone = baseline.smooth(fitted, part(gappy, np.array([3]))).mean
        np.testing.assert_allclose(whole[3:4], alone, atol=1e-13)
    assert baseline.name


def test_chunks_of_pixels_change_nothing(gappy: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(2, np.array([0.4]), 0.09, 23.0, 0.003)
    methods = [lambda: smooth(process, gappy), lambda: forecast(process, gappy, 9)]
    methods += [lambda: whittaker(10.0, gappy), lambda: savitzky_golay(gappy)]
    methods += [lambda: double_logistic_module.smooth(1e-3, gappy)]
    once = [method() for method in methods]
    modules = kalman_module, whittaker_module, interpolation_module, double_logistic_module
    for module in modules:
        monkeypatch.setattr(module, "CHUNK", 2)
    for method, expected in zip(methods, once, strict=True):
        found = method()
        np.testing.assert_allclose(found.mean, expected.mean, atol=1e-13)
        assert (found.sd is None) == (expected.sd is None)
    assert len(thinned(gappy, 2).values) == 2 and len(thinned(gappy).values) == 5


def test_scores_have_the_shape_of_the_archive_and_training_may_be_elsewhere(
    gappy: Series,
) -> None:
    training = part(gappy, np.array([0, 1]), (17000, 17350))
    scored = part(gappy, np.array([3, 4]))
    target = withheld(scored.seen, 3, 0)
    rest = scored._replace(seen=scored.seen & ~target)
    found = score_baselines({"ndvi": training}, {"ndvi": rest}, {"ndvi": target})
    assert set(found) == {b.name for b in BASELINES if b.smooth is not None}
    for place in found.values():
        row = place["smoothed"]["ndvi"]
        assert row["n"] == target.sum()
        assert np.isfinite(list(row.values())).all()
        assert row["mae"] <= row["rmse"] and 0 <= row["coverage_90"] <= 1
    ahead = score_baselines(
        {"ndvi": training}, {"ndvi": scored}, {"ndvi": scored.seen}, horizons=[5, 12.5]
    )
    assert set(ahead) == {"persistence", "harmonic", "ou_kalman", "matern_kalman"}
    assert set(ahead["persistence"]["forecast"]) == {"5", "12.5"}


def test_residuals_come_from_the_training_part_under_the_same_rule(gappy: Series) -> None:
    by_name = {b.name: b for b in BASELINES}
    found = predict(by_name["persistence"], None, gappy, gappy, horizon=12)
    expected = (gappy.values - persistence(gappy, 12).mean)[gappy.seen]
    np.testing.assert_allclose(found.residuals, expected[np.isfinite(expected)])
    smoothed = predict(by_name["linear"], None, gappy, gappy)
    assert len(smoothed.residuals) == sum(withheld(gappy.seen, 3, k).sum() for k in range(3))
    with pytest.raises(InputError, match="linear cannot forecast"):
        predict(by_name["linear"], None, gappy, gappy, horizon=12)


def test_leave_one_out_lines_equal_refitting() -> None:
    rng = np.random.default_rng(6)
    index = rng.random(12)
    measured = 1 + 3 * index + 0.3 * rng.standard_normal(12)
    measured[4] = np.nan
    rows = [i for i in range(12) if i != 4]
    for i in rows:
        rest = [j for j in rows if j != i]
        assert constant(measured)[i] == pytest.approx(measured[rest].mean())
        fit = np.polyfit(index[rest], measured[rest], 1)
        assert line(measured, index)[i] == pytest.approx(np.polyval(fit, index[i]))
    assert np.isnan(constant(measured)[4]) and np.isnan(line(measured, index)[4])
    found = score_in_situ(measured, index)
    assert found["line"]["rmse"] < found["constant"]["rmse"]
    assert found["line"]["n"] == 11
    assert np.isnan(found["constant"]["r2"]) and found["line"]["r2"] > 0.6
    assert np.isnan(constant(np.array([1.0]))).all()


def test_rows_of_one_sample_are_left_out_together() -> None:
    rng = np.random.default_rng(7)
    sample = np.array([2, 0, 1, 2, 5, 1, 0, 2, 8, 9])
    index = rng.random(10)
    measured = 1 + 3 * index + 0.3 * rng.standard_normal(10)
    for i, own in enumerate(sample):
        rest = sample != own
        assert constant(measured, sample)[i] == pytest.approx(measured[rest].mean())
        fit = np.polyfit(index[rest], measured[rest], 1)
        assert line(measured, index, sample)[i] == pytest.approx(np.polyval(fit, index[i]))
    two = np.array([0, 0, 0, 1])  # a line through one row is none
    assert np.isnan(line(measured[:4], index[:4], two)[:3]).all()
    assert np.isfinite(line(measured[:4], index[:4], two)[3])
    assert np.isnan(constant(measured, np.zeros(10))).all()


def test_series_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="ascend"):
        series(np.array([2.0, 1.0]), np.zeros((1, 2)))
    with pytest.raises(InputError, match="pixel, date"):
        series(np.array([2.0]), np.zeros((1, 2)))
    with pytest.raises(InputError, match="seen"):
        series(np.array([1.0, 2.0]), np.zeros((1, 2)), np.ones((2, 2), bool))
    at = np.array(["1970-01-02T12:00"], "datetime64[ns]")
    assert days(at) == pytest.approx([1.5])
    assert not series(at, np.array([[np.inf]])).seen.any()
