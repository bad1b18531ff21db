r"""The network of the learned forecaster: a small one, linear beside, of bounded outputs.

    a = tanh(u W + b)                                    u  [.., inputs],  a [.., hidden]
    raw = s (u A + a B + c)                              A, B, c in units of their prior sd s
    f = 3 tanh(raw_f / 3)        |f| < 3                 where the process returns to, in its sigma
    g = log 3 tanh(raw_g/log 3)  1/3 < exp(g) < 3        factor of its noise
    m = 3 tanh((u A' + a B' + c') / 3)                   what memory returns to

A, B and c start at 0, so f and g do; the linear path A makes what is nearly linear, the pull of one
variable on another, cheap to learn. What memory holds would stay noise if its part started at 0 as
well, and no gradient would ever reach what reads it: A' and B' start at random. The bounds are
smooth, so a gradient is left everywhere, and hold for any input: no state sends a member away.

Cost: (inputs + outputs) hidden + inputs outputs multiplications per member and step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from releo_da.state.layout import Layout

FARTHEST = 3.0
"""Deviations of the process by which the point that it returns to can move."""

LOG_NOISIEST = math.log(3.0)
"""Logarithm of the greatest factor of its noise; the least is the inverse."""


def bounded(raw: Tensor, bound: float) -> Tensor:
    """A smooth function with slope 1 at 0 and values within +- ``bound``."""
    return bound * torch.tanh(raw / bound)


def of_latents(factors: Tensor, layout: Layout) -> Tensor:
    """Factors of the noise of every latent that sensors see, from those of variables.

    Args:
        factors: ``[.., variable]``.
        layout: of the latents; those of places and residuals have the factor 1.
    """
    processes = 1 + layout.velocities + layout.rough
    rest = layout.seen - processes * len(layout.names)
    return pad(torch.cat([factors] * processes, -1), (0, rest), value=1.0)


class Network(nn.Module):
    """Outputs ``[.., drift + spread + recall]`` of inputs ``[.., inputs]``.

    Args:
        inputs: their number.
        drift: number of f; 0 for none.
        spread: number of g; 0 for none.
        recall: number of memory latents.
        hidden: width of the hidden layer.
        looseness: s, prior standard deviation of the weights of f and g.
        generator: of the weights that do not start at 0.
    """

    def __init__(
        self,
        inputs: int,
        drift: int,
        spread: int,
        recall: int,
        hidden: int,
        looseness: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        double = torch.float64
        self.sizes, self.looseness = (drift, spread), looseness
        self.inputs = inputs

        def drawn(rows: int, columns: int) -> Tensor:
            weights = torch.randn(rows, columns, generator=generator, dtype=double)
            return weights / math.sqrt(max(rows, 1))

        self.first = nn.Parameter(drawn(inputs, hidden))
        self.first_bias = nn.Parameter(torch.zeros(hidden, dtype=double))
        rows = inputs + hidden + 1
        self.last = nn.Parameter(torch.zeros(rows, drift + spread, dtype=double))
        self.recall = nn.Parameter(drawn(rows, recall))

    @property
    def speaks(self) -> bool:
        """Whether there is anything that it says of the motion."""
        return any(self.sizes)

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Drift f ``[.., drift]``, g ``[.., spread]``, m ``[.., recall]`` of u ``[.., inputs]``."""
        last = torch.cat([self.looseness * self.last, self.recall], 1).to(u)
        a = torch.tanh(torch.addmm(self.first_bias.to(u), u.flatten(0, -2), self.first.to(u)))
        raw = torch.addmm(last[-1], u.flatten(0, -2), last[: self.inputs])
        raw = (raw + a @ last[self.inputs : -1]).unflatten(0, u.shape[:-1])
        drift, spread = self.sizes
        f, g, m = raw.split([drift, spread, raw.shape[-1] - drift - spread], -1)
        return bounded(f, FARTHEST), bounded(g, LOG_NOISIEST), bounded(m, FARTHEST)
