"""Correlated priors in the unbounded space.

Under the prior the coordinates z of `releo_da.state.transforms` are jointly normal with unit
variances and the correlation matrix C built here from a table of pairs; a prior ensemble is

    z [pixel, member, variable] = noise @ chol(C)'.

A table of pairs need not be positive definite; the nearest correlation matrix is then found by
clipping the eigenvalues and rescaling (Higham 2002, IMA J. Numer. Anal. 22, one projection).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from releo_da.state.variables import CORRELATIONS
from releo_da.types import Noise


def correlation(
    names: Sequence[str], pairs: Mapping[tuple[str, str], float] = CORRELATIONS
) -> Tensor:
    """Correlation matrix of the named variables, ``[variable, variable]`` float64."""
    matrix = torch.eye(len(names), dtype=torch.float64)
    for (a, b), value in pairs.items():
        if a in names and b in names:
            i, j = names.index(a), names.index(b)
            matrix[i, j] = matrix[j, i] = value
    values, vectors = torch.linalg.eigh(matrix)
    if values[0] < 1e-3:
        matrix = vectors @ torch.diag(values.clamp_min(1e-3)) @ vectors.T
        scale = matrix.diagonal().rsqrt()
        matrix = scale[:, None] * matrix * scale
    return matrix


def prior_ensemble(pixels: int, members: int, names: Sequence[str], noise: Noise) -> Tensor:
    """Draws of the prior in unbounded coordinates, ``[pixel, member, variable]``."""
    z = noise((pixels, members, len(names)))
    return z @ torch.linalg.cholesky(correlation(names)).T.to(z)
