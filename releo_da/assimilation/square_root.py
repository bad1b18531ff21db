r"""The symmetric square root of the analysis, with a derivative of its own.

Of all maps T of member space with T T' = (I + SS')^-1 (see `linalg`) the symmetric one moves the
members least (Ott et al. 2004): neighbouring local analyses, whose S differ a little, keep their
members alike, where a triangular root would turn them at will. With f(M) = (M' + M'^1/2)^-1 and
M' = I + M, either of

    T = I - S f(S'S) S'            C x C, for few channels
    T = I - SS' f(SS')             N x N, for more channels than members

is that root, and both are the identity, bit by bit, where nothing was seen.

f is taken of the eigenvalues. The derivative of `torch.linalg.eigh` divides by differences of
eigenvalues, which repeat here (every direction that no channel sees has eigenvalue 0). That of f
does not: with p = (1 + lambda)^1/2 the divided differences of f are

    D_ij = -(p_i + p_j + 1) / ((p_i + p_j) (p_i^2 + p_i) (p_j^2 + p_j))

and dF = V (D o V' dM V) V' is finite wherever M is (Daleckii and Krein 1965).

Cost per pixel: about 9 n^3 for the eigenvectors, n the smaller of N and C, against n^3/3 for the
Cholesky factor of `etkf`; in time 5 to 15 times the plain update.

Reference: Ott et al. (2004), A local ensemble Kalman filter for atmospheric data assimilation,
Tellus A 56, 415-428; Higham (2008), Functions of Matrices, SIAM, section 3.2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, 0 at least, and vectors of symmetric matrices, ``[..., n]`` and ``[..., n, n]``.

    A matrix that is not finite gives NaN for itself; LAPACK would refuse the whole batch. Found in
    float64: in float32 LAPACK now and then finds none where channels see nearly the same, as those
    of neighbouring pixels do, and takes as long up to 24 x 24 (1.6 times as long at 54 x 54).
    """
    sound = torch.isfinite(matrix).all(-1).all(-1)[..., None]
    values, vectors = torch.linalg.eigh(torch.where(sound[..., None], matrix, 0.0).double())
    values, vectors = values.to(matrix), vectors.to(matrix)
    return torch.where(sound, values.clamp(min=0.0), torch.nan), vectors


class _Shrink(torch.autograd.Function):
    """f(M) for a symmetric positive semidefinite M, ``[..., n, n]``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, vectors = eigen(matrix)
        root = (1.0 + values).sqrt()
        f = (vectors / (root.square() + root)[..., None, :]) @ vectors.mT
        return f, root, vectors

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        _, root, vectors = output
        ctx.mark_non_differentiable(root, vectors)
        ctx.save_for_backward(root, vectors)
        ctx.save_for_forward(root, vectors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Tensor:
        return _derivative((grad + grad.mT) / 2.0, *ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> tuple[Tensor, None, None]:
        return _derivative((tangent + tangent.mT) / 2.0, *ctx.saved_tensors), None, None


def _derivative(change: Tensor, root: Tensor, vectors: Tensor) -> Tensor:
    """V (D o V' dM V) V'; D is symmetric, so it serves both directions of differentiation."""
    own = root.square() + root
    both = root[..., :, None] + root[..., None, :]
    divided = -(both + 1.0) / (both * own[..., :, None] * own[..., None, :])
    return vectors @ (divided * (vectors.mT @ change @ vectors)) @ vectors.mT


def shrink(matrix: Tensor) -> Tensor:
    """f(M) = (I + M + (I + M)^1/2)^-1 of symmetric positive semidefinite M, ``[..., n, n]``.

    Differentiable once, forwards or backwards, also where eigenvalues repeat.
    """
    f: Tensor = _Shrink.apply(matrix)[0]
    return f


def symmetric_contraction(s: Tensor) -> Tensor:
    """T - I of the symmetric square root, ``[pixel, member, member]``.

    Args:
        s: weighted anomalies (see `linalg`), ``[pixel, member, channel]``.
    """
    if s.shape[-1] < s.shape[-2]:
        return -s @ shrink(s.mT @ s) @ s.mT
    gram = s @ s.mT
    return -gram @ shrink(gram)


def contraction(z: Tensor, s: Tensor) -> Tensor:
    """Z (T - I) with the symmetric square root T, without T itself where channels are few.

    Linear in the number of members then, in time and memory; T has its square.

    Args:
        z: ``[pixel, n, member]``.
        s: weighted anomalies, ``[pixel, member, channel]``.
    """
    if s.shape[-1] < s.shape[-2]:
        return -(z @ s) @ shrink(s.mT @ s) @ s.mT
    return z @ symmetric_contraction(s)


def contracted(z: Tensor, s: Tensor) -> Tensor:
    """Z T with the symmetric square root T; arguments of `contraction`."""
    return z + contraction(z, s)
