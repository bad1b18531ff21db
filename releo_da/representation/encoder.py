r"""The encoder: an irregular series of any sensors becomes a posterior of the state at any dates.

    channel        u_c = silu(a(w_c) y_c + b(w_c) log y_c + e(w_c) log error_c + o(w_c) + angles)
    acquisition    h   = MLP(mean over seen channels of u_c, how many, season)             [P, A, D]
    query date     x_t = season(t) + statics;  twice: attention to h, MLP                  [P, T, D]
    posterior      mean = G g m(x_t),   F = G M,   M_ii = exp(g d_i),  M_ij = g o_ij       i > j

a, b, e, o are smooth functions of wavelength and width, so channels of a sensor that was never
trained on are read as what lies between those that were. G is the factor of the prior, N(0, G G'),
of `releo_da.state.prior`; behind the V coordinates of the state come the K modes of the discrepancy
(`releo_da.representation.discrepancy`), independent under the prior. F is lower triangular, so its
leading block is the factor of the state alone. The evidence g = W / (1 + W), with W the weight that
attention has found, is 0 where nothing was seen, and then the posterior is the prior, to the last
bit; it goes to 0 where all that was seen is long ago. The last layer starts at 0: training starts
from the prior.

A query date sees acquisitions and no other query, so what is said of a date does not depend on
which others are asked for. Everything else about order, duplicates, masks and blocks is exact as
well: `releo_da.representation.tokens`, `.attention`, and `in_blocks`.

Cost: linear in pixels; per pixel A C D for channels, A D^2 and T D^2 for layers, T A D to attend.
With the default width 2 to 3 ms of a core for 100 acquisitions and 70 dates, 136,000 parameters.

References: Garnelo et al. (2018), Conditional neural processes, ICML (encoding of sets, any query);
Kingma and Welling (2014), Auto-encoding variational Bayes, ICLR (amortised posterior).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from releo_da.representation.attention import Attention
from releo_da.representation.features import (
    ANGLE_SIZE,
    SEASON_SIZE,
    WAVE_SIZE,
    angle_features,
    season_features,
    wave_features,
)
from releo_da.representation.posterior import Posterior, prior_of
from releo_da.representation.products import in_order
from releo_da.representation.statics import SIZE, statics_of
from releo_da.representation.tokens import Tokens

ROWS = 64
"""Pixels that are encoded at once. Matrix products and vector instructions round by the shape of
what they are given: with one shape for all, a pixel's results do not depend on those beside it."""

NARROWEST = 4.0
"""Bound of the logarithm by which a deviation may differ from the prior's."""

DARK = 0.02
"""Reflectance that is added under the logarithm."""

NOISE = 0.02
"""Error (reflectance) whose logarithm is 0."""


class Encoded(NamedTuple):
    """What the encoder says of pixels at dates.

    Attributes:
        joint: of the coordinates and the modes of the discrepancy, mean ``[P, T, V + K]``.
        embedding: ``[P, T, D]``, the vector that the posterior is read from, times the evidence; 0
            where nothing was seen.
        evidence: ``[P, T]`` from 0, nothing, to 1.
        variables: V; None where there are no modes.
    """

    joint: Posterior
    embedding: Tensor
    evidence: Tensor
    variables: int | None = None

    @property
    def posterior(self) -> Posterior:
        """Of the coordinates of the state alone, mean ``[P, T, V]``."""
        return self.joint if self.variables is None else self.joint.leading(self.variables)


class Encodes(Protocol):
    """Whatever says of pixels at dates what the state was; `releo_da.representation.laws` it obeys.

    Attributes:
        names: of the V variables, in the order of the state.
    """

    names: tuple[str, ...]

    def encode(self, tokens: Tokens, times: Tensor, statics: Tensor | None = None) -> Encoded:
        """Posterior, embedding and evidence of ``[P]`` pixels at ``[T]`` dates."""
        ...


class Block(nn.Module):
    """x + MLP(norm(x)).

    Args:
        width: of x.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., D] -> [..., D]``."""
        changed: Tensor = self.down(silu(self.up(self.norm(x))))
        return x + changed


class Encoder(nn.Module):
    """Amortised posterior of the state.

    Args:
        names: of the V variables, in the order of the state.
        width: D, a multiple of the heads.
        heads: of attention.
        layers: of attention.
        waves: width of the network of wavelengths.
        modes: K, of the discrepancy.
    """

    prior_factor: Tensor

    def __init__(
        self,
        names: Sequence[str],
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        waves: int = 48,
        modes: int = 5,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.sizes = {
            "width": width, "heads": heads, "layers": layers, "waves": waves, "modes": modes
        }  # fmt: skip
        size = len(self.names) + modes
        self.wave_in = nn.Linear(WAVE_SIZE, waves)
        self.wave_out = nn.Linear(waves, 4 * width)
        self.geometry = nn.Linear(ANGLE_SIZE, width, bias=False)
        self.channels = nn.Linear(width, width)
        self.number = nn.Linear(1, width, bias=False)
        self.season = nn.Linear(SEASON_SIZE, width)
        self.acquisition = nn.Sequential(Block(width), Block(width), nn.LayerNorm(width))
        self.asked = nn.Linear(SEASON_SIZE, width)
        self.place = nn.Linear(SIZE, width, bias=False)
        self.attention = nn.ModuleList(Attention(width, heads) for _ in range(layers))
        self.before = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.after = nn.ModuleList(Block(width) for _ in range(layers))
        self.last = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width)
        self.head = nn.Linear(width, size + size * (size + 1) // 2)
        for parameter in (self.head.weight, self.head.bias, self.place.weight):
            nn.init.zeros_(parameter)  # a field that training never knew says nothing later
        factor = prior_of(self.names, modes=modes).factor.to(torch.get_default_dtype())
        self.register_buffer("prior_factor", factor, persistent=False)

    def forward(self, tokens: Tokens, times: Tensor, statics: Tensor | None = None) -> Posterior:
        """The posterior of state and discrepancy at some dates.

        Args:
            tokens: of P pixels.
            times: ``[T]`` days since 1970-01-01.
            statics: ``[P, S]`` of `releo_da.representation.statics`; None where none are known.

        Returns:
            Mean ``[P, T, V + K]`` and factor ``[P, T, V + K, V + K]``.
        """
        return self.encode(tokens, times, statics).joint

    def encode(self, tokens: Tokens, times: Tensor, statics: Tensor | None = None) -> Encoded:
        """Posterior, embedding and evidence at some dates; arguments as of `forward`."""
        if statics is None:
            statics = statics_of(len(tokens.value), {}, tokens.value)
        times = times.to(tokens.time)
        seen = tokens.seen.any(-1).to(tokens.value)
        acquisitions = self.acquisitions(tokens)
        lag = times[:, None] - tokens.time
        x = self._alone(self.asked, season_features(times), statics) + self.place(statics)[:, None]
        weight = x.new_zeros(x.shape[:2])
        for attend, norm, then in zip(self.attention, self.before, self.after, strict=True):
            taken, weight = attend(norm(x), acquisitions, seen, lag)
            x = then(x + taken)
        evidence = weight / (1.0 + weight)
        x = self.last(x)
        return Encoded(
            self._posterior(self.head(silu(self.hidden(x))), evidence),
            x * evidence[..., None],
            evidence,
            len(self.names),
        )

    def acquisitions(self, tokens: Tokens) -> Tensor:
        """What each acquisition says, ``[P, A, D]``; of no meaning where nothing was seen."""
        value, seen = tokens.value, tokens.seen
        number = seen.sum(-1, keepdim=True).to(value)
        error = torch.where(seen, tokens.error, NOISE)
        bright = torch.log(value.clamp_min(0.0) + DARK) / 2.0 + 1.0
        noise = (torch.log(error.clamp_min(1e-6) / NOISE)).clamp(-5.0, 5.0) / 2.0
        by_wave = self._waves(tokens.wavelength, tokens.width).to(value)
        geometry = self.geometry(angle_features(tokens.angles))
        total = torch.zeros_like(geometry)
        for c in range(value.shape[-1]):
            linear, curved, trusted, offset = by_wave[:, c].unbind(1)
            u = value[..., c, None] * linear + bright[..., c, None] * curved
            u = u + noise[..., c, None] * trusted + offset + geometry
            total = total + silu(u) * seen[..., c, None]
        mean = total / number.clamp_min(1.0)
        season = self._alone(self.season, season_features(tokens.time), value)
        h = self.channels(mean) + self.number(torch.log1p(number) / 2.0) + season
        encoded: Tensor = self.acquisition(h)
        return encoded

    def _waves(self, wavelength: Tensor, width: Tensor) -> Tensor:
        """Coefficients of each channel, ``[A, C, 4, D]`` float64."""
        hidden = silu(_doubled(self.wave_in, wave_features(wavelength, width)))
        return _doubled(self.wave_out, hidden).unflatten(-1, (4, -1))

    @staticmethod
    def _alone(layer: nn.Linear, features: Tensor, like: Tensor) -> Tensor:
        """A layer over what belongs to no pixel, in float64 and rounded once."""
        return _doubled(layer, features).to(like)

    def _posterior(self, raw: Tensor, evidence: Tensor) -> Posterior:
        """The posterior that the head means, ``raw [P, T, S + S (S + 1) / 2]``, S = V + K."""
        size = self.prior_factor.shape[-1]
        mean, scales, rest = raw.split([size, size, size * (size - 1) // 2], -1)
        g = evidence[..., None]
        scales = NARROWEST * torch.tanh(scales / NARROWEST)
        change = torch.diag_embed(torch.exp(g * scales))
        row, column = torch.tril_indices(size, size, -1, device=raw.device)
        change[..., row, column] = g * rest
        factor = self.prior_factor.to(raw)
        if self.training:
            return Posterior((g * mean) @ factor.mT, factor @ change)
        centre = in_order(factor, (g * mean)[..., None])[..., 0]
        return Posterior(centre, in_order(factor, change))


def _doubled(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer in float64."""
    return nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double())


def in_blocks(
    encoder: Encodes, tokens: Tokens, times: Tensor, statics: Tensor | None = None
) -> Encoded:
    """As `Encoder.encode`, `ROWS` pixels at a time.

    What it gives of a pixel is the same to the last bit (on one thread of a CPU) whichever pixels
    stand beside it, so chunks of any size give the same results.
    """
    parts = [
        encoder.encode(tokens.of(rows), times, None if statics is None else statics[rows])
        for rows in rows_of(len(tokens.value), tokens.value.device)
    ]
    tensors = [(*part.joint, part.embedding, part.evidence) for part in parts]
    joined = [torch.cat(same)[: len(tokens.value)] for same in zip(*tensors, strict=True)]
    return Encoded(Posterior(joined[0], joined[1]), joined[2], joined[3], parts[0].variables)


def rows_of(pixels: int, device: torch.device | str = "cpu") -> list[Tensor]:
    """Pixels in blocks of `ROWS`, the last one filled up with the last pixel, ``[ROWS]`` each."""
    starts = range(0, pixels, ROWS)
    return [torch.arange(k, k + ROWS, device=device).clamp_max(pixels - 1) for k in starts]
