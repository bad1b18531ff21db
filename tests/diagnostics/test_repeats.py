"""Ratios over seeds are those of errors on the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from releo_da.diagnostics.repeats import interval_of_ratios, ratios, repeated


def rows(rmse: float) -> dict[str, Any]:
    return {"lai": {"rmse": rmse, "crps": rmse / 2, "coverage_90": 0.9}}


def scores(free: float, ahead: float, alone: float) -> dict[str, Any]:
    return {
        "free_run": rows(free),
        "analysis": rows(1.0),
        "retrieval": rows(9.0),
        "forecast": {"10": rows(1.5), "30": rows(1.8)},
        "baselines": {"free_run": {"forecast": {"10": rows(ahead)}}},
        "seen": {"free_run": rows(2.0), "retrieval": rows(alone), "analysis": rows(0.8)},
    }


def test_a_forecast_is_divided_by_the_free_run_on_its_own_dates() -> None:
    """A lead whose dates nobody told of has no ratio; all dates would be others."""
    found = ratios(scores(free=2.0, ahead=3.0, alone=1.0), "free_run")
    assert found == {("analysis", "lai"): 0.5, ("forecast", "10", "lai"): 0.5}
    assert ratios(scores(2.0, 3.0, 1.6), "retrieval") == {
        ("free_run", "lai"): pytest.approx(1.25),
        ("analysis", "lai"): pytest.approx(0.5),
    }
    assert ratios(scores(0.0, 3.0, 1.0), "free_run") == {("forecast", "10", "lai"): 0.5}


def test_ratios_over_seeds_have_students_interval() -> None:
    parts = [scores(2.0, 3.0, 1.0), scores(4.0, 2.0, 1.0), scores(2.5, 3.0, 1.0)]
    found = repeated(parts, [5, 6, 7])
    told = np.log([0.5, 0.25, 0.4])
    bounds = stats.t.interval(0.95, 2, np.mean(told), stats.sem(told))
    against = found["ratio"]["free_run"]
    assert against["analysis"]["lai"] == pytest.approx(np.exp([np.mean(told), *bounds]))
    ahead = against["forecast"]["10"]["lai"][0]
    assert ahead == pytest.approx(np.cbrt(0.5 * 0.75 * 0.5))
    assert set(against["forecast"]) == {"10"} and "skill" not in found
    assert [one["seed"] for one in found["per_seed"]] == [5, 6, 7]


def test_a_network_is_a_rival_where_something_was_seen() -> None:
    """Of its own variables, and of all seeds or none."""
    parts = [scores(2.0, 3.0, 1.0), scores(4.0, 2.0, 1.0)]
    row = {"rmse": 2.0, "crps": 1.0, "coverage_90": 0.9, "n": 5}
    fewer = {"lai": row, "fapar": {**row, "n": 3}}  # of a sensor that it does not know
    seen = {"network": fewer, "analysis": {"lai": {**row, "rmse": 1.0}, "cw": row, "fapar": row}}
    told = [{**part, "seen": seen} for part in parts]
    assert "network" not in repeated([told[0], parts[1]], [0, 1])["ratio"]
    found = repeated(told, [0, 1])["ratio"]["network"]
    assert found == {"analysis": {"lai": pytest.approx([0.5, 0.5, 0.5])}}


def test_no_share_of_an_error_is_below_nothing() -> None:
    """Ratios that differ by a factor of ten have a lower bound above 0."""
    mean, low, high = interval_of_ratios([0.5, 5.0, 1.0])
    assert 0.0 < low < mean < high and mean == pytest.approx(np.cbrt(2.5))
    assert interval_of_ratios([0.0, 1.0])[0] == 0.0 and np.isnan(interval_of_ratios([0.0, 1.0])[1])
    assert np.isnan(interval_of_ratios([2.0])[1:]).all()
