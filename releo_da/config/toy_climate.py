"""What a toy model supplies to schemes beside its forecasts: places and a climatology."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from releo_da.assimilation.tapers import Places
from releo_da.config.document import Document
from releo_da.config.schemes import layers_of
from releo_da.config.toy_source import ToySource
from releo_da.cycling.draws import block_draws
from releo_da.dynamics.lorenz96 import Lorenz96
from releo_da.dynamics.quadratic_ring import QuadraticRing
from releo_da.state.bias import Biases
from releo_da.types import State

RUNS, SPIN_UP, SAMPLES, EVERY = 64, 1000, 100, 10
"""Free runs of a climatology, model steps before they count, states of each, steps between."""


def supplied(document: Document, made: ToySource, biases: Biases | None = None) -> dict[str, Any]:
    """Arguments of schemes that the program gives; the climatology only where one is asked for.

    A bias lies where the component is whose observations have it, and is independent of the rest.
    """
    layers = [layer for layer in layers_of(document) if isinstance(layer, dict)]
    static = any(layer.get("background") in ("static", "hybrid") for layer in layers)
    own = [] if biases is None else [s * s for s in biases.deviations]
    climate = {}
    if static:
        found = climatology_of(made)
        climate = {"climatology": torch.block_diag(found, torch.diag(found.new_tensor(own)))}
    return {"places": places_of(made, () if biases is None else biases.channels), **climate}


def places_of(made: ToySource, biased: Sequence[str] = ()) -> Places:
    """Where components and channels lie for localization: along a line, or Lorenz's ring.

    Args:
        made: the toy model.
        biased: channels whose bias comes after the components.
    """

    def along(positions: Sequence[int]) -> Tensor:
        return torch.tensor(positions, dtype=torch.float64)[:, None]

    size = torch.tensor([float(made.truth.size)], dtype=torch.float64)
    ring = size if isinstance(made.truth.step, Lorenz96 | QuadraticRing) else None
    behind = [made.network[made.channels.index(channel)] for channel in biased]
    return Places(along([*range(made.truth.size), *behind]), along(made.network), ring, len(behind))


@torch.no_grad()
def climatology_of(made: ToySource) -> Tensor:
    """Covariance of the model's states, of free runs, ``[latent, latent]`` float64."""
    model, dt = made.truth, made.truth.dt
    spread = torch.tensor(made.initial.variance, dtype=torch.float64).sqrt()
    draws = block_draws(0, torch.zeros(1, dtype=torch.int64), spread)
    start = draws(0.0, "climatology")((1, RUNS, model.size))
    mean = torch.tensor(made.initial.mean, dtype=torch.float64)
    state = State(0.0, mean + spread * start, torch.zeros(1, dtype=torch.int64))
    state = model(state, SPIN_UP * dt, draws(0.0, "forecast"))
    held = []
    for sample in range(1, SAMPLES + 1):
        time = (SPIN_UP + sample * EVERY) * dt
        state = model(state, time, draws(time, "forecast"))
        held.append(state.ensemble[0])
    return torch.cat(held).T.cov()
