"""Forecasts of a block by bins of lead: from each analysis to all later acquisitions.

    origin s:   analysis of s --F(t - s)--> forecast of t,  t in targets(s)   ->   H of all at once

The ensembles of all targets of an origin are stacked along the pixel axis, so that H, the costly
part, runs on full batches; at most `BLOCK` rows at a time bound the memory. One draw of forecast
noise and one of observation noise serve all targets of an origin: each forecast has the right
distribution, and forecasts of one origin are curves rather than scatter. NDVI alone is compared.

Cost: H once per pair, a transition per origin and target date; of a forecaster of many steps, those
of the longest lead once per origin, sensor and batch of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling.draws import BLOCK, Draws
from releo_da.diagnostics.leads import Pairs
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS
from releo_da.runs.compare import compare
from releo_da.runs.model import Model
from releo_da.sensors.indices import Index
from releo_da.types import Acquisition, Forecaster, Noise, State


def forecast_pairs(
    model: Model,
    analyses: Mapping[int, State],
    acquisitions: Sequence[Acquisition],
    pairs: Pairs,
    index: Mapping[str, Index | None],
    draws: Draws,
    tick: Callable[[str], None] = lambda label: None,
) -> Array:
    """What is forecast of each pair, ``[pair, field]``.

    Args:
        model: the joined system.
        analyses: by position of the acquisition.
        acquisitions: of the block, errors complete.
        pairs: of the block; its pixels are positions on the axis of the analyses.
        index: per sensor, where NDVI is formed.
        draws: of all random numbers.
        tick: called once per acquisition.
    """
    numbers = np.full((len(pairs.pixel), len(FIELDS)), np.nan, np.float32)
    for origin in range(len(acquisitions)):
        tick("forecast")
        here = np.flatnonzero(pairs.origin == origin)
        if not len(here):
            continue
        state = analyses[origin]
        forecast_noise = Kept(draws(state.time, "ahead"), state.ensemble.shape)
        targets = pairs.target[here]
        sensors = np.array([acquisitions[target].sensor for target in targets])
        for sensor in np.unique(sensors):
            rows = here[sensors == sensor]
            rows = rows[np.argsort(pairs.target[rows], kind="stable")]
            channels = acquisitions[pairs.target[rows[0]]].values.shape[1]
            shape = (*state.ensemble.shape[:2], channels)
            noise = draws(state.time, f"verify ahead {sensor}")(shape)
            for start in range(0, len(rows), BLOCK):
                some = rows[start : start + BLOCK]
                ahead, seen = _stacked(model, state, acquisitions, pairs, some, forecast_noise)
                place = torch.as_tensor(pairs.pixel[some])
                errors = model.errors(_given(noise[place.to(noise.device)]))
                predicted = model.observe(ahead, seen)
                found = compare(predicted, seen, seen.seen, index[str(sensor)], errors)
                numbers[some] = found[:, -1]
    return numbers


class Kept:
    """Noise that is drawn once and given to every forecast of an origin, from its beginning.

    Args:
        noise: standard-normal numbers of all pixels.
        shape: of an ensemble; as many numbers again are drawn whenever a forecast asks for more.
    """

    def __init__(self, noise: Noise, shape: Sequence[int]) -> None:
        self.noise, self.shape = noise, tuple(shape)
        self.drawn = noise(self.shape)

    def at(self, place: Tensor) -> Noise:
        """The noise of some pixels; each request takes the next of its columns."""
        first = 0

        def noise(shape: Sequence[int]) -> Tensor:
            nonlocal first
            start, first = first, first + shape[-1]
            while self.drawn.shape[-1] < first:
                self.drawn = torch.cat([self.drawn, self.noise(self.shape)], -1)
            return self.drawn[place, :, start:first]

        return noise


def _given(drawn: Tensor) -> Callable[[Sequence[int]], Tensor]:
    """A source of noise that was drawn before; each request takes the next of its columns."""
    first = 0

    def noise(shape: Sequence[int]) -> Tensor:
        nonlocal first
        start, first = first, first + shape[-1]
        return drawn[..., start:first]

    return noise


def _stacked(
    model: Model,
    state: State,
    acquisitions: Sequence[Acquisition],
    pairs: Pairs,
    rows: Array,
    noise: Kept,
) -> tuple[Tensor, Acquisition]:
    """Ensembles at their targets, and the targets as one acquisition with a row per pair.

    Args:
        model: the joined system.
        state: at the origin.
        acquisitions: of the block.
        pairs: of the block.
        rows: of the pairs, in order of their targets, which are of one sensor.
        noise: of the forecasts.
    """
    targets = list(dict.fromkeys(pairs.target[rows].tolist()))
    places = [pairs.pixel[rows[pairs.target[rows] == target]] for target in targets]
    times = [acquisitions[target].time for target in targets]
    ensembles = _carried(model.forecast, state, times, places, noise)
    values, errors, angles = [], [], []
    for target, place in zip(targets, places, strict=True):
        wanted, at = acquisitions[target], torch.as_tensor(place).to(state.ensemble.device)
        values.append(wanted.values[at])
        errors.append(wanted.error[at])
        angles.append(wanted.angles[at])
    seen = acquisitions[int(pairs.target[rows[0]])]
    seen = seen._replace(
        values=torch.cat(values), error=torch.cat(errors), angles=torch.cat(angles)
    )
    return torch.cat(ensembles), seen


def _carried(
    forecast: Forecaster,
    state: State,
    times: Sequence[float],
    places: Sequence[Array],
    noise: Kept,
) -> list[Tensor]:
    """For each time, in order, the ensemble of the pixels that are asked for there.

    A forecaster of many steps may offer ``along(state, times, noise)``, each time as if it alone
    had been asked for: the steps that they have in common are then taken once for all pixels.
    """

    def part(place: Array) -> tuple[State, Tensor]:
        at = torch.as_tensor(place).to(state.ensemble.device)
        pixels = state.pixels[at.to(state.pixels.device)]
        return State(state.time, state.ensemble[at], pixels, {}), at

    along = getattr(forecast, "along", None)
    if along is None:
        begun = [part(place) for place in places]
        return [
            forecast(one, time, noise.at(at)).ensemble
            for (one, at), time in zip(begun, times, strict=True)
        ]
    together = np.unique(np.concatenate(places))
    one, at = part(together)
    found = along(one, times, noise.at(at))
    return [
        there.ensemble[torch.as_tensor(np.searchsorted(together, place)).to(at.device)]
        for there, place in zip(found, places, strict=True)
    ]
