"""Static covariates of a pixel axis for an encoder: relief, place, climate, as far as known."""

from __future__ import annotations

import torch
import xarray as xr
from torch import Tensor

from releo_da.representation.statics import statics_of
from releo_da.types import Weather

COORDINATES = {"elevation": "elevation", "slope": "slope", "lat": "latitude", "lon": "longitude"}
"""Coordinates of a pixel axis and the fields of the encoder that they are."""

YEAR = 365
"""A record of fewer days tells no climate."""


def covariates(pixels: xr.Dataset, like: Tensor, weather: Weather | None = None) -> Tensor:
    """What is known of every pixel whatever the date, ``[pixel, S]``.

    Args:
        pixels: the pixel axis of a series.
        like: a tensor whose dtype and device it takes.
        weather: bound to these pixels; its climate is told where it has whole years.
    """
    fields = known_fields(pixels)
    ids = torch.as_tensor(pixels["id"].values)
    fields |= climate(weather, ids)
    return statics_of(len(ids), fields, like)


def known_fields(pixels: xr.Dataset) -> dict[str, Tensor]:
    """Relief and place of every pixel by the encoder's names, ``[pixel]`` each."""
    return {
        field: torch.as_tensor(pixels[name].values.copy())
        for name, field in COORDINATES.items()
        if name in pixels.coords
    }


def climate(weather: Weather | None, pixels: Tensor) -> dict[str, Tensor]:
    """Mean temperature (degC) and precipitation of a year (mm) over the whole years of a record.

    Args:
        weather: with these pixels; None for no climate.
        pixels: ``[pixel]`` global ids.

    Returns:
        ``[pixel]`` of those of the two that the record holds.
    """
    years = 0 if weather is None else len(weather.values) // YEAR
    if weather is None or not years:
        return {}
    record = weather.values[-years * YEAR :].double().mean(0)  # [site, element]
    row = torch.searchsorted(weather.pixels, pixels)
    at = (record[weather.site[row]] * weather.weight[row].double()[..., None]).sum(1)
    held = dict(zip(weather.elements, at.unbind(-1), strict=True))
    found = {}
    if "temperature" in held:
        found["temperature"] = held["temperature"]
    elif {"temperature_min", "temperature_max"} <= set(held):
        found["temperature"] = 0.5 * (held["temperature_min"] + held["temperature_max"])
    if "precipitation" in held:
        found["precipitation"] = held["precipitation"] * YEAR
    return found
