r"""The ensemble before the first assimilated observation, told by what was seen earlier.

The posterior q = N(mu, F F') of the coordinates y = E x of the V variables holds at the first date;
the forecaster's own law of all L latents there is N(m, S). With x a draw of that law and y' one of
q,

    x' = x + K (y' - E x),    K = S E' (E S E')^-1                     [pixel, member, latent]

has coordinates that follow q exactly, and all else (velocities, rough parts, residuals) follows the
forecaster's law given these coordinates. A pixel of which nothing was seen keeps x. Draws of y' are
centred over members, so the mean of the ensemble is that of q. Cost: L V per member.

Reference: Journel and Huijbregts (1978), Mining Geostatistics, section VII.A.1 (conditioning by
kriging).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.representation.encoder import Encodes, in_blocks
from releo_da.representation.posterior import Posterior
from releo_da.representation.tokens import Tokens
from releo_da.types import Noise, State

Initial = Callable[[float, Tensor, int, Noise], State]
"""``initial(time, pixels, members, noise)``: the ensemble before any observation."""


class Start(NamedTuple):
    """What earlier acquisitions say of pixels at one date.

    Attributes:
        time: days since 1970-01-01; nothing later was looked at.
        pixels: ``[P]`` int64, global ids, ascending, of which something was seen.
        mean: ``[P, V]``.
        factor: ``[P, V, V]``.
    """

    time: float
    pixels: Tensor
    mean: Tensor
    factor: Tensor


def start_of(
    encoder: Encodes, tokens: Tokens, pixels: Tensor, time: float, statics: Tensor | None = None
) -> Start:
    """The posterior at a date of all pixels of which something was seen.

    Args:
        encoder: with its weights.
        tokens: of acquisitions before the date.
        pixels: ``[P]`` global ids of the tokens' pixels.
        time: the date (days).
        statics: ``[P, S]`` of the pixels.

    Raises:
        ValueError: an acquisition is not before the date.
    """
    if bool((tokens.time >= time).any()):
        raise ValueError(f"an acquisition at {float(tokens.time.max())} is not before {time}")
    with torch.no_grad():
        at = torch.tensor([time], dtype=torch.float64)
        posterior = in_blocks(encoder, tokens, at, statics).posterior
    seen = tokens.seen.flatten(1).any(1).cpu()
    order = torch.argsort(pixels)
    rows = order[seen[order]]
    mean, factor = posterior.mean[:, 0].cpu()[rows], posterior.factor[:, 0].cpu()[rows]
    return Start(time, pixels[rows], mean, factor)


class Encoded:
    """`Initial` of a forecaster, told by earlier acquisitions.

    It holds up to the date of the start. An ensemble that is asked for later (of a pixel that joins
    a run or is begun again) is the forecaster's own.

    Args:
        initial: the forecaster's own.
        start: the posterior at the first date.
        selection: ``[V, L]``, E.
        covariance: ``[L, L]``, S, of the forecaster's own law.
    """

    def __init__(
        self, initial: Initial, start: Start, selection: Tensor, covariance: Tensor
    ) -> None:
        self.initial, self.start = initial, start
        self.selection = selection.double()
        cross = covariance.double() @ self.selection.mT
        self.gain = torch.linalg.solve(self.selection @ cross, cross.mT).mT

    def __call__(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """The ensemble at a date."""
        state = self.initial(time, pixels, members, noise)
        if time > self.start.time or not len(self.start.pixels):
            return state
        ids = pixels.cpu()
        place = torch.searchsorted(self.start.pixels, ids).clamp_max(len(self.start.pixels) - 1)
        known = (self.start.pixels[place] == ids).to(state.ensemble.device)
        like = state.ensemble
        standard = noise((len(pixels), members, self.start.mean.shape[-1]))
        if members > 1:
            standard = standard - standard.mean(1, keepdim=True)
            standard = standard * math.sqrt(members / (members - 1))
        told = Posterior(self.start.mean[place].to(like), self.start.factor[place].to(like))
        change = told.sample(standard.to(like)) - like @ self.selection.mT.to(like)
        moved = like + change @ self.gain.mT.to(like)
        ensemble = torch.where(known[:, None, None], moved, like)
        return state._replace(ensemble=ensemble)
