"""Forecasts by bins of lead: pairs by brute force, rivals by closed forms and dense algebra."""

import numpy as np
import pytest

import releo_da.diagnostics.baselines.kalman as kalman_module
from releo_da.diagnostics.baselines import BASELINES, Series, part, predict_between, series
from releo_da.diagnostics.baselines.climatology import fit_harmonic, seasonal
from releo_da.diagnostics.baselines.kalman import Process, between
from releo_da.diagnostics.baselines.place import (
    PLACE_DAY_OF_YEAR,
    PLACE_HARMONIC,
    day_of_year,
    fit_day_of_year,
    fit_past,
    harmonic,
)
from releo_da.diagnostics.leads import (
    Pairs,
    label,
    lead_losses,
    lead_summaries,
    leads_dataset,
    middle,
    of_bin,
    of_pixels,
    pairs_of,
    pooled_leads,
)
from releo_da.diagnostics.verification import FIELDS
from releo_da.types import InputError

BINS = ((0.0, 10.0), (10.0, 30.0), (40.0, 60.0))
START = float(np.datetime64("2019-01-01").astype(int))


@pytest.fixture
def gappy() -> Series:
    """Six pixels over 30 dates, two at one instant, one pixel never seen."""
    rng = np.random.default_rng(3)
    times = np.sort(np.r_[rng.uniform(17000, 17200, 28), 17100.25, 17100.25])
    seen = rng.random((6, 30)) < 0.5
    seen[4] = False
    values = 0.5 + 0.3 * np.sin(times / 60) + 0.05 * rng.standard_normal((6, 30))
    return series(times, np.where(seen, values, np.nan))


def brute(s: Series, period: tuple[float, float], starts: np.ndarray) -> list[tuple[int, ...]]:
    found = []
    for p in range(len(s.values)):
        for i in range(len(s.times)):
            for j in range(i + 1, len(s.times)):
                lead = np.floor(s.times[j]) - np.floor(s.times[i])
                for number, (low, high) in enumerate(BINS):
                    inside = low < lead <= high and period[0] <= s.times[j] <= period[1]
                    if inside and starts[p, i] and s.seen[p, j]:
                        found.append((p, i, j, number))
    return sorted(found)


@pytest.mark.parametrize("period", [(-np.inf, np.inf), (17080.0, 17150.0)])
@pytest.mark.parametrize("some", [False, True])
def test_every_acquisition_is_an_origin_and_all_later_ones_are_targets(
    gappy: Series, period: tuple[float, float], some: bool
) -> None:
    starts = gappy.seen & (np.arange(30) % 3 > 0) if some else gappy.seen
    pairs = pairs_of(gappy.times, gappy.seen, BINS, period, starts)
    expected = brute(gappy, period, starts)
    assert len(expected) > 50
    assert list(zip(*(c.tolist() for c in pairs), strict=True)) == expected


def test_pairs_of_some_pixels_keep_their_place(gappy: Series) -> None:
    pairs = pairs_of(gappy.times, gappy.seen, BINS)
    some, chosen = of_pixels(pairs, np.array([5, 2]))
    assert set(np.unique(some.pixel)) == {0, 1}
    np.testing.assert_array_equal(np.array([5, 2])[some.pixel], pairs.pixel[chosen])
    np.testing.assert_array_equal(some.target, pairs.target[chosen])
    nobody, _ = of_pixels(pairs_of(gappy.times, gappy.seen & False, BINS), np.array([1]))
    assert len(nobody.pixel) == 0


def test_bins_are_named_and_sorted_by_their_days() -> None:
    assert [label(b) for b in BINS] == ["0-10", "10-30", "40-60"]
    assert sorted(["10-30", "60", "0-10", "5"], key=middle) == ["0-10", "5", "10-30", "60"]


def test_persistence_is_the_value_of_the_origin(gappy: Series) -> None:
    pairs = pairs_of(gappy.times, gappy.seen, BINS)
    persistence = next(b for b in BASELINES if b.name == "persistence")
    found = predict_between(persistence, None, gappy, gappy, pairs, BINS)
    for number, one in enumerate(found):
        here = pairs.bin == number
        origin = gappy.values[pairs.pixel[here], pairs.origin[here]]
        target = gappy.values[pairs.pixel[here], pairs.target[here]]
        np.testing.assert_array_equal(one.prediction.mean, origin)
        # The training part is the scored one: its residuals are these differences, bin by bin.
        np.testing.assert_allclose(np.sort(one.residuals), np.sort(target - origin))


@pytest.mark.parametrize("order", [1, 2])
def test_the_filter_s_forecast_is_gaussian_process_regression_up_to_the_origin(
    gappy: Series, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kalman_module, "CHUNK", 4)  # two blocks of pixels
    process = Process(order, np.array([0.5]), 0.04, 25.0, 0.001)
    pairs = pairs_of(gappy.times, gappy.seen, BINS)
    mean, sd = between(process, gappy, pairs)

    def covariance(lag: np.ndarray) -> np.ndarray:
        a = np.abs(lag) / process.tau
        return process.variance * np.exp(-a) * (1 + a if order == 2 else 1)

    for k in range(0, len(pairs.pixel), 17):
        p, i, j = (int(column[k]) for column in pairs[:3])
        used = gappy.seen[p] & (np.arange(30) <= i)
        t, y = gappy.times[used], gappy.values[p, used]
        cross = covariance(gappy.times[j] - t)
        gain = np.linalg.solve(covariance(t[:, None] - t) + 0.001 * np.eye(len(t)), cross)
        assert mean[k] == pytest.approx(0.5 + gain @ (y - 0.5), abs=1e-9)
        assert sd[k] ** 2 == pytest.approx(0.04 + 0.001 - gain @ cross, abs=1e-9)


def years_of(values: dict[str, list[float]]) -> Series:
    """Pixels by the values of one day, 10 March of 2017, 2018, 2019 and 2020."""
    days = np.array([f"{year}-03-10" for year in (2017, 2018, 2019, 2020)], "datetime64[D]")
    return series(days.astype(float), np.array(list(values.values())))


def test_the_day_of_year_is_a_mean_of_other_years_of_the_training_part() -> None:
    """With the pooled mean m (of training values) as one more observation."""
    s = years_of({"a": [0.2, 0.6, 9.0, 9.0], "b": [0.8, np.nan, 9.0, 9.0]})
    past = fit_past(part(s, period=(0.0, START)))._replace(window=10.0)
    m = seasonal(past.pooled, s.times)
    found = day_of_year(past, s).mean
    np.testing.assert_allclose(found[0, 2:], m[2:] + (0.2 - m[0] + 0.6 - m[1]) / 3)
    np.testing.assert_allclose(found[1, 2:], m[2:] + (0.8 - m[0]) / 2)
    # In the training part each year is predicted from the other one.
    np.testing.assert_allclose(found[0, 0], m[0] + (0.6 - m[1]) / 2)
    np.testing.assert_allclose(found[1, 0], m[0])


def test_a_place_without_a_past_has_the_pooled_season() -> None:
    s = years_of({"a": [0.2, 0.6, 0.5, 0.5], "b": [np.nan, np.nan, 0.1, 0.2]})
    training = part(s, period=(0.0, START))
    past = fit_day_of_year(training)
    pooled = seasonal(fit_harmonic(training), s.times)
    np.testing.assert_allclose(day_of_year(past, s).mean[1], pooled)
    np.testing.assert_allclose(harmonic(past, s).mean[1], pooled)


def test_place_climatologies_learn_the_place_and_see_no_scored_year() -> None:
    """Places that differ in level and swing; from the scored years on another signal."""
    rng = np.random.default_rng(0)
    times = START - 730 + np.arange(0.0, 1460.0, 6.0)
    level, swing = np.linspace(0.3, 0.7, 8)[:, None], np.linspace(0.0, 0.3, 8)[:, None]
    truth = level + swing * np.cos(2 * np.pi * times / 365.25)
    values = truth + 0.02 * rng.standard_normal(truth.shape)
    s = series(times, np.where(times < START, values, values + 5.0))
    training = part(s, period=(0.0, START - 1e-6))
    pairs = pairs_of(times, s.seen & (times >= START), BINS)
    for baseline in (PLACE_DAY_OF_YEAR, PLACE_HARMONIC):
        fitted = baseline.fit(training)
        found = predict_between(baseline, fitted, training, s, pairs, BINS)
        for number, one in enumerate(found):
            here = pairs.bin == number
            expected = truth[pairs.pixel[here], pairs.target[here]]
            assert np.sqrt(np.mean((one.prediction.mean - expected) ** 2)) < 0.02
            assert 0.02 < one.residuals.std() < 0.04  # noise of the value and of the climatology


def test_place_climatologies_see_nothing_of_what_is_scored_later() -> None:
    """Trained on other places over all years, as a fold without a training period is."""
    rng = np.random.default_rng(1)
    times = START - 730 + np.arange(0.0, 1460.0, 6.0)
    values = 0.5 + 0.1 * rng.standard_normal((4, len(times)))
    training, s = series(times, values[:2]), series(times, values[2:])
    changed = s._replace(values=np.where(times < START, s.values, 9.0))
    pairs = pairs_of(times, s.seen & (times >= START), BINS)
    for baseline in (PLACE_DAY_OF_YEAR, PLACE_HARMONIC):
        fitted = baseline.fit(training)
        means = [
            predict_between(baseline, fitted, training, one, pairs, BINS, START)[0].prediction.mean
            for one in (s, changed)
        ]
        np.testing.assert_array_equal(*means)


def test_a_smoother_cannot_forecast_by_bins(gappy: Series) -> None:
    linear = next(b for b in BASELINES if b.name == "linear")
    with pytest.raises(InputError, match="linear cannot forecast by bins"):
        predict_between(linear, None, gappy, gappy, Pairs(*[np.zeros(0, int)] * 4), BINS)


def test_rows_by_bin_and_pooled_over_runs() -> None:
    pairs = Pairs(
        np.array([0, 0, 1]), np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([0, 1, 0])
    )
    numbers = np.zeros((3, len(FIELDS)))
    for name, column in {
        "observed": [0.5, 0.5, 0.5], "mean": [0.6, 0.9, 0.2], "sd": [0.1] * 3,
        "crps": [0.05, 0.2, 0.1], "q05": [0.4, 0.8, 0.0], "q95": [0.8, 1.0, 0.4],
    }.items():  # fmt: skip
        numbers[:, FIELDS.index(name)] = column
    found = leads_dataset(pairs, numbers, np.array([100.0, 105.0, 120.0]), np.array([7, 9]), BINS)
    rows = lead_summaries(found)
    assert list(rows) == ["0-10", "10-30"]  # nothing falls into the third
    assert rows["0-10"]["ndvi"]["rmse"] == pytest.approx(np.sqrt((0.01 + 0.09) / 2))
    assert rows["0-10"]["ndvi"]["coverage_90"] == 0.5
    assert rows["10-30"]["ndvi"]["n"] == 1
    both = pooled_leads([(found, 0), (found, 2)])
    assert both is not None
    assert of_bin(both, "0-10")["place"].values.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(lead_losses(of_bin(both, "10-30"), True), [0.16, 0.16], rtol=1e-6)
    np.testing.assert_allclose(lead_losses(of_bin(both, "10-30"), False), [0.2, 0.2], rtol=1e-6)
    assert pooled_leads([(None, 0)]) is None
