"""A forecast starts where the run stands and ends as the climatology, whatever was observed."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io.products import Product
from releo_da.runs.forecast import Found, climatology, dates, forecast
from releo_da.runs.joined import products
from releo_da.types import State

from .linear import DESCRIBED, SEED, linear_model

PIXELS, MEMBERS = 300, 20  # two blocks of randomness
START = 18000.25


@pytest.fixture
def axis() -> xr.Dataset:
    return xr.Dataset(coords={"id": ("pixel", np.arange(PIXELS))})


@pytest.fixture
def state() -> State:
    noise = torch.randn((PIXELS, MEMBERS, 2), generator=torch.Generator().manual_seed(1))
    ensemble = 0.3 + 0.02 * noise + torch.tensor([0.0, 0.5])
    return State(START, ensemble, torch.arange(PIXELS), {})


def whole(found: Found) -> Product:
    parts = list(found)
    place = torch.cat([rows for rows, _ in parts]).argsort().numpy()
    return products([values for _, values in parts], place, DESCRIBED)["lai"]


def expected(axis: xr.Dataset, ids: torch.Tensor, times: list[float]) -> Product:
    return whole(climatology(linear_model(), axis, ids, MEMBERS, times, SEED))


Ahead = Callable[[list[float]], Product]


@pytest.fixture
def ahead(axis: xr.Dataset, state: State) -> Ahead:
    def take(rows: torch.Tensor) -> State:
        return state._replace(ensemble=state.ensemble[rows], pixels=state.pixels[rows])

    return lambda times: whole(forecast(linear_model(), take, axis, times, SEED))


def test_dates_begin_with_the_state_and_end_with_the_last_day() -> None:
    assert dates(100.25, 125.0, 10.0) == [100.25, 110.5, 120.5, 125.5]
    assert dates(100.75, 101.0, 10.0) == [100.75, 101.5]


def test_the_first_date_is_the_state_itself(ahead: Ahead, state: State) -> None:
    found = ahead([START, START + 10.0])
    members = (state.ensemble[..., 1] - state.ensemble[..., 0]).numpy()
    np.testing.assert_allclose(found.mean[0], members.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found.spread[0], members.std(1, ddof=1), rtol=1e-4)
    kept = 0.95**10
    np.testing.assert_allclose(found.mean[1].mean(), kept * members.mean(), rtol=0.01)


def test_far_ahead_nothing_of_the_state_is_left(ahead: Ahead) -> None:
    found = ahead([START, START + 400.0])
    assert abs(found.mean[0].mean() - 0.5) < 0.01
    assert abs(found.mean[1].mean()) < 0.01


def test_the_climatology_is_the_distribution_without_observations(axis: xr.Dataset) -> None:
    times = [START, START + 20.0, START + 90.0]
    ids = torch.arange(PIXELS)
    found = expected(axis, ids, times)
    assert abs(found.mean.mean()) < 0.01
    np.testing.assert_allclose(np.sqrt(np.mean(found.spread**2)), 0.1 * np.sqrt(2), rtol=0.03)
    # the same draws at every date: a season without change is a straight line
    np.testing.assert_array_equal(found.mean[0], found.mean[1])
    np.testing.assert_array_equal(found.mean[0], found.mean[2])
    some = ids[[3, 280]]
    part = axis.isel(pixel=[3, 280])
    alone = expected(part, some, times)
    np.testing.assert_array_equal(alone.mean, found.mean[:, [3, 280]])
