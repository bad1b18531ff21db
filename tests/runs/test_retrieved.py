"""What a network says of field measurements: which acquisition it reads, of which pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from releo_da.representation.retrieval import Retrieval, looked_at
from releo_da.runs.field import FieldRows
from releo_da.runs.retrieved import CASE, MEMBERS, Reading, beside
from releo_da.types import Acquisition

CHANNELS = {"sentinel2a": ("B03", "B04", "B8A"), "landsat8": ("B3", "B4")}
TIMES = (10.0, 12.0, 20.0, 33.0)


def acquisition(time: float, sensor: str, seen: Tensor) -> Acquisition:
    """Values that tell time, pixel and channel."""
    pixels, channels = seen.shape
    values = time / 100 + torch.arange(pixels)[:, None] / 10 + torch.arange(channels) / 1000
    error = torch.where(seen, 0.01, torch.inf)
    return Acquisition(time, sensor, values, error, torch.tensor([[30.0, 5.0, 90.0]] * pixels))


def series() -> list[Acquisition]:
    every = torch.ones(2, 3, dtype=torch.bool)
    partly = every.clone()
    partly[0, 2] = False  # B8A of the first pixel is missing on day 12
    return [
        acquisition(TIMES[0], "sentinel2a", every),
        acquisition(TIMES[1], "sentinel2a", partly),
        acquisition(TIMES[2], "landsat8", every[:, :2]),
        acquisition(TIMES[3], "sentinel2a", every),
    ]


def rows(variable: str = "lai") -> FieldRows:
    """Pixel 70 on day 13, pixel 71 on day 12.4 and on day 21."""
    time, none = np.array([13.0, 12.4, 21.0]), np.full(3, np.nan)
    pixel = np.array([70, 71, 71])
    return FieldRows(variable, np.arange(3), pixel, time, np.ones(3), none, none, np.arange(3), {})


def network() -> Retrieval:
    made = Retrieval(2, ("ccc", "lai"), 4, 1)
    generator = torch.Generator().manual_seed(0)
    made.prepare(
        torch.rand(500, 5, generator=generator), torch.rand(500, 2, generator=generator), generator
    )
    return made.requires_grad_(False)


def test_the_nearest_acquisition_with_every_channel_of_its_sensors_is_read() -> None:
    made = network()
    reading = Reading(made, ("sentinel2a", "sentinel2b"), ("B8A", "B03"), CHANNELS)
    (found,) = beside([rows()], series(), np.array([70, 71]), reading)
    told = found.estimates[CASE]
    assert told.shape == (3, MEMBERS)
    for row, (pixel, date) in enumerate(((0, 0), (1, 1), (1, 1))):
        a = series()[date]
        inputs = looked_at(a.values[[pixel]][:, [2, 0]], a.angles[[pixel]])
        expected = made.members(inputs, MEMBERS)[0, :, 1]
        np.testing.assert_allclose(told[row], expected.numpy(), rtol=1e-6)


def test_what_it_does_not_know_or_cannot_see_stays_without_it() -> None:
    made = network()
    reading = Reading(made, ("sentinel2a",), ("B03", "B8A"), CHANNELS)
    (other,) = beside([rows("fapar")], series(), np.array([70, 71]), reading)
    assert other.estimates == {}
    blind = [a._replace(error=torch.full_like(a.error, torch.inf)) for a in series()]
    (unseen,) = beside([rows()], blind, np.array([70, 71]), reading)
    assert unseen.estimates == {}
    assert Reading(made, ("sentinel2b",), ("B03", "B8A"), CHANNELS).places == {}
