r"""What a twin experiment knows of a block of pixels: its truth, and what satellites saw of it.

    x(t)  the truth, at every time that is asked for        `Truth`
    c     H(x(t)), what a perfect instrument would see      `Truth.observe`
    y     what arrives of it                                `Deliver`

A truth is `drawn` from a forecaster (an identical twin, or the twin of another forecaster), or
`prescribed` by a function of time and pixel, such as a crop model, which has variables and none of
our latents. What arrives has by default the noise of the full R, ``y = c + R^1/2 e`` with
``e ~ N(0, I)``, and pixels are hidden by cloud with a given probability (`noisy`).

Everything is a function of seed, pixel ids and time, so that a block is simulated alone, when it is
needed, and memory holds one block. Truth, clouds and noise have a seed of their own, and their
draws labels of their own: even with the seed of its truth a run has no member that is the truth.
Those of clouds and noise name the sensor: a pass is the same whatever else flies.
Shapes: truth ``[pixel, 1, latent]``, where a latent of a prescribed truth is a variable.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.cycling.draws import Draws, block_draws
from releo_da.runs.model import Model
from releo_da.sensors import channel_error
from releo_da.types import Acquisition, ObservationOperator

Decode = Callable[[Tensor], Mapping[str, Tensor]]
"""``decode(states [..., latent])``, physical variables by name, ``[...]`` each."""

Derive = Callable[[Tensor, Tensor], dict[str, Tensor]]
"""``derive(states, angles [pixel, 3])``, output variables by name, ``[pixel, member]`` each."""

Deliver = Callable[[Acquisition, Tensor, Tensor, Draws, str], Acquisition]
"""``deliver(acquisition, clean, pixels, draws, label)``: what arrives of clean values.

``acquisition`` has time, sensor and angles; ``clean [pixel, channel]`` is H of the truth;
``pixels [pixel]`` the global ids; ``label`` tells the acquisitions of one time apart in ``draws``.
What is hidden has the value 0 and infinite error; errors are those that the provider states."""


@dataclass(frozen=True)
class Truth:
    """What a twin experiment asks of a truth.

    Attributes:
        states: ``states(times, pixels)`` gives ``{time: [pixel, 1, latent]}``; times ascend.
        decode: states to those variables that an estimate is compared with.
        derive: states and angles to output variables.
        observe: states and an acquisition to what its sensor would see, ``[pixel, 1, channel]``.
    """

    states: Callable[[Sequence[float], Tensor], dict[float, Tensor]]
    decode: Decode
    derive: Derive
    observe: ObservationOperator


class Nature(NamedTuple):
    """The truth of a block and what was seen of it.

    Attributes:
        truth: what makes variables of its states.
        states: time -> ``[pixel, 1, latent]``.
        acquisitions: in time order, instrument errors only.
        exact: ``[pixel, channel]`` per acquisition, H of the truth.
    """

    truth: Truth
    states: dict[float, Tensor]
    acquisitions: list[Acquisition]
    exact: list[Tensor]


Simulate = Callable[[Tensor], Nature]
"""``simulate(pixels)``: the nature run of some global ids, alone."""


@torch.no_grad()
def nature(
    truth: Truth,
    passes: Sequence[Acquisition],
    others: Iterable[float],
    pixels: Tensor,
    seed: int,
    deliver: Deliver,
) -> Nature:
    """Simulate truth and acquisitions of some pixels.

    Args:
        truth: of any pixel.
        passes: time, sensor and angles of each acquisition, in time order, with one row that holds
            for all pixels, or one per pixel id; values do not matter.
        others: further times at which the truth is wanted.
        pixels: ``[pixel]`` global ids.
        seed: of clouds and noise.
        deliver: what arrives.
    """
    here = [_at(a, pixels) for a in passes]
    draws = block_draws(seed, pixels, here[0].angles)
    states = truth.states(sorted({*others, *(a.time for a in here)}), pixels)
    acquisitions, exact = [], []
    known: Counter[tuple[float, str]] = Counter()
    for a in here:
        clean = truth.observe(states[a.time], a)[:, 0]
        twice = known[a.time, a.sensor]  # not its number in the run: others may fly or not
        known[a.time, a.sensor] += 1
        label = f"{a.sensor} {twice}" if twice else a.sensor
        acquisitions.append(deliver(a, clean, pixels, draws, label))
        exact.append(clean)
    return Nature(truth, states, acquisitions, exact)


def _at(a: Acquisition, pixels: Tensor) -> Acquisition:
    """A pass over some pixels."""
    fields = (a.values, a.error, a.angles)
    rows = [f.expand(len(pixels), -1) if len(f) == 1 else f[pixels] for f in fields]
    return a._replace(values=rows[0], error=rows[1], angles=rows[2])


def drawn(model: Model, decode: Decode, seed: int, like: Tensor) -> Truth:
    """A truth that is one draw of a forecaster, from its initial distribution on.

    Args:
        model: the truth's system.
        decode: its latents to the variables that are compared.
        seed: of the draw.
        like: a tensor whose dtype and device the states take.
    """

    def states(times: Sequence[float], pixels: Tensor) -> dict[float, Tensor]:
        return trajectory(model, times, pixels, model.draws(seed, pixels, like))

    return Truth(states, decode, model.derive, model.observe)


def prescribed(
    variables: Callable[[float, Tensor], Tensor],
    names: Sequence[str],
    derive: Derive,
    observe: ObservationOperator,
) -> Truth:
    """A truth that is a function of time and pixel.

    Args:
        variables: ``variables(time, pixels)`` gives ``[pixel, 1, variable]``.
        names: of the variables.
        derive: variables ``[pixel, member, variable]`` and angles to output variables.
        observe: variables and an acquisition to ``[pixel, 1, channel]``.
    """

    def states(times: Sequence[float], pixels: Tensor) -> dict[float, Tensor]:
        return {time: variables(time, pixels) for time in times}

    def decode(states: Tensor) -> dict[str, Tensor]:
        return dict(zip(names, states.unbind(-1), strict=True))

    return Truth(states, decode, derive, observe)


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


def noisy(model: Model, cloud: float) -> Deliver:
    """Independent clouds, and the noise of the full R.

    Args:
        model: whose R it is, and whose channels.
        cloud: probability that a pixel is hidden from an acquisition, 0 to below 1.
    """

    def deliver(
        a: Acquisition, clean: Tensor, pixels: Tensor, draws: Draws, label: str
    ) -> Acquisition:
        error = channel_error(a.sensor, model.channels[a.sensor], clean)
        complete = model.error(a._replace(values=clean, error=error)).error
        noise = model.errors(draws(a.time, f"noise {label}"))
        values = clean + complete * noise(clean.shape)
        covered = hidden(cloud, a, len(clean), draws, label)
        return a._replace(
            values=values.masked_fill(covered, 0.0), error=error.masked_fill(covered, torch.inf)
        )

    return deliver


def hidden(cloud: float, a: Acquisition, number: int, draws: Draws, label: str) -> Tensor:
    """Which pixels independent clouds hide, ``[pixel, 1]`` bool.

    Args:
        cloud: probability, 0 to below 1.
        a: the acquisition.
        number: of pixels.
        draws: random numbers of the nature run.
        label: of the acquisition.
    """
    limit = NormalDist().inv_cdf(cloud) if cloud else -math.inf
    return draws(a.time, f"cloud {label}")((number, 1)) < limit
