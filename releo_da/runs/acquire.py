r"""Acquisitions of a truth that a forecaster draws: the nature run of a twin experiment.

    x(t)  one draw of the truth's forecaster, from its initial distribution on
    y     H(x(t)) + R^1/2 e,     e ~ N(0, I),     hidden by cloud with a given probability

Truth, clouds and noise have a seed of their own: a run with the same seed as its truth would carry
it among the members. Shapes: ``truth [pixel, 1, latent]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.cycling.draws import Draws
from releo_da.runs.model import Model
from releo_da.sensors import channel_error
from releo_da.types import Acquisition


class Nature(NamedTuple):
    """A truth and what was seen of it.

    Attributes:
        model: the system that the truth is a draw of.
        states: time -> ``[pixel, 1, latent]``.
        acquisitions: in time order, instrument errors only.
        exact: ``[pixel, channel]`` per acquisition, H of the truth.
    """

    model: Model
    states: dict[float, Tensor]
    acquisitions: list[Acquisition]
    exact: list[Tensor]


@torch.no_grad()
def nature(
    model: Model,
    passes: Sequence[Acquisition],
    others: Iterable[float],
    pixels: Tensor,
    seed: int,
    cloud: float,
) -> Nature:
    """Draw a truth and simulate its acquisitions.

    Args:
        model: the truth's system.
        passes: time, sensor and angles of each acquisition, in time order; values do not matter.
        others: further times at which the truth is wanted.
        pixels: ``[pixel]`` global ids.
        seed: of truth, clouds and noise.
        cloud: probability that a pixel is hidden from an acquisition, 0 to below 1.
    """
    draws = model.draws(seed, pixels, passes[0].angles)
    states = trajectory(model, sorted({*others, *(a.time for a in passes)}), pixels, draws)
    acquisitions, exact = [], []
    for number, a in enumerate(passes):
        clean = model.observe(states[a.time], a)[:, 0]
        acquisitions.append(seen(model, a, clean, draws, f"{a.sensor} {number}", cloud))
        exact.append(clean)
    return Nature(model, states, acquisitions, exact)


def trajectory(
    model: Model, times: Sequence[float], pixels: Tensor, draws: Draws
) -> dict[float, Tensor]:
    """One draw of the forecaster at each time, ``[pixel, 1, latent]``.

    Forecasters centre their noise over members, so that the mean moves exactly; one member of two
    is a plain draw.
    """
    state = model.initial(times[0], pixels, 2, draws(times[0], "truth"))
    found = {}
    for time in times:
        state = model.forecast(state, time, draws(time, "truth"))
        found[time] = state.ensemble[:, :1]
    return found


def seen(
    model: Model, a: Acquisition, clean: Tensor, draws: Draws, label: str, cloud: float
) -> Acquisition:
    """What an instrument reports of clean values, with the noise of the full R."""
    error = channel_error(a.sensor, model.channels[a.sensor], clean)
    complete = model.error(a._replace(values=clean, error=error)).error
    noisy = clean + complete * draws(a.time, f"noise {label}")(clean.shape)
    if cloud > 0.0:
        covered = draws(a.time, f"cloud {label}")((len(clean), 1)) < NormalDist().inv_cdf(cloud)
        noisy, error = noisy.masked_fill(covered, 0.0), error.masked_fill(covered, torch.inf)
    return a._replace(values=noisy, error=error)
