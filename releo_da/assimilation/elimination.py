r"""The gain tables of the ensemble transform filter for many pixels with few channels.

With the symbols of `linalg` the analysis of a pixel needs, of its innovation covariance G = Lo Lo',

    Q = (Lo + I)^-T Lo^-1 S'A   [C, L]          and          Lo^-1 d   [C]

`factored` asks LAPACK for a Cholesky factor and two triangular solves, one pixel after the other.
With ten channels most of a call is not arithmetic. `eliminated` therefore takes one channel after
the other, of all pixels at once: pixels are the last axis, and Gauss eliminates in place,

    [G | S'A | d],  rows k = 0 .. C-1:   row_i -= G_ki / G_kk row_k     (i > k)

which leaves the pivots p_k = Lo_kk^2 and rows that are sqrt(p_k) times those of
[Lo' | Lo^-1 S'A | Lo^-1 d]. Divided by p_k + sqrt(p_k) they are those of (Lo' + I) Q = Lo^-1 S'A
with ones on the diagonal, and C more steps from below give Q. A pixel whose pivots are not all
positive and finite is refused, as by `linalg.factor`, and so is one whose gains are not finite:
its gains are 0.

`gains` takes `eliminated` on a CPU, where no gradient is asked for (it writes in place), for up to
`FEW` channels. On an accelerator, C steps of small kernels are slower than one batched factor. The
choice does not depend on the number of pixels, so that chunks of any size give the same bits.

Cost per pixel: C^2 (C/3 + 2L) multiplications either way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import (
    factor,
    plus_identity,
    refused,
    settled,
    solve_lower,
    solve_lower_transposed,
)

FEW = 12
"""Channels up to which eliminating is faster than LAPACK at 256 pixels."""


def gains(g: Tensor, b: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Q, Lo^-1 d, and which pixels are refused (their Q and Lo^-1 d are 0).

    Args:
        g: S'S, ``[pixel, channel, channel]``; may be overwritten.
        b: S'A, ``[pixel, channel, latent]``.
        d: weighted innovation, ``[pixel, channel]``.

    Returns:
        ``[pixel, channel, latent]``, ``[pixel, channel]`` and ``[pixel]``.
    """
    differentiated = torch.is_grad_enabled() and any(t.requires_grad for t in (g, b, d))
    small = g.shape[-1] <= FEW and g.device.type == "cpu" and not differentiated
    return (eliminated if small else factored)(g, b, d)


def factored(g: Tensor, b: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`gains` by LAPACK, pixel by pixel."""
    lower = factor(g)
    inner = solve_lower(lower, torch.cat([b, d[..., None]], -1))
    q = solve_lower_transposed(plus_identity(lower), inner[..., :-1])
    lost = refused(lower) | ~torch.isfinite(q.sum((1, 2)) + inner[..., -1].sum(1))
    if settled(lost):
        return q, inner[..., -1], lost
    innovation = inner[..., -1].masked_fill(lost[:, None], 0.0)
    return q.masked_fill(lost[:, None, None], 0.0), innovation, lost


def eliminated(g: Tensor, b: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`gains` by elimination, channel by channel."""
    pixels, channels, latents = b.shape
    table = g.new_empty(channels, channels + latents + 1, pixels)
    table.permute(2, 0, 1)[..., :channels] = g
    table.permute(2, 0, 1)[..., channels:-1] = b
    table[:, -1] = d.mT
    pivots = table.diagonal(dim1=0, dim2=1).mT  # [channel, pixel], a view
    pivots += 1.0
    rest = table
    for left in range(channels - 1, 0, -1):
        row, rest = rest[0], rest[1:, 1:]
        rest.addcmul_((row[1 : left + 1] / row[0])[:, None], row[1:], value=-1)
    root = pivots.sqrt()
    inner = table[:, -1] / root
    unit = table[:, :-1] / (pivots + root)[:, None]
    columns, q = unit[:, :channels, None].unbind(1), unit[:, channels:]
    for k in range(channels - 1, 0, -1):
        q[:k].addcmul_(columns[k][:k], q[k], value=-1)
    # What is not finite ends up in the last row of the way down and in the first of the way up.
    whole = (pivots.sum(0) + inner[-1:].sum(0) + q[:1].sum((0, 1))).abs() < torch.inf
    lost = ~((pivots > 0).all(0) & whole)
    if not settled(lost):
        q, inner = q.masked_fill(lost, 0.0), inner.masked_fill(lost, 0.0)
    return q.permute(2, 0, 1).contiguous(), inner.mT, lost
