r"""A forecaster whose last latents are slow processes of their own: the biases of sensors.

With b the biases (`releo_da.state.bias`), sigma their prior deviations and tau their time,

    b(t + dt) = phi b(t) + sigma (1 - phi^2)^1/2 e,     phi = exp(-dt / tau),     e ~ N(0, I)

which is exact for any interval; tau infinite is a constant. Everything before them is left to the
forecaster inside, with the same noise as without biases. Cost: B per member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting, centred
from releo_da.dynamics.neural import Neural
from releo_da.dynamics.stepped import Stepped
from releo_da.state.bias import Biases
from releo_da.types import Noise, State

Initial = Callable[[float, Tensor, int, Noise], State]
"""``initial(time, pixels, members, noise)``: the ensemble before any observation."""


class Drifting:
    """Carries the state by one forecaster, and the biases after it as above.

    Args:
        forecaster: of all latents but the biases.
        start: draws those latents before any observation.
        biases: of the run.
    """

    def __init__(
        self,
        forecaster: MeanReverting | Hybrid | Neural | Stepped,
        start: Initial,
        biases: Biases,
    ) -> None:
        self.forecaster, self.start, self.biases = forecaster, start, biases
        self.deviations = torch.tensor(biases.deviations, dtype=torch.float64)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the forecaster inside; a bias has a prior and no parameter."""
        return self.forecaster.named_parameters()

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """The ensemble before any observation, biases beside it."""
        state = self.start(time, pixels, members, noise)
        drawn = centred(noise((len(pixels), members, len(self.biases))))
        biases = drawn * self.deviations.to(drawn)
        return state._replace(ensemble=torch.cat([state.ensemble, biases.to(state.ensemble)], -1))

    def transition(self, interval: float) -> tuple[Tensor, Tensor]:
        """F and Q over an interval, ``[latent, latent]``, of a forecaster that has them."""
        inside: Any = self.forecaster
        f, q = inside.transition(interval)
        kept = self.kept(interval)
        variance = self.deviations.to(q).square() * (1.0 - kept * kept)
        own = kept * torch.eye(len(self.biases), dtype=f.dtype, device=f.device)
        return torch.block_diag(f, own), torch.block_diag(q, torch.diag(variance))

    def kept(self, interval: float) -> float:
        """phi, the share of a bias that is left after an interval."""
        return 0.0 if math.isinf(interval) else math.exp(-interval / self.biases.days)

    def __call__(self, state: State, time: float, noise: Noise) -> State:
        """Carry a state to ``time``; a time equal to the state's returns it unchanged."""
        if time == state.time:
            return state
        number, kept = len(self.biases), self.kept(time - state.time)
        surface, biases = state.ensemble[..., :-number], state.ensemble[..., -number:]
        moved = self.forecaster(state._replace(ensemble=surface), time, noise)
        drawn = centred(noise(biases.shape))
        entering = (1.0 - kept * kept) ** 0.5 * self.deviations.to(drawn) * drawn
        ensemble = torch.cat([moved.ensemble, kept * biases + entering], -1)
        return moved._replace(ensemble=ensemble)
