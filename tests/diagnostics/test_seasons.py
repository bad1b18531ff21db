"""Dates of seasons against closed forms, plain loops, and the laws that an ensemble must obey."""

import numpy as np
import pytest

from releo_da.diagnostics.scores import summarise
from releo_da.diagnostics.seasons import (
    KINDS,
    Dates,
    Scored,
    Seasons,
    Windows,
    aligned,
    dates_in,
    scored,
    statistics,
    windows,
)
from releo_da.diagnostics.seasons.statistics import LEVELS, probability

NEW_YEAR = 18262.0  # 2020-01-01
LAI = Seasons("lai", 0.5)


def found_of(times: np.ndarray, curves: np.ndarray, wanted: Seasons = LAI) -> Dates:
    """The dates of ``[pixel, member, date]`` in the windows of the mean."""
    return dates_in(times, curves, windows(times, curves.mean(1), wanted), wanted)


def bell(times: np.ndarray, centre, height=4.0, width=25.0) -> np.ndarray:
    """A season about a date."""
    centre = np.asarray(centre, float)[..., None]
    return 0.2 + height * np.exp(-0.5 * ((times - centre) / width) ** 2)


def test_dates_of_straight_lines_are_exact() -> None:
    """From 0 to 4 in 40 days and down to 1 in 60: unequal dates, thresholds between them."""
    corners = NEW_YEAR + np.array([0.0, 50.0, 90.0, 150.0, 250.0])
    times = NEW_YEAR + np.array([0.0, 20.0, 50.0, 57.0, 75.0, 90.0, 101.0, 150.0, 180.0, 250.0])
    curve = np.interp(times, corners, [0.0, 0.0, 4.0, 1.0, 1.0])
    found = found_of(times, curve[None, None])
    assert found.start[0, 0, 0] == pytest.approx(NEW_YEAR + 60.0)
    assert found.end[0, 0, 0] == pytest.approx(NEW_YEAR + 90.0 + 0.85 * 60.0)
    assert found.maximum[0, 0, 0] == 4.0
    later = found_of(times, curve[None, None], LAI._replace(start=0.5, end=0.5))
    assert later.start[0, 0, 0] == pytest.approx(NEW_YEAR + 70.0)
    assert later.end[0, 0, 0] == pytest.approx(NEW_YEAR + 120.0)


def test_the_peak_of_a_parabola_lies_between_dates() -> None:
    times = NEW_YEAR + np.array([0.0, 30.0, 70.0, 95.0, 110.0, 131.0, 180.0, 250.0])
    peaks = NEW_YEAR + np.array([100.0, 106.0, 118.5])
    curves = 5.0 - 2e-4 * (times - peaks[:, None]) ** 2
    np.testing.assert_allclose(found_of(times, curves[:, None]).peak[0, :, 0], peaks, rtol=1e-12)


def test_dates_equal_a_plain_loop_on_rough_curves() -> None:
    rng = np.random.default_rng(0)
    times = NEW_YEAR + np.sort(rng.uniform(0, 365, 70))
    curves = bell(times, NEW_YEAR + rng.uniform(120, 220, (30, 5)))
    curves += 0.1 * rng.standard_normal(curves.shape).cumsum(-1)
    inside = windows(times, curves.mean(1), LAI)
    found = dates_in(times, curves, inside, LAI)
    compared = 0
    for s, p in np.argwhere(np.isfinite(inside.first)):
        within = (times >= inside.first[s, p]) & (times <= inside.last[s, p])
        t = times[within]
        for m in range(5):
            y = curves[p, m, within]
            top = int(np.argmax(y))
            low, after = y[: top + 1].min(), y[top:].min()
            has = min(y[top] - low, y[top] - after) >= 0.5
            assert np.isfinite(found.peak[s, p, m]) == has
            if not has or np.isnan(found.start[s, p, m]) or np.isnan(found.end[s, p, m]):
                continue
            level, i = low + 0.25 * (y[top] - low), top
            while y[i] > level:
                i -= 1
            start = np.interp(level, y[i : i + 2], t[i : i + 2])
            level, i = after + 0.15 * (y[top] - after), top
            while y[i] > level:
                i += 1
            end = np.interp(level, y[[i, i - 1]], t[[i, i - 1]])
            assert found.start[s, p, m] == pytest.approx(start, abs=1e-9)
            assert found.end[s, p, m] == pytest.approx(end, abs=1e-9)
            compared += 1
    assert compared > 100


def test_two_seasons_a_year_are_numbered_in_time_and_the_highest_are_kept() -> None:
    times = NEW_YEAR + np.arange(0.0, 731.0, 5.0)
    centres = NEW_YEAR + np.array([80.0, 180.0, 280.0, 500.0])
    heights = np.array([2.0, 4.0, 3.0, 4.0])
    curve = sum(bell(times, c, h, 20.0) for c, h in zip(centres, heights, strict=True))
    found = found_of(times, np.asarray(curve)[None, None])
    np.testing.assert_allclose(found.peak[:3, 0, 0], centres[[1, 2, 3]], atol=1.0)
    assert np.isnan(found.peak[3:]).all() and len(found.peak) == 2 * 2
    assert (found.start < found.peak)[:3].all() and (found.peak < found.end)[:3].all()


def test_a_dip_of_a_dense_canopy_parts_no_season_and_a_small_crop_is_one() -> None:
    times = NEW_YEAR + np.arange(0.0, 366.0, 5.0)
    dip = bell(times, NEW_YEAR + 150.0, 4.0, 40.0) - bell(times, NEW_YEAR + 150.0, 1.4, 12.0)
    catch_crop = bell(times, NEW_YEAR + 130.0, 5.0, 25.0) + bell(times, NEW_YEAR + 280.0, 0.6, 15.0)
    found = found_of(times, np.stack([dip, catch_crop])[:, None])
    assert np.isfinite(found.peak[:, :, 0]).tolist() == [[True, True], [False, True]]
    np.testing.assert_allclose(found.peak[:, 1, 0], NEW_YEAR + np.array([130.0, 280.0]), atol=0.5)


def test_what_does_not_vary_enough_has_no_season() -> None:
    times = NEW_YEAR + np.arange(0.0, 365.0, 10.0)
    small = bell(times, NEW_YEAR + 150.0, height=0.2)
    rising = np.linspace(0.0, 4.0, len(times))
    curves = np.stack([small, rising, rising[::-1]])[:, None]
    told = statistics(found_of(times, curves))
    assert np.isnan(told["probability"]).all() and np.isnan(told["peak_median"]).all()
    half = np.stack([bell(times, NEW_YEAR + 150.0, 4.0), np.full(len(times), 0.3)] * 8)[None]
    told = statistics(found_of(times, half))
    assert told["probability"][0, 0] == 0.5
    assert told["peak_median"][0, 0] == pytest.approx(NEW_YEAR + 150.0, abs=1.0)


def test_a_window_reaches_half_a_year_from_the_peak() -> None:
    times = NEW_YEAR + np.arange(0.0, 1096.0, 10.0)
    curves = np.stack([bell(times, np.array([NEW_YEAR + 560.0] * 9 + [NEW_YEAR + 180.0]))])
    inside = windows(times, curves.mean(1), LAI)
    known = np.isfinite(inside.first[:, 0])
    assert known.sum() == 2  # a tenth of the members has a season of the year before
    assert (inside.last - inside.first)[known, 0].max() <= 366.0
    one = Seasons("lai", 0.5)
    alone = windows(times, bell(times, np.array([NEW_YEAR + 560.0])), one)
    np.testing.assert_allclose(alone.first[2, 0], NEW_YEAR + 560.0 - 183.0)
    np.testing.assert_allclose(alone.last[2, 0], NEW_YEAR + 560.0 + 183.0)


def test_few_dates_and_lost_members_have_no_season() -> None:
    times = NEW_YEAR + np.arange(0.0, 365.0, 5.0)
    curves = np.stack([bell(times, np.full(4, NEW_YEAR + 150.0))] * 2)
    for count in (1, 2):
        told = statistics(found_of(times[28 : 28 + count], curves[..., 28 : 28 + count]))
        assert np.isnan(told["probability"]).all() and told["start_median"].shape == (2, 2)
    curves[0, 2, 7] = np.nan  # a pixel that has diverged says nothing, and the other all
    told = statistics(found_of(times, curves))
    assert np.isnan(told["probability"][0, 0]) and told["probability"][0, 1] == 1.0


def test_a_rise_that_the_period_cuts_started_before_it() -> None:
    times = NEW_YEAR + np.arange(0.0, 200.0, 5.0)
    cut = bell(times, NEW_YEAR + 30.0)[None, None]
    whole = bell(times, NEW_YEAR + 110.0, width=18.0)[None, None]
    assert np.isneginf(found_of(times, cut).start[0]).all()
    assert np.isfinite(found_of(times, cut).end[0]).all()
    assert np.isfinite(found_of(times, whole).start[0]).all()
    ends = found_of(times, bell(times, NEW_YEAR + 155.0)[None, None])
    assert np.isposinf(ends.end[0]).all() and np.isfinite(ends.start[0]).all()


def tents(times: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Seasons that rise from nothing in 60 days and fall in 60."""
    return 4.0 * np.maximum(1.0 - np.abs(times - centre[..., None]) / 60.0, 0.0)


@pytest.mark.parametrize("kind", ["start", "end"])
@pytest.mark.parametrize("early", [1, 12, 19, 28, 39])
def test_a_cut_season_is_the_whole_one_as_far_as_the_period_goes(kind: str, early: int) -> None:
    """Of 40 members some have risen by a third at the first date; a year of the same is the oracle.

    The end is the start with the time turned round.
    """
    centre = np.where(np.arange(40) < early, 150.0, 230.0)
    centre += np.random.default_rng(early).uniform(-4.0, 4.0, 40)
    sign = 1.0 if kind == "start" else -1.0
    middle, edge = NEW_YEAR + 183.0, NEW_YEAR + 183.0 + sign * (111.0 - 183.0)

    def told_from(first: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        days = np.arange(first, 366.0, 3.0)
        times, curves = middle + sign * (days - 183.0), tents(days, centre)[None]
        order = slice(None, None, int(sign))
        wanted = LAI._replace(end=0.25)
        return times, statistics(found_of(times[order], curves[..., order], wanted))

    times, cut = told_from(111.0)
    _, whole = told_from(0.0)
    assert times[0] == edge and whole[f"{kind}_cut"][0, 0] == 0.0
    assert cut[f"{kind}_cut"][0, 0] == early / 40
    for name in LEVELS:
        for other in KINDS:
            expected = whole[f"{other}_{name}"][0, 0]
            if other == kind:
                expected = max(expected, edge) if kind == "start" else min(expected, edge)
            if (other, name) == (kind, "median") and early > 20:
                expected = np.nan
            np.testing.assert_allclose(cut[f"{other}_{name}"][0, 0], expected, atol=1e-6)


def test_medians_are_in_order_wherever_a_period_cuts_an_ensemble() -> None:
    """Start, peak and end, at each quantile; shares of what is cut beside them."""
    rng = np.random.default_rng(6)
    days = NEW_YEAR + np.arange(0.0, 366.0, 5.0)
    curves = bell(days, NEW_YEAR + rng.uniform(120.0, 240.0, (200, 30)), width=20.0)
    curves += 0.1 * rng.standard_normal(curves.shape).cumsum(-1)
    given = lost = 0
    for first, last in ((0, 74), (22, 74), (30, 74), (0, 44), (24, 46)):
        found = found_of(days[first:last], curves[..., first:last])
        told = statistics(found)
        for name in LEVELS:
            start, peak, end = (told[f"{kind}_{name}"] for kind in KINDS)
            assert not (start > peak).any() and not (peak > end).any()
        there = np.isfinite(told["peak_median"])
        for kind in ("start", "end"):
            share = told[f"{kind}_cut"][there]
            np.testing.assert_array_equal(np.isnan(told[f"{kind}_median"][there]), share > 0.5)
            for name in ("lower", "upper"):
                at = told[f"{kind}_{name}"][there]
                assert (at >= days[first]).all() and (at <= days[last - 1]).all()
            given, lost = given + (share <= 0.5).sum(), lost + (share > 0.5).sum()
    assert given > 500 and lost > 200


def test_laws_of_an_ensemble() -> None:
    rng = np.random.default_rng(1)
    times = NEW_YEAR + np.arange(0.0, 365.0, 6.0)
    curves = bell(times, NEW_YEAR + 170.0 + 12.0 * rng.standard_normal((6, 40)))
    curves += 0.05 * rng.standard_normal(curves.shape).cumsum(-1)
    told = statistics(found_of(times, curves))
    order = rng.permutation(40)
    shifted, scaled = times + 3.0, 2.0 * curves + 7.0
    wide = LAI._replace(amplitude=1.0)
    for other, days, factor, level in (
        (statistics(found_of(times, curves[:, order])), 0.0, 1.0, 0.0),
        (statistics(found_of(shifted, curves)), 3.0, 1.0, 0.0),
        (statistics(found_of(times, scaled, wide)), 0.0, 2.0, 7.0),
    ):
        for name, values in told.items():
            moved = values + (days if name.endswith(tuple(LEVELS)) else 0.0)
            if name.startswith("maximum"):
                moved = factor * values + level
            np.testing.assert_allclose(other[name], moved, atol=1e-6, equal_nan=True)
    alone = statistics(found_of(times, curves[2:3]))
    for name, values in told.items():
        np.testing.assert_array_equal(alone[name], values[:, 2:3])


def test_quantiles_are_those_of_the_members_that_have_the_season() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((2, 3, 25))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0, 0, 1:] = np.nan
    empty = Windows(np.zeros((2, 3)), np.ones((2, 3)))
    told = statistics(Dates(values, values, values, values, empty))
    for place in np.ndindex(2, 3):
        kept = values[place][np.isfinite(values[place])]
        assert told["probability"][place] == len(kept) / 25
        for name, level in LEVELS.items():
            expected = np.quantile(kept, level, method="weibull") if len(kept) > 1 else np.nan
            np.testing.assert_allclose(told[f"start_{name}"][place], expected)


def process(rng: np.random.Generator, times: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Draws of a smooth process about a season, ``[*shape, date]``."""
    lag = np.abs(times[:, None] - times) / 30.0
    root = np.linalg.cholesky((1 + lag) * np.exp(-lag) + 1e-9 * np.eye(len(times)))
    centre = NEW_YEAR + 170.0 + 8.0 * rng.standard_normal(shape)
    return bell(times, centre) + 0.3 * rng.standard_normal((*shape, len(times))) @ root.T


def test_intervals_hold_a_truth_of_the_same_distribution() -> None:
    """The coverage law: truth and members alike, 90 % of true dates lie in 90 % intervals."""
    rng = np.random.default_rng(3)
    times = NEW_YEAR + np.arange(0.0, 365.0, 8.0)
    pixels, members = 3000, 39
    truth = process(rng, times, (pixels, 1))
    estimate = found_of(times, process(rng, times, (pixels, members)))
    said = scored(estimate, found_of(times, truth)).rows()
    for kind in KINDS:
        row = said[kind]
        deviation = np.sqrt(0.9 * 0.1 / row["n"])
        assert row["n"] > 2500
        assert abs(row["coverage_90"] - 0.9) < 4 * deviation
        assert row["rmse"] == pytest.approx(row["spread"] * np.sqrt(1 + 1 / members), rel=0.06)
        assert abs(row["bias"]) < 4 * row["rmse"] / np.sqrt(row["n"])
    assert said["seasons"]["missed"] < 0.02 * said["seasons"]["true"]


def test_scores_equal_those_of_whole_ensembles() -> None:
    rng = np.random.default_rng(4)
    times = NEW_YEAR + np.arange(0.0, 365.0, 8.0)
    truth, members = process(rng, times, (50, 1)), process(rng, times, (50, 20))
    estimate, true = found_of(times, members), found_of(times, truth)
    whole = np.isfinite(estimate.peak[0]).all(-1) & np.isfinite(true.peak[0, :, 0])
    assert whole.sum() > 30

    def some(of: Dates, rows: slice | np.ndarray) -> Dates:
        return Dates(*(v[:1, rows] for v in of[:4]), Windows(*(w[:1, rows] for w in of.windows)))

    part = some(estimate, whole), some(true, whole)
    found = scored(*part).rows()
    expected = summarise(true.peak[0, whole, 0], estimate.peak[0, whole])
    for key, value in found["peak"].items():
        assert value == pytest.approx(expected[key], rel=1e-9), key
    total = Scored()
    for rows in (slice(0, 10), slice(10, None)):
        total += scored(*(some(of, rows) for of in part))
    for kind in KINDS:
        assert total.rows()[kind] == pytest.approx(found[kind])


def test_missed_and_false_seasons_count() -> None:
    times = NEW_YEAR + np.arange(0.0, 365.0, 5.0)
    early, late = (bell(times, NEW_YEAR + day, width=18.0) for day in (90.0, 260.0))
    nothing = np.full_like(early, 0.2)
    both = early + late - 0.2
    truth = found_of(times, np.stack([early, both, nothing, late])[:, None])
    said = np.stack([early, early, late, early])
    estimate = found_of(times, np.repeat(said[:, None], 4, 1))
    rows = scored(estimate, truth).rows()["seasons"]
    # right; one of two missed; false; at another time of the one window, which is an error of dates
    assert {k: rows[k] for k in ("true", "found", "missed", "false")} == {
        "true": 4, "found": 3, "missed": 1, "false": 1,
    }  # fmt: skip
    assert rows["brier"] == pytest.approx(2 / 5)
    matched = aligned(estimate.windows, truth)
    np.testing.assert_allclose(matched.peak[0, :2, 0], NEW_YEAR + 90.0, atol=1.0)
    assert probability(estimate)[0].tolist() == [1.0] * 4
