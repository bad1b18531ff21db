"""The parts of a system that a run needs beside forecast, observe and analyse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from releo_da.cycling.draws import Draws, Mix, block_draws
from releo_da.cycling.fields import Correlated
from releo_da.sensors import labels
from releo_da.state.bias import Biases
from releo_da.types import (
    Acquisition,
    Forecaster,
    Noise,
    ObservationOperator,
    Scheme,
    State,
    System,
)

Smoother = Callable[..., list[Tensor]]
Reasons = Callable[[Tensor, Tensor, Tensor, Tensor], dict[str, int]]
Tally = Callable[[Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]
Impact = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]
Unmet = Callable[[float, Tensor | None], list[dict[str, Any]]]
Follow = Callable[[Tensor | None, Tensor, Tensor, Tensor], tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class Model:
    """A joined system.

    Attributes:
        forecast: carries a state to a later time.
        observe: predicts what a sensor sees.
        analyse: updates an ensemble with an acquisition.
        error: completes an acquisition's instrument error to the full R.
        initial: ``initial(time, pixels, members, noise)``, the ensemble before any observation.
        smooth: fixed-interval smoother of a list of steps, or None.
        derive: ``derive(ensemble, angles)``, output variables by name, each ``[pixel, member]``.
        channels: for each sensor, the channels of its acquisitions.
        described: unit and long name of each output variable.
        tally: ``tally(predicted, analysed, y, precision)``, sums by name that say of an analysis
            whether its errors were right (`releo_da.assimilation.tally`), or None.
        follow: ``follow(last, predicted, y, precision)``, sums by name that say whether innovations
            are white, and ``last`` for the next acquisition of the sensor, or None.
        impact: ``impact(quantity, analysed, predicted, y, precision, before, after)``, sums by name
            that say what each channel did to quantities of the background whose truth is known
            (`releo_da.assimilation.impact.told`), or None.
        reasons: ``reasons(predicted, y, precision, used)``, how many values screening refused why.
        biases: the bias latents of its sensors, the last of the state, or None.
        gathers: whether the scheme needs the places of pixels (`releo_da.runs.located`).
        correlated: how far prior and model noise of pixels agree, or None where they do not.
        mix: what makes fields of random numbers, once places are known.
        covers: the first and the last instant of the weather that moves the forecaster, or None.
        unmet: ``unmet(days, latitude)``, records for the log of what the forecaster is asked for
            that its fit has not met, so many days after a look, so far north; or None.
        coloured: makes standard-normal draws of errors ``[..., channel]`` go together as R says,
            or None where it has no correlation.
    """

    forecast: Forecaster
    observe: ObservationOperator
    analyse: Scheme
    error: Callable[[Acquisition], Acquisition]
    initial: Callable[[float, Tensor, int, Noise], State]
    smooth: Smoother | None
    derive: Callable[[Tensor, Tensor], dict[str, Tensor]]
    channels: dict[str, tuple[str, ...]]
    described: Mapping[str, tuple[str, str]]
    reasons: Reasons | None = None
    tally: Tally | None = None
    biases: Biases | None = None
    gathers: bool = False
    correlated: Correlated | None = None
    mix: Mix | None = None
    follow: Follow | None = None
    impact: Impact | None = None
    covers: tuple[float, float] | None = None
    unmet: Unmet | None = None
    coloured: Callable[[Tensor], Tensor] | None = None

    def draws(self, seed: int, pixels: Tensor, like: Tensor) -> Draws:
        """The random numbers of a run over some pixel ids (`releo_da.cycling.draws`)."""
        return block_draws(seed, pixels, like, self.mix)

    def errors(self, noise: Noise) -> Noise:
        """Draws of the errors of an acquisition's channels, in units of their deviations."""
        if self.coloured is None:
            return noise
        coloured = self.coloured
        return lambda shape: coloured(noise(shape))

    def uncovered(self, start: float, end: float) -> float:
        """Days between two times for which the forecaster has no weather where it had some."""
        if self.covers is None:
            return 0.0
        first, last = max(start, self.covers[0]), min(end, self.covers[1])
        return (end - start) - max(last - first, 0.0)

    def not_met(self, days: Callable[[], float], pixels: xr.Dataset) -> list[dict[str, Any]]:
        """Records for the log of what no fit has met.

        Args:
            days: the longest time after a look; asked only where one counts.
            pixels: the pixel axis, with the coordinate ``lat`` where places are known.
        """
        if self.unmet is None:
            return []
        known = pixels.coords.get("lat")
        return self.unmet(days(), None if known is None else torch.tensor(known.values))

    @property
    def system(self) -> System:
        """The three functions of the loop."""
        return System(self.forecast, self.observe, self.analyse)

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """For each sensor, the names under which its channels are scored."""
        return labels(self.channels)


def on(
    acquisition: Acquisition, device: torch.device | str, rows: Tensor | None = None
) -> Acquisition:
    """An acquisition on a device, for some of its pixels."""
    fields = [acquisition.values, acquisition.error, acquisition.angles]
    moved = [(f if rows is None else f[rows]).to(device) for f in fields]
    return acquisition._replace(values=moved[0], error=moved[1], angles=moved[2])
