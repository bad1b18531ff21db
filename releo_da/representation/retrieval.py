r"""A network that reads variables from one acquisition, with a spread of its own.

    x_v = F_v^-1(Phi(z_v)),    z_v ~ N(m_v(u), s_v(u)^2),    u = (reflectances, cosines of angles)
    (m, log s) = network of u, a linear map beside: [C + 3] -> [width] -> .. -> [2 V]

F_v is the distribution of variable v in the draws that the network was trained on, kept as a table
of quantiles, so that z is standard normal over all of them. Members are quantiles of the normal
through that table: none leaves the range of the draws, and fractions stay fractions. Trained on
draws of the prior through the observation operator with the errors that R holds, by the likelihood

    minimise  mean over draws of  sum_v (z_v - m_v)^2 / (2 s_v^2) + log s_v

so m and s approach mean and spread of the posterior given that acquisition alone (its marginals:
variables are not told together). In the spirit of the biophysical processor of the Sentinel-2
toolbox (Weiss and Baret 2016, S2ToolBox Level 2 products ATBD), whose networks have no spread.

Cost: one small network per pixel and date, about 1 us. The spread by likelihood: Nix and Weigend
1994, doi:10.1109/ICNN.1994.374138.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.special import ndtri

from releo_da.state.transforms import ndtr

LEVELS = torch.linspace(-4.0, 4.0, 257, dtype=torch.float64)
"""Standard-normal coordinates of the tabled quantiles."""

NARROWEST, WIDEST = math.log(1e-3), math.log(10.0)
"""Limits of log s, far outside of what is met."""


class Retrieval(nn.Module):
    """The network with the units of its inputs and the distribution of its variables.

    Args:
        channels: number of reflectances.
        names: of the variables.
        width: neurons per hidden layer.
        depth: hidden layers.
    """

    centre: Tensor
    scale: Tensor
    table: Tensor

    def __init__(self, channels: int, names: tuple[str, ...], width: int, depth: int) -> None:
        super().__init__()
        self.names, inputs = names, channels + 3
        sizes = [inputs, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.deep = nn.Linear(width, 2 * len(names))
        self.direct = nn.Linear(inputs, 2 * len(names), bias=False)
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.register_buffer("table", LEVELS.float().repeat(len(names), 1))

    @torch.no_grad()
    def prepare(self, inputs: Tensor, variables: Tensor, generator: torch.Generator) -> None:
        """Take units and quantiles from draws, and draw the weights that a fit starts from.

        Args:
            inputs: ``[draw, C + 3]``.
            variables: ``[draw, V]``.
            generator: of the first weights.
        """
        self.centre.copy_(inputs.mean(0))
        self.scale.copy_(inputs.std(0).clamp_min(1e-6))
        ordered = variables.double().sort(0).values
        place = ndtr(LEVELS) * (len(ordered) - 1)
        low = place.floor().long().clamp_max(len(ordered) - 2)
        share = (place - low)[:, None]
        table = ordered[low] + share * (ordered[low + 1] - ordered[low])
        table[0], table[-1] = ordered[0], ordered[-1]
        self.table.copy_(table.T)
        for layer in (*self.layers(), self.deep, self.direct):
            limit = layer.in_features**-0.5
            for parameter in layer.parameters():
                parameter.uniform_(-limit, limit, generator=generator)

    def layers(self) -> list[nn.Linear]:
        """The hidden layers, in order."""
        return [layer for layer in self.hidden if isinstance(layer, nn.Linear)]

    def forward(self, inputs: Tensor) -> Tensor:
        """Means and logarithms of spreads of z, ``[n, 2 V]``, of inputs ``[n, C + 3]``."""
        x = (inputs - self.centre) / self.scale
        h = x
        for layer in self.layers():
            h = silu(layer(h))
        return self.deep(h) + self.direct(x)

    def normal(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Means and spreads of z, each ``[n, V]``."""
        mean, logarithm = self(inputs).chunk(2, -1)
        return mean, logarithm.clamp(NARROWEST, WIDEST).exp()

    def encode(self, variables: Tensor) -> Tensor:
        """Coordinates z ``[n, V]`` of values ``[n, V]``; a value beyond all draws is the last."""
        values, table = variables.T.contiguous(), self.table.to(variables)
        high = torch.searchsorted(table, values).clamp(1, len(LEVELS) - 1)
        low, levels = high - 1, LEVELS.to(variables)
        below, above = table.gather(1, low), table.gather(1, high)
        step = (above - below).clamp_min(torch.finfo(values.dtype).tiny)
        share = ((values - below) / step).clamp(0.0, 1.0)
        return (levels[low] + share * (levels[high] - levels[low])).T

    def decode(self, z: Tensor) -> Tensor:
        """Values of coordinates, ``[..., V]``."""
        step = float(LEVELS[1] - LEVELS[0])
        place = ((z - float(LEVELS[0])) / step).clamp(0.0, len(LEVELS) - 1.0)
        low = place.floor().long().clamp_max(len(LEVELS) - 2)
        table = self.table.to(z).T
        below, above = table.gather(0, low.flatten(0, -2)), table.gather(0, low.flatten(0, -2) + 1)
        inside = below + (place - low).flatten(0, -2) * (above - below)
        return inside.reshape(z.shape)

    def members(self, inputs: Tensor, number: int) -> Tensor:
        """Quantiles of what is said, ``[n, member, V]``: the i-th of N is that of i / (N + 1).

        Args:
            inputs: ``[n, C + 3]``.
            number: of members.
        """
        mean, spread = self.normal(inputs)
        levels = torch.arange(1, number + 1, dtype=torch.float64) / (number + 1)
        return self.decode(mean[:, None] + spread[:, None] * ndtri(levels).to(mean)[:, None])


def looked_at(values: Tensor, angles: Tensor) -> Tensor:
    """Inputs ``[n, C + 3]`` of reflectances ``[n, C]`` and angles ``[n, 3]`` in degrees.

    The angles are sun zenith, view zenith and relative azimuth.
    """
    return torch.cat([values, angles.deg2rad().cos().to(values)], -1)


def likelihood(outputs: Tensor, z: Tensor) -> Tensor:
    """Mean over rows of minus the log-density, without its constant.

    Args:
        outputs: of the network, ``[n, 2 V]``.
        z: coordinates of the truth, ``[n, V]``.
    """
    mean, logarithm = outputs.chunk(2, -1)
    logarithm = logarithm.clamp(NARROWEST, WIDEST)
    return (0.5 * ((z - mean) * torch.exp(-logarithm)).square() + logarithm).sum(-1).mean()
