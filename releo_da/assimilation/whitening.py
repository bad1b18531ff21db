r"""Correlated observation errors: a change of channels after which they are independent.

R = D^1/2 C D^1/2 with the variances D of the acquisition (1 / precision) and a correlation C
between channels. With Lo Lo' = C, the channels

    y* = Lo^-1 D^-1/2 y,      H*(x) = Lo^-1 D^-1/2 H(x)

have R* = I, and any scheme for independent errors does the rest. Masks stay exact: before it is
factored, a pixel's C gets the rows and columns of the identity for what was not seen there, so an
unseen channel is 0 after the change as before, mixes with none, and enters with precision 0; what
is left is the factor of the seen channels' own correlation.

Put it inside of what judges channels as they were measured, and tell those that judge several at
once, or the errors themselves, of the same C: ``screened(whitened(etkf, 0.3), correlation=0.3)``. A
configuration does so by itself. Gradients reach C, y, precision and prior.

Cost per pixel: C^3/3 for the factor and N C^2 for each evaluation of H.

Reference: Golub and Van Loan (2013), Matrix Computations, 4th ed., section 6.1 (generalised least
squares); Stewart, Dance and Nichols (2013), Data assimilation with correlated observation errors,
Tellus A 65, 19546.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from releo_da.assimilation.linalg import plus_identity, precision_root, solve_lower
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme

Correlation = float | Sequence[Sequence[float]] | Tensor
"""One number for every pair of channels, or a matrix ``[channel, channel]``."""


def whitened(scheme: Scheme, correlation: Correlation = 0.0) -> Scheme:
    """Use a correlation of the observation errors between channels.

    Args:
        scheme: meets channels with independent errors.
        correlation: one number for every pair of channels, whatever the sensor and also where a
            channel is an index or a variable of others, or a matrix ``[channel, channel]`` in the
            order of the channels.

    Raises:
        InputError: a matrix that is not symmetric with ones on its diagonal and positive definite,
            a number outside [0, 1), or, in use, a matrix for another number of channels.
    """
    given = checked(correlation, "whitened")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        root = precision_root(precision)
        lower = masked_factor(correlation_matrix(given, y), precision > 0)
        raw: list[Tensor] = []

        def white(seen: Tensor) -> Tensor:
            return solve_lower(lower, (seen * root[:, None]).mT).mT

        def observe_white(ensemble: Tensor) -> Tensor:
            seen = observe(ensemble)
            if not raw:  # that of the background comes first
                raw.append(seen)
            return white(seen)

        seen = (precision > 0).to(y)
        result = scheme(prior, observe_white, white(y[:, None])[:, 0], seen, noise, memory)
        used = torch.where(result.precision > 0, precision, 0.0)
        return result._replace(predicted=raw[0], precision=used)

    return analyse


def checked(given: Correlation, who: str) -> float | Tensor:
    """A correlation as a number or a tensor.

    Args:
        given: as a configuration or a caller has it.
        who: takes it, for messages.

    Raises:
        InputError: it is none, see `whitened`.
    """
    correlation = torch.tensor(given, dtype=torch.float64) if isinstance(given, Sequence) else given
    if not isinstance(correlation, Tensor) or correlation.dim() == 0:
        value = correlation.detach() if isinstance(correlation, Tensor) else correlation
        if not 0.0 <= float(value) < 1.0:
            raise InputError(
                f"{who}: correlation must lie in [0, 1), got {float(value):g}; a matrix "
                "may hold negative ones"
            )
        return correlation
    if correlation.dim() != 2 or correlation.shape[0] != correlation.shape[1]:
        raise InputError(
            f"{who}: correlation must be a number or a square matrix, got {[*correlation.shape]}"
        )
    held = correlation.detach()
    sound = torch.equal(held, held.mT) and bool((held.diagonal() - 1.0).abs().max() < 1e-6)
    if not sound or bool(torch.linalg.cholesky_ex(held).info):
        raise InputError(
            f"{who}: the correlation matrix must be symmetric and positive definite with ones on "
            "its diagonal; add a little to the diagonal of its covariance before normalising"
        )
    return correlation


def correlation_matrix(correlation: float | Tensor, y: Tensor) -> Tensor:
    """C for the channels of y, ``[channel, channel]``."""
    channels = y.shape[-1]
    if not isinstance(correlation, Tensor) or correlation.dim() == 0:
        eye = torch.eye(channels, dtype=y.dtype, device=y.device)
        return eye + correlation * (1.0 - eye)
    if channels not in (0, len(correlation)):
        raise InputError(
            f"a correlation of {len(correlation)} channels, but the acquisition has "
            f"{channels}; give one number for all sensors, or use one sensor"
        )
    return correlation[:channels, :channels].to(y)


def masked_correlation(correlation: Tensor, seen: Tensor) -> Tensor:
    """C with the identity for unseen channels, ``[pixel, channel, channel]``.

    Args:
        correlation: C, ``[channel, channel]``.
        seen: ``[pixel, channel]`` bool.
    """
    both = seen[:, :, None] & seen[:, None]
    off = correlation - torch.diag_embed(correlation.diagonal(dim1=-2, dim2=-1))
    return plus_identity(torch.where(both, off, 0.0))


def masked_factor(correlation: Tensor, seen: Tensor) -> Tensor:
    """Lower factor of `masked_correlation`, ``[pixel, channel, channel]``."""
    return torch.linalg.cholesky_ex(masked_correlation(correlation, seen)).L


def coloured(draws: Tensor, correlation: float | Tensor) -> Tensor:
    """Standard-normal draws of errors, ``[..., channel]``, made to go together by C.

    Args:
        draws: independent ones.
        correlation: as `checked` gives it.
    """
    if not isinstance(correlation, Tensor) and correlation == 0.0:
        return draws
    like = draws.new_zeros(draws.shape[-1], dtype=torch.float64)  # a factor near singular holds
    return draws @ torch.linalg.cholesky(correlation_matrix(correlation, like)).mT.to(draws)


def error_factor(correlation: float | Tensor, precision: Tensor) -> Tensor | None:
    """Lower factor of C for those who judge innovations; None where errors are independent.

    Args:
        correlation: as `checked` gives it.
        precision: ``[pixel, channel]``, 0 where not seen.

    Returns:
        ``[pixel, channel, channel]``, the identity for unseen channels.
    """
    if not isinstance(correlation, Tensor) and correlation == 0.0:
        return None
    return masked_factor(correlation_matrix(correlation, precision), precision > 0)


def independent(s: Tensor, d: Tensor, lower: Tensor | None) -> tuple[Tensor, Tensor]:
    """S and d of `linalg` for channels with independent errors: Lo^-1 of `error_factor` applied."""
    if lower is None:
        return s, d
    return solve_lower(lower, s.mT).mT, solve_lower(lower, d[..., None])[..., 0]
