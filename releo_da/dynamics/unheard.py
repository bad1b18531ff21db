"""Pixels that a forecaster carries as if there were no weather.

A forecaster that was only ever fitted under weather has met no run without: what its network says
there is unknown. A fit hides the weather from some pixels, others in each pass: the mark goes along
with the state, in its memory, and a forecaster under weather reads it there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.types import Noise, State

UNHEARD = "weather_unheard"
"""Name in the memory of a state: ``[pixel]``, 1 where weather is not heard, 0 where it is."""


def unheard(state: State, share: float, noise: Noise) -> State:
    """A state of which some pixels hear no weather from now on.

    Args:
        state: before any observation.
        share: probability of each pixel; 0 leaves the state as it is.
        noise: standard normal, decides which.
    """
    if share <= 0.0:
        return state
    below = 0.5 * (1.0 + torch.erf(noise((len(state.pixels),)) / math.sqrt(2.0))) < share
    return state._replace(memory={**state.memory, UNHEARD: below.to(state.ensemble)})


def heard(state: State) -> Tensor:
    """What departures of weather count at each pixel, ``[pixel, 1]`` float64: 1 or 0."""
    held = state.memory.get(UNHEARD)
    if held is None:
        return torch.ones((len(state.pixels), 1), dtype=torch.float64, device=state.ensemble.device)
    return 1.0 - held.double()[:, None]
