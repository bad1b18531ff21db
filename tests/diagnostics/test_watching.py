"""Alarms of a run: raised when they should be, by the rows of its cycles alone, and cleared."""

from collections.abc import Iterable

import numpy as np
import pytest

from releo_da.diagnostics.alarms import Alarm, Rules, changes, plain
from releo_da.diagnostics.divergence import CYCLES
from releo_da.diagnostics.watching import Health, Row, alarms, silent, watch

RULES = Rules()


def row(time: float, sensor: str = "b", ratio: float = 1.0, mean: float = 0.0, **more) -> Row:
    """A cycle of 50 values, with some error over their expected deviation about a mean."""
    square = (ratio * 0.03) ** 2
    terms = [50, -50 * mean, 50 * (square + mean**2), 1.0, 1.0, 50 * 0.03**2, 45, 1.0, 0]
    return Row(time, sensor, {"B04": terms, "ndvi": terms}, **more)


def after(rows: Iterable[Row], rules: Rules = RULES) -> Health:
    known = Health()
    for one in rows:
        known, _ = watch(known, one, rules)
    return known


def kinds(known: Health, rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(one.kind, one.sensor) for one in alarms(known, rules)]


def both(until: float, stops: float = np.inf) -> list[Row]:
    """Sensor a every 5 days, b every 5 days in between, b only until it stops."""
    a = [row(t, "a") for t in np.arange(0.0, until, 5.0)]
    b = [row(t, "b") for t in np.arange(2.5, min(until, stops), 5.0)]
    return sorted([*a, *b], key=lambda one: one.time)


def test_a_sensor_that_stops_is_told_by_the_clock_of_acquisitions():
    assert kinds(after(both(69.0, stops=60.0))) == []  # 7.5 days
    known = after(both(100.0, stops=60.0))
    (found,) = alarms(known, RULES)
    assert (found.kind, found.sensor, found.since) == ("silent", "b", 57.5)
    assert found.figure == pytest.approx(95.0 - 57.5)
    assert "every 5.0" in found.what and "up to 10.0 days" in found.what
    known, _ = watch(known, row(100.0, "b"), RULES)
    assert kinds(known) == []


def test_clouds_of_a_sensor_are_its_habit():
    """A sensor that often comes after a month is not missed for a month."""
    times = np.cumsum([5, 5, 30, 5, 30, 5, 5, 30, 30, 5])
    rows = [row(float(t), "b") for t in times] + [row(float(times[-1]) + 45.0, "a")]
    assert kinds(after(rows)) == []


@pytest.mark.parametrize("gap", [7.0, 60.0])
def test_time_without_any_observation_is_no_alarm(gap):
    """Nothing came, so nothing is missing by the clock of the acquisitions; today's clock tells."""
    known = after(both(60.0))
    assert kinds(known) == []
    now = known.time + gap
    assert [one.sensor for one in silent(known, now, RULES)] == ([] if gap == 7.0 else ["a", "b"])
    known, _ = watch(known, row(now, "a"), RULES)
    assert kinds(known) == ([] if gap == 7.0 else [("silent", "b")])


def test_the_first_passes_of_a_sensor_are_no_habit():
    assert kinds(after([row(0.0, "b"), row(5.0, "b"), row(200.0, "a")])) == []


def test_two_products_of_a_pass_are_one_pass():
    rows = [row(t + d, "b") for t in np.arange(0.0, 60.0, 10.0) for d in (0.0, 0.01)]
    assert after(rows).passes["b"].days == pytest.approx([9.99] * 5)


@pytest.mark.parametrize("ratio", [4.0, 0.1])
def test_innovations_far_from_what_was_said_of_them(ratio):
    rows = [row(5.0 * k, ratio=ratio if k >= 10 else 1.0) for k in range(10 + CYCLES)]
    assert kinds(after(rows[:-1])) == []
    (found,) = alarms(after(rows), RULES)
    assert (found.kind, found.channel, found.since) == ("diverged", "B04", 50.0)
    assert found.figure == pytest.approx(ratio, rel=1e-6)
    assert kinds(after([*rows, row(100.0)])) == []


def test_a_spread_that_is_gone():
    rows = [row(5.0 * k, spread=1e-5 if k >= 4 else 0.3) for k in range(4 + CYCLES)]
    assert kinds(after(rows[:-1])) == []
    (found,) = alarms(after(rows), RULES)
    assert (found.kind, found.since, found.figure) == ("collapsed", 20.0, 1e-5)
    assert kinds(after([row(5.0 * k) for k in range(20)])) == []  # nobody judged the innovations


def test_pixels_that_were_made_anew():
    rows = [row(5.0 * k, pixels=1000, recovered=20 * (k == 3)) for k in range(3 + CYCLES)]
    assert kinds(after(rows)) == [("recovered", "")]
    assert kinds(after([*rows, row(90.0, pixels=1000)])) == []
    assert kinds(after([row(5.0 * k, pixels=1000, recovered=9) for k in range(9)])) == []


def test_stale_pixels():
    rows = [row(5.0 * k, pixels=100, stale=min(90, 10 * k)) for k in range(9)]
    (found,) = alarms(after(rows), RULES)
    assert (found.kind, found.since, found.figure) == ("stale", 30.0, 0.8)
    assert "60 days" in found.what
    assert kinds(after(rows), Rules(stale_share=0.9)) == [("stale", "")]  # raised before
    assert kinds(after(rows, Rules(stale_share=0.9))) == []
    assert kinds(after([*rows, row(50.0, pixels=100, stale=50)])) == []


def test_a_biased_sensor_its_words_and_its_restart():
    rng = np.random.default_rng(0)
    rows = [row(5.0 * k, mean=0.005 * x) for k, x in enumerate(rng.standard_normal(40))]
    rows += [row(200.0 + 5 * k, mean=0.08) for k in range(3)]
    known = after(rows)
    (found,) = alarms(known, RULES)
    assert (found.kind, found.sensor, found.channel) == ("biased", "b", "B04")
    assert found.since in (200.0, 205.0) and found.figure == pytest.approx(0.08, abs=0.02)
    assert "multiplied by 5" in found.done and "restart" in found.advice
    told = plain(found, "2020-01-01")
    assert told["since"] == "2020-01-01" and set(told) == set(Alarm._fields)
    assert kinds(after(rows, Rules(restart={"b": 200.0}))) == []


def test_an_alarm_is_raised_once_and_cleared_once():
    before = Health()
    told: list[tuple[str, str, float]] = []
    rows = both(100.0, stops=60.0) + [row(100.0, "b"), row(102.0, "a")]
    for one in rows:
        known, _ = watch(before, one, RULES)
        new, ended = changes(alarms(before, RULES), alarms(known, RULES))
        told += [("raised", alarm.sensor, one.time) for alarm in new]
        told += [("cleared", alarm.sensor, one.time) for alarm in ended]
        before = known
    assert told == [("raised", "b", 70.0), ("cleared", "b", 100.0)]
