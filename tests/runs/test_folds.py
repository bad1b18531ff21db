"""Clusters and folds: no neighbour across a fold, no point lost."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from releo_da.diagnostics.paired import paired_interval
from releo_da.runs.folds import clusters, distances, folds, units
from releo_da.types import InputError

KILOMETRE = 360.0 / 40_030.17  # degrees of latitude on a sphere of radius 6371.0088 km


def test_distances_on_a_meridian_and_across_it():
    lon, lat = np.array([10.0, 10.0, 11.0]), np.array([0.0, KILOMETRE, 0.0])
    apart = distances(lon, lat)
    assert apart[0, 1] == pytest.approx(1000.0, rel=1e-5)
    assert apart[0, 2] == pytest.approx(111_195.0, rel=1e-4)
    assert np.all(apart == apart.T)


def test_points_linked_by_steps_are_one_cluster():
    lat = KILOMETRE * np.array([0.0, 0.2, 0.4, 2.0, 2.2])
    label = clusters(np.zeros(5), lat, 250.0)
    assert label[0] == label[1] == label[2] != label[3]
    assert label[3] == label[4]


@given(st.lists(st.floats(0, 5), min_size=12, max_size=40), st.integers(2, 4))
def test_no_scored_point_has_a_neighbour_among_the_fitted(kilometres, count):
    lon, lat = np.zeros(len(kilometres)), KILOMETRE * np.array(kilometres)
    label = clusters(lon, lat, 100.0)
    if label.max() + 1 < count:
        with pytest.raises(InputError, match="folds"):
            folds(label, count)
        return
    fold = folds(label, count)
    assert set(fold) == set(range(count))
    across = fold[:, None] != fold
    assert distances(lon, lat)[across].min() > 100.0


def test_pixels_of_a_map_are_redrawn_in_square_blocks_and_points_singly():
    row, col = np.divmod(np.arange(12 * 25), 25)
    axis = xr.Dataset(coords={"row": ("pixel", row), "col": ("pixel", col)})
    found = units(axis.assign_attrs(kind="grid", height=12, width=25), side=10)
    assert len(np.unique(found.label)) == 2 * 3
    for label in np.unique(found.label):
        mine = found.label == label
        assert np.ptp(row[mine]) < 10 and np.ptp(col[mine]) < 10
    assert found.words == "blocks of 10 x 10 pixels"
    single = units(axis.assign_attrs(kind="point"))
    assert single.label.tolist() == list(range(300))


def test_blocks_give_wide_intervals_where_neighbours_agree():
    """A map whose losses are constant within blocks holds as much as one value per block."""
    rng = np.random.default_rng(0)
    row, col = np.divmod(np.arange(60 * 60), 60)
    axis = xr.Dataset(coords={"row": ("pixel", row), "col": ("pixel", col)})
    label = units(axis.assign_attrs(kind="grid", height=60, width=60)).label
    ours = rng.gamma(2.0, 1.0, 36)[label]
    theirs = np.ones(3600)
    blocks = paired_interval(ours, theirs, label, np.random.default_rng(1))
    single = paired_interval(ours, theirs, np.arange(3600), np.random.default_rng(1))
    expected = 2 * 1.96 * ours.std() / np.sqrt(36)
    assert blocks.upper - blocks.lower == pytest.approx(expected, rel=0.15)
    assert single.upper - single.lower < 0.2 * expected


def test_folds_are_balanced_and_repeat():
    label = np.repeat(np.arange(10), [8, 7, 6, 5, 4, 4, 4, 4, 4, 4])
    fold = folds(label, 5)
    assert np.ptp(np.bincount(fold)) <= 4  # the smallest cluster: the bound of dealing in order
    assert np.array_equal(fold, folds(label, 5))
