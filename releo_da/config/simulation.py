"""The nature run of a twin experiment: which truth, through which clouds, by which instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from releo_da.config.assemble import Assembly
from releo_da.config.compared import constant, estimated
from releo_da.config.natures import NATURES, truth_of, years_of
from releo_da.config.twin_pixels import places
from releo_da.config.twin_source import Twin, channels_of, offsets
from releo_da.cycling.draws import Draws
from releo_da.nature.clouds import sky
from releo_da.nature.instrument import Instrument, delivered
from releo_da.observation.bias import Offset
from releo_da.runs.acquire import Deliver, Nature, Simulate, Truth, drawn, hidden, nature, noisy
from releo_da.types import Acquisition


def simulation(
    made: Twin,
    theirs: Assembly,
    looks: Sequence[Acquisition],
    times: Sequence[float],
    seed: int,
    known: Mapping[str, float],
) -> Simulate:
    """The nature run of any pixels.

    Args:
        made: what is simulated.
        theirs: the truth's system where the truth is a draw of a forecaster, else the run's.
        looks: the passes.
        times: at which the truth is wanted beside those of the passes, the start of the run first.
        seed: of truth, clouds and errors.
        known: the biases of the truth, by name.
    """
    truth = _truth(made, theirs, (*times, looks[-1].time), seed, looks[0].angles, known)
    if made.instrument is None:
        deliver = noisy(theirs.model, made.independent)
    else:
        deliver = through(made, made.instrument, seed)

    def simulate(pixels: Tensor) -> Nature:
        return nature(truth, looks, times, pixels, seed, deliver)

    return simulate


def _truth(
    made: Twin,
    theirs: Assembly,
    times: Sequence[float],
    seed: int,
    like: Tensor,
    known: Mapping[str, float],
) -> Truth:
    """What is true: a land, or a draw of a forecaster."""
    if made.nature is None:
        return drawn(theirs.model, estimated(theirs, known), seed, like)
    calendar = years_of((min(times), max(times)))
    provided = {"calendar": calendar, "seed": seed}
    land = NATURES.build(made.nature, "source.twin.nature", provided)
    found = truth_of(land, made.shape, tuple(theirs.model.described), channels_of(made), like)
    return biased(found, offsets(made), known)


def biased(truth: Truth, added: Mapping[str, Sequence[float]], known: Mapping[str, float]) -> Truth:
    """A truth that is seen with biases, which are among its variables where a run estimates them.

    Args:
        truth: seen without.
        added: for each sensor with biases, that of each channel.
        known: the biases that a run estimates, by name.
    """
    rows = {sensor: torch.tensor(row) for sensor, row in added.items()}
    return replace(
        truth,
        decode=lambda states: {**truth.decode(states), **constant(known, states)},
        derive=lambda states, angles: truth.derive(states, angles) | constant(known, states),
        observe=Offset(truth.observe, rows) if rows else truth.observe,
    )


def through(made: Twin, instrument: Instrument, seed: int) -> Deliver:
    """What arrives through clouds and instruments that are no part of a run's errors.

    Args:
        made: with clouds, or the probability of independent ones.
        instrument: its errors.
        seed: of the clouds and of what stands for the whole run.
    """
    channels = channels_of(made)

    def deliver(
        a: Acquisition, clean: Tensor, pixels: Tensor, draws: Draws, label: str
    ) -> Acquisition:
        # By sensor alone, not by place in the schedule: a pass is the same whatever else flies.
        opacity, flagged = _sky(made, a, pixels, draws, a.sensor, seed)
        noise = draws(a.time, f"noise {a.sensor}")(clean.shape)
        values, error = delivered(
            clean.double().cpu().numpy(),
            opacity,
            noise.double().cpu().numpy(),
            a.sensor,
            channels[a.sensor],
            a.time,
            instrument,
            seed,
        )
        hidden = torch.from_numpy(flagged)[:, None].to(clean.device)
        seen, stated = (torch.from_numpy(v).to(clean) for v in (values, error))
        return a._replace(
            values=seen.masked_fill(hidden, 0.0), error=stated.masked_fill(hidden, torch.inf)
        )

    return deliver


def _sky(
    made: Twin, a: Acquisition, pixels: Tensor, draws: Draws, label: str, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Opacity and what the mask flags, ``[pixel]``."""
    if made.clouds is not None:
        row, column = places(pixels.cpu().numpy(), made.shape)
        return sky(seed, a.time, made.spacing * row, made.spacing * column, made.clouds)
    covered = hidden(made.independent, a, len(pixels), draws, label)[:, 0].cpu().numpy()
    return np.zeros(len(pixels)), covered
