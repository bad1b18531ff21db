"""Forecast from the last state of a run: the loop again, over dates on which nothing is seen.

Each date is an acquisition without channels, so members move through the same forecaster and the
same draws as in any other run, and the spread grows towards that of the climatology. Output
variables that depend on light (fapar, ndvi) are given for the sun of mid-morning at each date.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import block_draws
from releo_da.diagnostics.scores import Array
from releo_da.io.geometry import sun_position
from releo_da.io.products import Product
from releo_da.runs.hindcast import blocks
from releo_da.runs.joined import products, statistics
from releo_da.runs.model import Model
from releo_da.types import Acquisition, State

MORNING = 10.5 / 24.0
"""Local solar time of day at which polar-orbiting land sensors pass, as a part of a day."""

ZENITH, LOWEST = 45.0, 80.0
"""Sun zenith where the place is not known, and the largest one that is used (degrees)."""


def sun_angles(time: float, pixels: xr.Dataset) -> torch.Tensor:
    """Angles of a nadir view in mid-morning of a day, ``[pixel, 3]`` float32 degrees.

    Args:
        time: days since 1970-01-01; its day counts.
        pixels: the pixel axis; without ``lon`` and ``lat`` the sun stands at 45 degrees.
    """
    angles = np.zeros((pixels.sizes["pixel"], 3), np.float32)
    angles[:, 0] = ZENITH
    if "lon" in pixels.coords:
        lon, lat = pixels["lon"].values, pixels["lat"].values
        zenith, _ = sun_position(np.floor(time) + MORNING - lon / 360.0, lon, lat)
        angles[:, 0] = np.minimum(zenith, LOWEST)
    return torch.from_numpy(angles)


def dates(start: float, until: float, every_days: float) -> list[float]:
    """Noons every so many days after ``start`` up to that of the last day, which is the last one.

    Args:
        start: time of the state (days).
        until: the last day (days, at its beginning).
        every_days: interval.
    """
    last = np.floor(until) + 0.5
    first = np.floor(start) + 0.5 + every_days
    found = np.arange(first, last, every_days)
    return [float(t) for t in found] + [float(last)]


def forecast(
    model: Model,
    state: State,
    pixels: xr.Dataset,
    times: Sequence[float],
    seed: int,
    device: torch.device | str = "cpu",
) -> dict[str, Product]:
    """Output variables at coming dates.

    Args:
        model: the joined system.
        state: the last of a run, on the CPU.
        pixels: its pixel axis.
        times: after the state's, in order (days).
        seed: of the run.
        device: where a block lives while it is worked on.
    """
    angles = [sun_angles(time, pixels) for time in times]
    found: dict[str, Array] = {}
    with torch.no_grad():
        for rows in blocks(state.pixels):
            memory = {name: held[rows].to(device) for name, held in state.memory.items()}
            ensemble = state.ensemble[rows].to(device)
            held = State(state.time, ensemble, state.pixels[rows], memory)
            nothing = ensemble.new_zeros((len(rows), 0))
            asked = [
                Acquisition(time, "", nothing, nothing, one[rows].to(device))
                for time, one in zip(times, angles, strict=True)
            ]
            draws = block_draws(seed, held.pixels, ensemble)
            for k, step in enumerate(cycle(held, asked, model.system, draws)):
                derived = model.derive(step.analysis.ensemble, asked[k].angles)
                for name, members in derived.items():
                    values = statistics(members[None].float().cpu().numpy())
                    empty = np.empty((len(values), len(times), len(state.pixels)), values.dtype)
                    found.setdefault(name, empty)[:, k, rows.numpy()] = values[:, 0]
    return products([found], np.arange(len(state.pixels)), model.described)
