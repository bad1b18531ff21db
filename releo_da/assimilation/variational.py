r"""Variational analysis: the most probable state, by automatic differentiation.

3D-Var and strong- and weak-constraint 4D-Var are one scheme, and what `observe` is makes the
difference: an operator at one time, a window of forecasts and operators, or a window that has the
model's noise among its latents (`releo_da.cycling.window`). In the control v of `background`,

    J(v) = |v|^2 / 2 + |R^-1/2 (y - H(mean + U'v))|^2 / 2                            v: [k]

is minimised per pixel by Gauss-Newton with inner conjugate gradients or by L-BFGS (`minimise`).
The spread about the minimum is one of

    hessian     cov = U'(I + SS')^-1 U with S = R^-1/2 dH/dv there, the inverse of the Gauss-Newton
                Hessian. With an ensemble background each member keeps its place, Z T U; with a
                static part the members are draws of it.
    perturbed   every member minimises with its own background and its own perturbed observations
                (randomised maximum likelihood, an ensemble of data assimilations)

Both are exact if H is linear. For `iterated` and `ienks` sensitivities come from the members, over
their spread; here from derivatives, at a point. So `observe` must be differentiable, and where H
has kinks or plateaus the ensemble's slopes are the better ones.

Cost in evaluations of H for one state: per linearisation 1 + 3 ``inner``, and 2 k at the end for
``hessian``; ``perturbed`` N times as much per linearisation and nothing at the end.

Reference: Courtier, Thepaut and Hollingsworth (1994), A strategy for operational implementation of
4D-Var, Q. J. R. Meteorol. Soc. 120, 1367-1387; Tremolet (2006), Q. J. R. Meteorol. Soc. 132,
2483-2504; Bardsley, Solonen, Haario and Laine (2014), Randomize-then-optimize, SIAM J. Sci. Comput.
36, A1895-A1910.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from releo_da.assimilation.background import Background, Kind, climatological_root
from releo_da.assimilation.background import background as background_of
from releo_da.assimilation.implicit import attached
from releo_da.assimilation.linalg import acted, anomalies, precision_root
from releo_da.assimilation.minimise import Residual, gauss_newton, lbfgs
from releo_da.assimilation.square_root import contracted
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme

ITERATIONS = {"gauss_newton": 5, "lbfgs": 50}
"""Iterations by minimiser; an L-BFGS step learns one direction of the Hessian, of k at most."""


def variational(
    climatology: Tensor | None = None,
    background: Kind = "ensemble",
    scale: float = 1.0,
    share: float = 0.5,
    minimiser: Literal["gauss_newton", "lbfgs"] = "gauss_newton",
    iterations: int | None = None,
    inner: int = 20,
    tolerance: float = 1e-3,
    spread: Literal["hessian", "perturbed"] = "hessian",
) -> Scheme:
    """3D-Var, or 4D-Var over a window (Courtier et al. 1994).

    Args:
        climatology: covariance of the states, ``[latent, latent]``.
        background: ``ensemble``, ``static`` (the climatology) or ``hybrid`` of both.
        scale: of the climatology as a background covariance.
        share: of the static part in a hybrid.
        minimiser: ``gauss_newton`` or ``lbfgs``.
        iterations: linearisations of Gauss-Newton (None: 5), or steps of L-BFGS (None: 50).
        inner: conjugate gradient steps in each linearisation.
        tolerance: a pixel is done when its state moves less than this many background spreads
            (L-BFGS: when its gradient is shorter).
        spread: ``hessian`` or ``perturbed``.

    Raises:
        InputError: a number out of range, or a background that needs a climatology and has none.
    """
    most = ITERATIONS[minimiser] if iterations is None else iterations
    _check(scale, share, most, inner)
    root = climatological_root(climatology, background, "variational")
    static = None if root is None else scale**0.5 * root
    part = share if background == "hybrid" else 1.0

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        predicted = observe(prior)
        given = background_of(prior, memory, noise, static, part)
        if spread == "perturbed":
            draws = anomalies(noise(predicted.shape))
            given = given._replace(mean=given.mean + given.members @ given.root)
        else:
            draws = torch.zeros_like(predicted[:, :1])
        residual = weighted_residual(given, observe, y, precision, draws)
        start = torch.zeros_like(given.members[:, : draws.shape[1]])
        with torch.no_grad():
            if minimiser == "lbfgs":
                arrival = lbfgs(residual, start, most, tolerance)
            else:
                arrival = gauss_newton(residual, start, most, inner, tolerance)
        ensemble = given.state(attached(arrival, residual))
        if spread == "hessian":
            ensemble = ensemble + posterior_anomalies(given, observe, ensemble, precision)
        found = torch.where(acted(precision), ensemble, prior)
        return Analysis(found, predicted, precision, memory)

    return analyse


def _check(scale: float, share: float, iterations: int, inner: int) -> None:
    for name, number in {"iterations": iterations, "inner": inner}.items():
        if number < 1:
            raise InputError(f"variational: {name} must be at least 1, got {number}")
    if not scale > 0.0:
        raise InputError(f"variational: scale must be positive, got {scale}")
    if not 0.0 < share <= 1.0:
        raise InputError(
            f"variational: share must lie in (0, 1], the static part of a hybrid, got {share}"
        )


def weighted_residual(
    given: Background, observe: Observe, y: Tensor, precision: Tensor, draws: Tensor
) -> Residual:
    """r(v) = R^-1/2 (y - H(state of v)) + draws, ``[pixel, n, channel]``; 0 where not seen."""
    root = precision_root(precision)[:, None]
    seen = root > 0

    def residual(v: Tensor) -> Tensor:
        return root * (y[:, None] - observe(given.state(v))) + torch.where(seen, draws, 0.0)

    return residual


def posterior_anomalies(
    given: Background, observe: Observe, state: Tensor, precision: Tensor
) -> Tensor:
    """Members about the minimum from the Gauss-Newton Hessian, ``[pixel, member, latent]``.

    Args:
        given: the background.
        observe: the operator, differentiated forwards along every row of U.
        state: the minimum, ``[pixel, 1, latent]``.
        precision: 1 / R.
    """
    many = state.repeat(1, given.root.shape[1], 1)
    along = torch.func.jvp(observe, (many,), (given.root.clone(),))[1]
    s = along * precision_root(precision)[:, None]
    z = contracted(given.members, s)
    return (z - z.mean(1, keepdim=True)) @ given.root
