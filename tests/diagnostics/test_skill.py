"""Skill of whole trees of scores."""

import math

import pytest

from releo_da.diagnostics.skill import skill, skills


def test_share_of_the_error_that_is_gone() -> None:
    found = skill({"rmse": 0.3, "mae": 0.2, "bias": 0.1, "crps": None}, {"rmse": 0.4, "crps": 0.1})
    assert found["rmse"] == pytest.approx(0.25) and math.isnan(found["crps"])
    assert set(found) == {"rmse", "crps"}
    assert math.isnan(skill({"rmse": 0.1}, {"rmse": 0.0})["rmse"])
    assert skill({"rmse": 0.2}, {"rmse": 0.1})["rmse"] == -1.0


def test_every_row_that_both_hold() -> None:
    scores = {
        "smoothed": {"ndvi": {"rmse": 0.1, "n": 5}, "B04": {"rmse": 0.1, "n": 5}},
        "forecast": {"10": {"ndvi": {"crps": 0.03, "n": 5}}},
        "seeds": [7],
        "diverged": 0,
    }
    linear = {"smoothed": {"ndvi": {"rmse": 0.2, "n": 5}}, "forecast": {"20": {}}}
    assert skills(scores, linear) == {"smoothed": {"ndvi": {"rmse": 0.5}}}
    kalman = {"forecast": {"10": {"ndvi": {"crps": 0.04, "n": 5}}}, "seeds": [7]}
    assert skills(scores, kalman)["forecast"]["10"]["ndvi"]["crps"] == pytest.approx(0.25)
    assert skills(scores["smoothed"], scores["smoothed"])["B04"] == {"rmse": 0.0}
