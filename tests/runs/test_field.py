"""Field measurements: which rows count, what lies nearest, how they are scored."""

from __future__ import annotations

import numpy as np
import pytest

from releo_da.io.in_situ import InSitu
from releo_da.runs.field import (
    FieldRows,
    counted,
    measurement_error,
    nearest_index,
    pooled,
    samples,
    score_field,
    usable,
)

TIMES = np.array([0.0, 10.0, 20.0, 30.0])
SEEN = np.array([[True, True, False, True], [False, False, False, True]])
NDVI = np.array([[0.1, 0.4, np.nan, 0.8], [np.nan, np.nan, np.nan, 0.6]])


def table(**changed: object) -> InSitu:
    whole = InSitu(
        "lai",
        np.array([0, 0, 1, 1, 0]),
        np.array([4.0, 19.0, 10.0, 26.0, 41.0]),
        np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        np.array([0, 1, 2, 4, 7]),
        8.0,
        np.array([20.0, np.nan, 30.0, 55.0, 60.0]),
        [],
    )
    return whole._replace(**changed)


def test_a_row_counts_when_its_own_pixel_was_clear_nearby() -> None:
    assert usable(table(), TIMES, SEEN).tolist() == [True, False, False, True, False]
    # 19 is 9 days from the clear date 10, and day 20 was cloudy; 41 is 11 days from 30
    assert usable(table(within_days=9.0), TIMES, SEEN).tolist()[1] is True


def test_rows_that_count_keep_their_numbers() -> None:
    kept = counted(table(), TIMES, SEEN)
    assert kept.row.tolist() == [0, 4]
    assert kept.value.tolist() == [1.0, 4.0]
    assert kept.time.tolist() == [4.0, 26.0]
    assert kept.pixel_index.tolist() == [0, 1]
    assert kept.stage is not None
    assert kept.stage.tolist() == [20.0, 55.0]
    assert counted(table(stage=None), TIMES, SEEN).stage is None


def test_ndvi_is_that_of_the_nearest_clear_date_with_one() -> None:
    found = nearest_index(table(), TIMES, SEEN, NDVI)
    np.testing.assert_allclose(found, [0.1, 0.4, 0.6, 0.6, 0.8])


def rows(stage: list[float]) -> FieldRows:
    generator = np.random.default_rng(0)
    measured = np.linspace(0.5, 5.0, 40)
    members = measured[:, None] + 0.4 + generator.normal(0.0, 0.5, (40, 200))
    stages = np.resize(np.array(stage), 40)
    index = measured / 6.0 + generator.normal(0.0, 0.03, 40)
    position = np.arange(40)
    return FieldRows(
        "lai", position, position % 3, TIMES[position % 4], measured, stages, index,
        samples(position % 3, TIMES[position % 4]), {"smoothed": members},
    )  # fmt: skip


def test_scores_of_estimates_stand_beside_those_of_a_line_and_a_constant() -> None:
    found = score_field(rows([np.nan]), 3)
    assert set(found) >= {"smoothed"}
    assert len(found) >= 3  # and the baselines
    row = found["smoothed"]
    assert row["n"] == 40
    assert row["bias"] == pytest.approx(0.4, abs=0.05)
    assert row["rmse"] == pytest.approx(np.hypot(row["bias"], row["unbiased_rmse"]))
    assert row["r2"] > 0.95
    again = score_field(rows([np.nan]), 3)
    assert again["smoothed"] == row  # draws of the measurement error repeat


def test_late_stages_are_scored_by_themselves_where_there_are_both() -> None:
    both = score_field(rows([25.0, 35.0]), 0)
    assert both["smoothed"]["n"] == 40
    assert both["smoothed_from_stem_elongation"]["n"] == 20
    only = score_field(rows([35.0]), 0)
    assert not any(name.endswith("elongation") for name in only)


def test_rows_of_one_pixel_and_day_are_one_sample_and_those_of_two_runs_are_not() -> None:
    found = samples(np.array([3, 3, 4, 3]), np.array([5.1, 5.9, 5.2, 6.0]))
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3
    one = rows([np.nan])
    both = pooled([one, one])
    assert len(both.measured) == len(both.estimates["smoothed"]) == 80
    assert len(set(both.sample.tolist())) == 2 * len(set(one.sample.tolist()))


def test_the_line_does_not_see_another_row_of_the_sample_it_predicts() -> None:
    one = rows([np.nan])
    twins = pooled([one, one])._replace(sample=np.tile(np.arange(40), 2))
    alone = score_field(one._replace(sample=np.arange(40)), 0)
    doubled = score_field(twins, 0)
    for name in ("constant", "line"):
        assert doubled[name]["rmse"] == pytest.approx(alone[name]["rmse"])
        assert doubled[name]["n"] == 80


def test_measurement_error_grows_with_leaf_area() -> None:
    np.testing.assert_allclose(measurement_error(np.array([0.0, 4.0])), [0.3, 0.5])
    np.testing.assert_allclose(measurement_error(np.array([4.0]), "lai_green"), [0.5])
    np.testing.assert_array_equal(measurement_error(np.array([0.2, 0.9]), "fapar"), [0.0, 0.0])
