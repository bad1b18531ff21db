r"""The regularised particle filter: Bayes' rule by weights, without Gaussian or linear assumptions.

Members are draws of the background. The likelihood gives them weights

    w_i = exp(-|R^-1/2 (y - H(x_i))|^2 / 2), normalised                               [N]

and the analysis draws members anew, member i as often as its weight says (systematic resampling:
one uniform number and N equal strides). Copies are spread by a kernel of the covariance that the
weights give,

    x_i <- x_j(i) + h Lo e_i,    h = reg N^(-1/(L+4)),    Lo Lo' = weighted covariance of x

with e_i standard normal; the first copy of each member stays where it is. So members are always
equally weighted, as all that reads a state supposes.

A reference for small states: the number of members that it needs grows exponentially with what the
observations determine, and where no member comes near them, all copies are of one. `multiple`
around it takes the likelihood in parts and moves the copies in between. Resampling has no
derivative: neither has this scheme. Cost per pixel: N (C + L^2).

Reference: Musso, Oudjane and Le Gland (2001), Improving regularised particle filters, in Sequential
Monte Carlo Methods in Practice, Springer; Kitagawa (1996), J. Comput. Graph. Stat. 5, 1-25
(systematic resampling); van Leeuwen et al. (2019), Q. J. R. Meteorol. Soc. 145, 2335-2365.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import acted, check_members, precision_root
from releo_da.types import Analysis, InputError, Noise, Observe


@torch.no_grad()
def particle(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    reg: float = 0.9,
) -> Analysis:
    """Regularised particle filter with systematic resampling (Musso et al. 2001).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: gives the resampling's uniform number and the kernel's draws.
        memory: returned as it is.
        reg: width of the kernel in units of Scott's rule; 0 copies members as they are.

    Raises:
        InputError: a negative ``reg``.
        ValueError: fewer than two members.
    """
    if reg < 0.0:
        raise InputError(f"particle: reg must not be negative, got {reg}")
    check_members(prior.shape[1])
    predicted = observe(prior)
    misfit = (y[:, None] - predicted) * precision_root(precision)[:, None]
    weights = (-0.5 * misfit.square().sum(-1)).softmax(-1)
    uniform = torch.special.ndtr(noise((len(prior), 1, 1)))[..., 0]
    drawn = resampled(prior, weights, systematic(weights, uniform), reg, noise(prior.shape))
    ensemble = torch.where(acted(precision), drawn, prior)
    return Analysis(ensemble, predicted, precision, memory)


def systematic(weights: Tensor, uniform: Tensor) -> Tensor:
    """Which member each new one copies, in ascending order, ``[pixel, member]`` int64.

    Args:
        weights: ``[pixel, member]``, sum 1.
        uniform: ``[pixel, 1]`` in [0, 1]: where the strides begin.
    """
    members = weights.shape[-1]
    steps = torch.arange(members, dtype=weights.dtype, device=weights.device)
    total = weights.cumsum(-1)
    found = torch.searchsorted(total.contiguous(), ((steps + uniform) / members).contiguous())
    return found.clamp(max=members - 1)  # rounding may leave the last sum below 1


def resampled(prior: Tensor, weights: Tensor, chosen: Tensor, reg: float, draws: Tensor) -> Tensor:
    """The chosen members, copies spread by the kernel, ``[pixel, member, latent]``."""
    members, latents = prior.shape[1:]
    taken = prior.gather(1, chosen[..., None].expand(-1, -1, latents))
    centred = prior - (weights[..., None] * prior).sum(1, keepdim=True)
    covariance = (weights[..., None] * centred).mT @ centred
    unbiased = 1.0 / (1.0 - weights.square().sum(-1)).clamp(min=1.0 / members)
    width = reg * members ** (-1.0 / (latents + 4))
    root = _root(covariance * unbiased[:, None, None])
    copy = torch.cat([torch.zeros_like(chosen[:, :1]), chosen.diff(dim=-1) == 0], -1) > 0
    return taken + copy[..., None] * width * (draws @ root.mT)


def _root(covariance: Tensor) -> Tensor:
    """A lower factor of covariances, safe where a latent has no spread."""
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    ridge = 1e-6 * variance + torch.finfo(variance.dtype).tiny ** 0.5
    return torch.linalg.cholesky_ex(covariance + torch.diag_embed(ridge)).L
