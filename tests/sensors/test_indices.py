"""Indices: which channels they are made of, on every sensor, and their formula."""

from __future__ import annotations

import pytest
import torch

from releo_da.sensors import load_sensor
from releo_da.sensors.indices import (
    INDICES,
    find_index,
    index_long_name,
    index_names,
    is_index,
    normalised_difference,
)


def channels_of(name: str, sensor: str) -> tuple[str, str] | None:
    """The channels of an index, by name."""
    found, names = find_index(name, load_sensor(sensor)), load_sensor(sensor).channels
    return None if found is None else (names[found.high], names[found.low])


@pytest.mark.parametrize(
    ("name", "sentinel", "landsat"),
    [
        ("ndvi", ("B08", "B04"), ("B5", "B4")),
        ("gndvi", ("B08", "B03"), ("B5", "B3")),
        ("ndre", ("B07", "B05"), None),
        ("ndmi", ("B08", "B11"), ("B5", "B6")),
        ("ndwi", None, None),
        ("nbr", ("B08", "B12"), ("B5", "B7")),
        ("ndti", ("B11", "B12"), ("B6", "B7")),
        ("nd_B03_B8A", ("B03", "B8A"), None),
    ],
)
def test_channels_are_found_by_wavelength(name: str, sentinel: object, landsat: object) -> None:
    assert channels_of(name, "sentinel2a") == channels_of(name, "sentinel2b") == sentinel
    assert channels_of(name, "landsat8") == landsat


def test_positions_refer_to_the_channels_that_may_be_used() -> None:
    sensor = load_sensor("sentinel2a")
    assert find_index("ndvi", sensor, ("B8A", "B02", "B04")) == (0, 2)
    assert find_index("nbr", sensor, ("B8A", "B02", "B04")) is None
    assert find_index("nd_B02_B8A", sensor, ("B8A", "B02")) == (1, 0)
    assert find_index("nd_B02_B08", sensor, ("B8A", "B02")) is None
    assert index_names(sensor, ("B8A", "B02", "B04", "B12")) == ("ndvi", "nbr")


def test_names_of_indices() -> None:
    assert all(is_index(name) for name in (*INDICES, "nd_B08_B04"))
    assert not any(is_index(name) for name in ("lai", "nd_B08", "B08"))
    assert index_long_name("nd_B08_B04") == "normalised difference of B08 and B04"


def test_the_formula_its_bounds_and_its_gradient() -> None:
    high = torch.tensor([0.4, 0.001, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    low = torch.tensor([0.1, 0.002, 0.0, 0.0], dtype=torch.float64)
    found = normalised_difference(high, low)
    assert found.tolist() == pytest.approx([0.6, -0.05, 0.0, 1.0])
    (slope,) = torch.autograd.grad(found[0], high)
    assert slope[0].item() == pytest.approx(2 * 0.1 / 0.5**2)
