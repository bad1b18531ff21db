"""A landscape that is worked out pixel by pixel is the same landscape however it is asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from releo_da.nature.fields import fields, normal, uniform

ROWS, COLUMNS = (axis.ravel() for axis in np.indices((60, 80)))


@given(st.integers(0, 2**40), st.integers(-(10**6), 10**6), st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_numbers_of_places_are_uniform_and_alone(seed: int, far: int, what: int) -> None:
    drawn = uniform(seed, ROWS + far, COLUMNS, what)
    assert kstest(drawn, "uniform").pvalue > 1e-6
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.08
    assert abs(np.corrcoef(drawn, uniform(seed, ROWS + far, COLUMNS, what + 1))[0, 1]) < 0.08
    assert abs(np.corrcoef(drawn, uniform(seed + 1, ROWS + far, COLUMNS, what))[0, 1]) < 0.08


def test_normal_numbers_have_mean_0_and_variance_1() -> None:
    drawn = normal(4, ROWS, COLUMNS, 1)
    assert abs(drawn.mean()) < 0.06
    assert abs(drawn.var() - 1.0) < 0.1


@given(st.integers(0, 99), st.lists(st.integers(0, ROWS.size - 1), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_part_of_a_map_is_the_map_there(seed: int, chosen: list[int]) -> None:
    whole = fields(seed, ROWS, COLUMNS, 9.0)
    part = fields(seed, ROWS[chosen], COLUMNS[chosen], 9.0)
    assert np.array_equal(part.row, whole.row[chosen])
    assert np.array_equal(part.column, whole.column[chosen])


def test_fields_have_the_size_that_is_asked_for_and_hang_together() -> None:
    row, column = (axis.ravel() for axis in np.indices((300, 300)))
    found = fields(2, row, column, 10.0)
    name = found.row * 1000 + found.column
    assert 900 < np.unique(name).size < 1.15 * 900  # those of the margin are cut
    grid = name.reshape(300, 300)
    alike = (grid[1:] == grid[:-1]).mean()
    assert alike > 0.85


def test_another_seed_is_another_landscape() -> None:
    one, two = fields(1, ROWS, COLUMNS, 10.0), fields(2, ROWS, COLUMNS, 10.0)
    assert (one.row != two.row).mean() > 0.1
