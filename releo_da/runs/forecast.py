"""Forecast from the last state of a run: the loop again, over dates on which nothing is seen.

Each date is an acquisition without channels, so members move through the same forecaster and the
same draws as in any other run. What they move towards is `climatology`: the distribution that the
forecaster gives to a day of the year where nothing was ever observed. Output variables that depend
on light (fapar, ndvi) are given for the sun of mid-morning at each date.

Both go block by block and keep nothing; `releo_da.runs.outputs` writes what comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.diagnostics.scores import Array
from releo_da.io.geometry import sun_position
from releo_da.runs.hindcast import blocks
from releo_da.runs.joined import statistics
from releo_da.runs.located import located
from releo_da.runs.model import Model
from releo_da.types import Acquisition, State

MORNING = 10.5 / 24.0
"""Local solar time of day at which polar-orbiting land sensors pass, as a part of a day."""

ZENITH, LOWEST = 45.0, 80.0
"""Sun zenith where the place is not known, and the largest one that is used (degrees)."""

Found = Iterator[tuple[Tensor, dict[str, Array]]]
"""Of each block its rows of the pixel axis and ``{variable: [statistic, time, pixel]}``."""


def sun_angles(time: float, pixels: xr.Dataset) -> Tensor:
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
    """The time of the state, then noons every so many days up to that of the last day.

    Args:
        start: time of the state (days).
        until: the last day (days, at its beginning).
        every_days: interval.
    """
    last = np.floor(until) + 0.5
    first = np.floor(start) + 0.5 + every_days
    found = np.arange(first, last, every_days)
    return [float(start), *(float(t) for t in found), float(last)]


def forecast(
    model: Model,
    take: Callable[[Tensor], State],
    pixels: xr.Dataset,
    times: Sequence[float],
    seed: int,
    device: torch.device | str = "cpu",
) -> Found:
    """Output variables at coming dates, block by block.

    Args:
        model: the joined system.
        take: ``take(rows)``, the last state of a run at some rows of its pixel axis.
        pixels: that axis.
        times: from that of the state on, in order (days).
        seed: of the run.
        device: where a block lives while it is worked on.
    """
    model = located(model, pixels)

    def ensembles(rows: Tensor) -> Iterable[Tensor]:
        state = take(rows)
        memory = {name: held.to(device) for name, held in state.memory.items()}
        ensemble = state.ensemble.to(device)
        held = state._replace(ensemble=ensemble, memory=memory)
        nothing, angles = ensemble.new_zeros((len(rows), 0)), ensemble.new_zeros((len(rows), 3))
        asked = [Acquisition(time, "", nothing, nothing, angles) for time in times]
        draws = model.draws(seed, held.pixels, ensemble)
        return (step.analysis.ensemble for step in cycle(held, asked, model.system, draws))

    return outputs(model, ensembles, pixels, torch.as_tensor(pixels["id"].values), times, device)


def climatology(
    model: Model,
    pixels: xr.Dataset,
    ids: Tensor,
    members: int,
    times: Sequence[float],
    seed: int,
    device: torch.device | str = "cpu",
) -> Found:
    """Output variables that the forecaster expects where nothing was ever observed, block by block.

    The same draws serve all dates, so that the curves are as smooth as the season is.

    Args:
        model: the joined system.
        pixels: the pixel axis.
        ids: ``[pixel]`` global ids.
        members: ensemble size.
        times: dates (days).
        seed: of the run.
        device: where a block lives while it is worked on.
    """
    model = located(model, pixels)

    def ensembles(rows: Tensor) -> Iterable[Tensor]:
        draws = model.draws(seed, ids[rows], torch.zeros((), device=device))
        for time in times:
            noise = draws(times[0], "climatology")
            yield model.initial(time, ids[rows], members, noise).ensemble

    return outputs(model, ensembles, pixels, ids, times, device)


def outputs(
    model: Model,
    ensembles: Callable[[Tensor], Iterable[Tensor]],
    pixels: xr.Dataset,
    ids: Tensor,
    times: Sequence[float],
    device: torch.device | str,
) -> Found:
    """Statistics of the output variables of ensembles at dates, block by block.

    Args:
        model: the joined system.
        ensembles: ``[pixel, member, latent]`` at each date, of the given rows of the pixel axis.
        pixels: the pixel axis.
        ids: ``[pixel]`` global ids.
        times: dates (days).
        device: where a block lives while it is worked on.
    """
    for rows in blocks(ids):
        here = pixels.isel(pixel=rows.numpy())
        found: dict[str, list[Array]] = {}
        with torch.no_grad():
            for time, ensemble in zip(times, ensembles(rows), strict=True):
                derived = model.derive(ensemble, sun_angles(time, here).to(device))
                for name, members in derived.items():
                    values = statistics(members[None].float().cpu().numpy())
                    found.setdefault(name, []).append(values)
        yield rows, {name: np.concatenate(values, 1) for name, values in found.items()}
