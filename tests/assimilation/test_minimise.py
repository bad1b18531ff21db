"""Minimisers against scipy and closed forms, and the derivative of a minimum."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from releo_da.assimilation.implicit import attached
from releo_da.assimilation.minimise import conjugate_gradients, gauss_newton, lbfgs

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


H = randn(4, 6, seed=2)


def observe(x: Tensor) -> Tensor:
    return torch.tanh(0.6 * x @ H[: x.shape[-1]]) + 0.1 * x[..., :1] ** 2


def test_conjugate_gradients_solve_every_problem_by_itself() -> None:
    a = randn(5, 1, 4, 4)
    matrix = a @ a.mT + torch.eye(4, dtype=DOUBLE)
    right = randn(5, 1, 4, seed=3)
    right[2] = 0.0

    def apply(x: Tensor) -> Tensor:
        return (matrix @ x[..., None])[..., 0]

    x = conjugate_gradients(apply, right, 30, 1e-13)
    torch.testing.assert_close(apply(x), right)
    assert (x[2] == 0).all()


@pytest.mark.parametrize(
    "minimiser",
    [
        partial(gauss_newton, iterations=60, inner=20, tolerance=1e-9),
        partial(lbfgs, iterations=200, tolerance=1e-9),
    ],
    ids=["gauss_newton", "lbfgs"],
)
def test_a_nonlinear_cost_is_minimised_as_scipy_does(minimiser) -> None:
    y = 0.7 * randn(6, 1, 6, seed=4)

    def residual(v: Tensor) -> Tensor:
        return 3.0 * (y - observe(v))

    start = torch.zeros(6, 1, 4, dtype=DOUBLE)
    found = minimiser(residual, start).v
    for pixel in range(6):

        def cost(v: np.ndarray, pixel: int = pixel) -> float:
            x = torch.from_numpy(v)
            r = 3.0 * (y[pixel, 0] - observe(x[None])[0])
            return float(0.5 * (x @ x + r @ r))

        ours = found[pixel, 0].numpy()
        best = minimize(cost, ours, method="BFGS", options={"gtol": 1e-9})
        assert cost(ours) <= best.fun + 1e-9
        assert cost(ours) < 0.999 * cost(np.zeros(4))


@pytest.mark.parametrize("number", [torch.float32, DOUBLE], ids=str)
@pytest.mark.parametrize("ratio", [1.0, 30.0, 100.0])
def test_lbfgs_leaves_the_background_however_accurate_observations_are(
    ratio: float, number: torch.dtype
) -> None:
    """Linear, 10 channels, 12 latents, spread up to 100 errors: a Hessian of 1 to 1e5."""
    h = (ratio * randn(100, 12, 10, seed=7) / 12**0.5).to(number)
    y = (ratio * randn(100, 1, 10, seed=8)).to(number)
    start = torch.zeros(100, 1, 12, dtype=number)
    found = lbfgs(lambda v: y - v @ h, start, 50, 1e-3).v.double()
    hessian = torch.eye(12, dtype=DOUBLE) + h.double() @ h.double().mT
    exact = torch.linalg.solve(hessian, h.double() @ y.double().mT).mT
    assert (found - exact).norm(dim=-1).max() < 2e-3


def test_problems_do_not_see_each_other() -> None:
    """Alone or beside slower ones, bit by bit."""
    y = randn(32, 1, 6, seed=5)
    y[:16] *= 0.01

    def run(part: slice, minimiser) -> Tensor:
        mine = y[part]
        start = torch.zeros(len(mine), 1, 4, dtype=DOUBLE)
        return minimiser(lambda v: 5.0 * (mine - observe(v)), start).v

    for minimiser in (
        partial(gauss_newton, iterations=6, inner=10, tolerance=1e-4),
        partial(lbfgs, iterations=15, tolerance=1e-4),
    ):
        whole = run(slice(None), minimiser)
        assert torch.equal(run(slice(0, 16), minimiser), whole[:16])
        assert torch.equal(run(slice(16, 32), minimiser), whole[16:])


def test_the_minimiser_has_the_derivative_of_the_minimiser() -> None:
    """Strongly nonlinear, far from a fit: the Hessian of Gauss-Newton would give another one."""
    y = randn(2, 1, 6, seed=6).requires_grad_()
    weight = torch.tensor(2.0, dtype=DOUBLE, requires_grad=True)

    def run(y: Tensor, weight: Tensor) -> Tensor:
        def residual(v: Tensor) -> Tensor:
            return weight * (y - observe(v))

        with torch.no_grad():
            found = lbfgs(residual, torch.zeros(2, 1, 4, dtype=DOUBLE), 80, 1e-11)
        return attached(found, residual)

    assert torch.autograd.gradcheck(run, (y, weight))


def test_gradients_short_of_the_minimum_are_told_of() -> None:
    y = randn(5, 1, 6, seed=6).requires_grad_()

    def residual(v: Tensor) -> Tensor:
        return 5.0 * (y - observe(v))

    start = torch.zeros(5, 1, 4, dtype=DOUBLE)
    with torch.no_grad():
        early, late = (lbfgs(residual, start, steps, 1e-6) for steps in (2, 200))
    assert early.moving.all() and not late.moving.any()
    with pytest.warns(UserWarning, match="5 of 5 minimisations ended before their minimum"):
        attached(early, residual)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert attached(late, residual).requires_grad
        with torch.no_grad():
            attached(early, residual)
