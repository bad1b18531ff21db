"""The hindcast that `releo-da benchmark` times: a simulated series with everything switched on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.document import Document
from releo_da.io import Series
from releo_da.runs.block import Task
from releo_da.runs.hindcast import hindcast
from releo_da.runs.model import Model
from releo_da.runs.timing import Clock
from releo_da.runs.withhold import Withhold
from releo_da.sensors import load_sensor
from releo_da.types import Acquisition

SENSOR = "sentinel2a"
LAND = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")

CYCLE = {
    "state": "prosail",
    "analyse": [
        {"name": "etkf"},
        {"name": "multiple", "times": 2},
        {"name": "relaxed", "factor": 0.3},
        {"name": "screened", "threshold": 4.0},
    ],
    "smooth": {"name": "rts"},
    "products": {"variables": ["lai", "ccc", "fapar", "ndvi"]},
}
"""The configuration whose hindcast is timed."""


def cycle(pixels: int = 128, members: int = 128, dates: int = 10) -> dict[str, Any]:
    """Pixel acquisitions per second of a hindcast, and the share of each part of its time."""
    made = assembly()
    series = synthetic(made, pixels, dates)
    clock = Clock()
    task = Task(seed=0, members=members, start=-30.0)
    asked = [a.time + 0.5 for a in series.acquisitions[::2]]
    options: dict[str, Any] = {"product_times": asked, "withhold": Withhold(3, 0)}
    hindcast(made.model, series._replace(acquisitions=series.acquisitions[:3]), task, **options)
    run = clock.timed("bookkeeping", hindcast)
    run(clocked(made.model, clock), series, task, **options)
    seconds = sum(clock.spent.values())
    shares = clock.shares()
    return {
        "pixel_acquisitions_per_s": pixels * dates / seconds,
        "members": members,
        "share": {k: shares[k] for k in ("forecast", "observe", "analyse", "bookkeeping")},
    }


def clocked(model: Model, clock: Clock) -> Model:
    """The model with the time of each of its parts told apart."""
    smooth = model.smooth
    return replace(
        model,
        forecast=clock.timed("forecast", model.forecast),
        initial=clock.timed("forecast", model.initial),
        observe=clock.timed("observe", model.observe),
        derive=clock.timed("observe", model.derive),
        analyse=clock.timed("analyse", model.analyse),
        smooth=None if smooth is None else clock.timed("analyse", smooth),
    )


def assembly(device: torch.device | str = "cpu") -> Assembly:
    """The timed system for one sensor."""
    return assemble(Document(Path("benchmark"), CYCLE), {SENSOR: LAND}, device=device)


def synthetic(made: Assembly, pixels: int, dates: int) -> Series:
    """Acquisitions every five days of a truth drawn from the dynamics, a fifth under cloud."""
    sensor = load_sensor(SENSOR)
    part = list(sensor.index(LAND))
    additive = torch.tensor(sensor.additive)[part]
    relative = torch.tensor(sensor.multiplicative)[part]
    noise, ids, angles = seeded(2), torch.arange(pixels), geometry(pixels)
    truth = made.model.initial(0.0, ids, 2, noise)
    acquisitions = []
    for k in range(dates):
        truth = made.model.forecast(truth, 5.0 * k, noise)
        nothing = angles[:, :0]
        blank = Acquisition(5.0 * k, SENSOR, nothing, nothing, angles)
        values = made.model.observe(truth.ensemble[:, :1], blank)[:, 0]
        error = (additive.square() + (relative * values).square()).sqrt()
        seen = values + error * noise(values.shape)
        cloud = ((ids + k) % 5 == 0)[:, None]
        seen, error = seen.masked_fill(cloud, 0.0), error.masked_fill(cloud, torch.inf)
        acquisitions.append(Acquisition(5.0 * k, SENSOR, seen, error, angles, str(k)))
    place = xr.Dataset(coords={"id": ("pixel", ids.numpy())})
    return Series(acquisitions, place, [], {SENSOR: LAND})


def geometry(pixels: int) -> Tensor:
    """Sun zenith, view zenith and relative azimuth of an ordinary pass, ``[pixel, 3]``."""
    return torch.tensor([35.0, 5.0, 60.0]).expand(pixels, 3).contiguous()


def seeded(seed: int) -> Callable[..., Tensor]:
    """Standard-normal numbers of a seed."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(tuple(shape), generator=generator)
