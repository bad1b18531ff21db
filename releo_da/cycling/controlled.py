r"""A window whose model error is part of what is estimated: the weak constraint.

The standard-normal numbers e_k that the forecaster asks for between t_(k-1) and t_k are appended to
the latents of the start,

    [x_0, e_1, .., e_K]                                  [pixel, member, L + E]

and a forecast that is given its noise is a deterministic function of them. So weak-constraint
4D-Var, and an ensemble smoother with model error, are the scheme they are without: only the prior
is longer, with the identity as the covariance of its new part (`background`).

While the forecaster runs, each member is a pixel of its own, so that one which centres its noise
over members cannot mix them; a single member's noise must reach its state as it is given. How many
numbers the forecaster asks for is found by asking, with one member and noise 0.

Reference: Tremolet (2006), Accounting for an imperfect model in 4D-Var, Q. J. R. Meteorol. Soc.
132, 2483-2504.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor

from releo_da.types import Acquisition, Noise, State, System


class Controlled:
    """The forecasts and operators of one window as functions of state and noise.

    Args:
        state: background at the start.
        acquisitions: in time order, none before the start.
        system: forecast and observe are used.
    """

    def __init__(self, state: State, acquisitions: Sequence[Acquisition], system: System) -> None:
        self.state, self.acquisitions, self.system = state, acquisitions, system
        self.sizes = _noise_sizes(state, acquisitions, system)

    def appended(self, noise: Noise) -> Tensor:
        """The background with noise beside it, ``[pixel, member, latent + noise]``."""
        ensemble = self.state.ensemble
        drawn = noise((*ensemble.shape[:2], sum(self.sizes)))
        return torch.cat([ensemble, drawn - drawn.mean(1, keepdim=True)], -1)

    def observe(self, ensemble: Tensor) -> Tensor:
        """What all acquisitions see, ``[pixel, member, sum of channels]``."""
        repeat = partial(torch.repeat_interleave, repeats=ensemble.shape[1], dim=0)
        seen = [
            self.system.observe(
                s.ensemble,
                a._replace(values=repeat(a.values), error=repeat(a.error), angles=repeat(a.angles)),
            )
            for s, a in zip(self._apart(ensemble), self.acquisitions, strict=True)
        ]
        return torch.cat(seen, -1)[:, 0].unflatten(0, ensemble.shape[:2])

    def through(self, ensemble: Tensor) -> list[State]:
        """States at the acquisitions."""
        return [
            self.state._replace(
                time=s.time, ensemble=s.ensemble[:, 0].unflatten(0, ensemble.shape[:2])
            )
            for s in self._apart(ensemble)
        ]

    def _apart(self, ensemble: Tensor) -> list[State]:
        """The same with every member as a pixel of its own."""
        repeat = partial(torch.repeat_interleave, repeats=ensemble.shape[1], dim=0)
        latents = self.state.ensemble.shape[-1]
        flat = ensemble.flatten(0, 1)[:, None]
        pieces = iter(flat[..., latents:].split(self.sizes, -1))
        held = {name: repeat(kept) for name, kept in self.state.memory.items()}
        state = State(self.state.time, flat[..., :latents], repeat(self.state.pixels), held)
        states = []
        for a in self.acquisitions:
            state = self.system.forecast(
                state, a.time, lambda shape: next(pieces).reshape(tuple(shape))
            )
            states.append(state)
        return states


@torch.no_grad()
def _noise_sizes(state: State, acquisitions: Sequence[Acquisition], system: System) -> list[int]:
    """How many numbers the forecaster asks for, call by call, per pixel of one member."""
    sizes = []

    def noise(shape: Sequence[int]) -> Tensor:
        sizes.append(prod(shape[1:]))
        return state.ensemble.new_zeros(tuple(shape))

    single = state._replace(ensemble=state.ensemble[:, :1])
    for a in acquisitions:
        single = system.forecast(single, a.time, noise)
    return sizes
