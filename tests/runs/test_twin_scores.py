"""What a twin says of itself: its thinned sample, and the first time that counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from releo_da.config.innovations import by_sensor
from releo_da.diagnostics.thinning import numbered
from releo_da.runs.twin_scores import GRID, POINTS, Said


def test_dates_are_counted_per_sensor() -> None:
    """Of two satellites in turn every fourth date is one of the first only; per sensor, of both."""
    assert numbered(["a", "b", "a", "b", "b", "a"]) == [0, 0, 1, 1, 2, 2]
    sensors = ["a", "b"] * 8
    kept = [s for s, k in zip(sensors, numbered(sensors), strict=True) if k % GRID.date == 0]
    assert kept == ["a", "b", "a", "b"]


def test_a_grid_of_one_column_is_no_scatter_of_points() -> None:
    column, points = Said.of(8, 1), Said.of(8, 0)
    assert column.calibrations.strides == GRID and points.calibrations.strides == POINTS
    ids = np.arange(20)
    assert np.flatnonzero(column.sample(ids, 0)).tolist() == [0, 8, 16]
    assert points.sample(ids, 4).all() and not points.sample(ids, 2).any()


def test_an_analysis_at_the_end_of_the_burn_in_counts() -> None:
    looks = [SimpleNamespace(time=t, sensor="a") for t in (9.5, 10.0, 11.0)]
    judged = [SimpleNamespace(date=k) for k in range(3)]
    found = by_sensor(cast(Any, judged), cast(Any, looks), 10.0)
    assert [one.date for one in found["a"]] == [1, 2]
