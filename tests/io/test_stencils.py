"""Interpolation against scipy and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from releo_da.io.stencils import applied, grid_stencil, outside, site_stencil

SEEDS = st.integers(0, 2**32 - 1)


def axes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Columns upwards and rows downwards, at unequal steps."""
    x = np.cumsum(rng.uniform(0.5, 2.0, 7)) + 4e5
    return x, (np.cumsum(rng.uniform(0.5, 2.0, 5)) - 20.0)[::-1].copy()


def inside(rng: np.random.Generator, axis: np.ndarray, count: int) -> np.ndarray:
    return rng.uniform(axis.min(), axis.max(), count)


@pytest.mark.parametrize(("linear", "method"), [(True, "linear"), (False, "nearest")])
@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_a_grid_is_read_as_scipy_reads_it(seed: int, linear: bool, method: str) -> None:
    rng = np.random.default_rng(seed)
    x_axis, y_axis = axes(rng)
    field = rng.normal(size=(5, 7))
    x, y = inside(rng, x_axis, 40), inside(rng, y_axis, 40)
    found = applied(field.ravel(), grid_stencil(x_axis, y_axis, x, y, linear))
    oracle = RegularGridInterpolator((y_axis[::-1], x_axis), field[::-1], method)
    np.testing.assert_allclose(found, oracle(np.stack([y, x], -1)), rtol=0, atol=1e-9)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_sites_on_the_nodes_of_a_grid_are_the_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x_axis, y_axis = np.arange(6.0), np.arange(4.0)[::-1]
    field = rng.normal(size=24)
    nodes = np.stack([a.ravel() for a in np.meshgrid(x_axis, y_axis)], -1)
    x, y = rng.uniform(-0.4, 5.4, 30), rng.uniform(-0.4, 3.4, 30)
    nearest, distance = site_stencil(nodes, np.stack([x, y], -1), inverse=False)
    of_grid = applied(field, grid_stencil(x_axis, y_axis, x, y, linear=False))
    np.testing.assert_array_equal(applied(field, nearest), of_grid)
    np.testing.assert_allclose(
        distance, np.hypot(*(np.stack([x, y]) - nodes[nearest.cell[:, 0]].T))
    )
    for linear in (True, False):
        at_nodes = grid_stencil(x_axis, y_axis, nodes[:, 0], nodes[:, 1], linear)
        np.testing.assert_allclose(applied(field, at_nodes), field)
    at_sites, _ = site_stencil(nodes, nodes, inverse=True)
    np.testing.assert_allclose(applied(field, at_sites), field)


def test_inverse_distances_have_their_closed_form() -> None:
    sites, at = (
        np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]]),
        np.array([[1.0, 0.0], [1e-100, 0.0]]),
    )
    stencil, distance = site_stencil(sites, at, inverse=True)
    squared = 1 / np.array([1.0, 4.0, 37.0])
    wanted = (squared * [10.0, 20.0, 30.0]).sum() / squared.sum()
    found = applied(np.array([10.0, 20.0, 30.0]), stencil)
    np.testing.assert_allclose(found, [wanted, 10.0])
    np.testing.assert_allclose(distance, [1.0, 1e-100])
    np.testing.assert_allclose(stencil.weight.sum(1), 1.0)


def test_the_outer_half_cell_is_constant_and_belongs_to_the_grid() -> None:
    axis = np.array([10.0, 20.0, 30.0])
    at = np.array([4.9, 5.0, 9.0, 35.0, 35.1, np.nan])
    assert outside(axis, at).tolist() == [True, False, False, False, True, True]
    one = np.array([0.0])
    stencil = grid_stencil(axis, one, at[1:4], np.zeros(3), linear=True)
    np.testing.assert_allclose(applied(np.array([1.0, 2.0, 3.0]), stencil), [1.0, 1.0, 3.0])


def test_a_cell_without_a_number_is_left_out() -> None:
    axis = np.arange(2.0)
    stencil = grid_stencil(axis, axis, np.array([0.5, 0.0]), np.array([0.5, 0.0]), linear=True)
    found = applied(np.array([np.nan, 2.0, 3.0, 4.0]), stencil)
    np.testing.assert_allclose(found, [3.0, np.nan])
