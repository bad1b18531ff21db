"""Random fields: mean, variance correlation, and the same values in every part of a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.nature.random_fields import field


@pytest.mark.parametrize("distance", [0.0, 2.0, 5.0, 12.0])
def test_correlation_falls_with_distance(distance: float) -> None:
    row, column = np.array([3.0, 3.0 + 0.6 * distance]), np.array([-7.0, -7.0 + 0.8 * distance])
    drawn = np.array([field((1, k), row, column, 5.0) for k in range(4000)])
    assert abs(drawn.mean()) < 0.05
    assert (drawn[:, 0] * drawn[:, 1]).mean() == pytest.approx(
        np.exp(-(distance**2) / 50.0), abs=4.0 * 1.5 / np.sqrt(4000)
    )


@given(st.integers(0, 9), st.lists(st.integers(0, 399), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_part_of_a_map_is_the_map_there(seed: int, chosen: list[int]) -> None:
    row, column = (axis.ravel() for axis in np.indices((20, 20)))
    whole = field(seed, row, column, 4.0)
    assert np.array_equal(field(seed, row[chosen], column[chosen], 4.0), whole[chosen])
