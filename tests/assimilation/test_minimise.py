"""Minimisers against scipy and closed forms, and the derivative of a minimum."""

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
    found = minimiser(residual, start)
    for pixel in range(6):

        def cost(v: np.ndarray, pixel: int = pixel) -> float:
            x = torch.from_numpy(v)
            r = 3.0 * (y[pixel, 0] - observe(x[None])[0])
            return float(0.5 * (x @ x + r @ r))

        ours = found[pixel, 0].numpy()
        best = minimize(cost, ours, method="BFGS", options={"gtol": 1e-9})
        assert cost(ours) <= best.fun + 1e-9
        assert cost(ours) < 0.999 * cost(np.zeros(4))


def test_problems_do_not_see_each_other() -> None:
    """Alone or beside slower ones, bit by bit."""
    y = randn(32, 1, 6, seed=5)
    y[:16] *= 0.01

    def run(part: slice, minimiser) -> Tensor:
        mine = y[part]
        start = torch.zeros(len(mine), 1, 4, dtype=DOUBLE)
        return minimiser(lambda v: 5.0 * (mine - observe(v)), start)

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
            v = lbfgs(residual, torch.zeros(2, 1, 4, dtype=DOUBLE), 80, 1e-13)
        return attached(v, residual)

    assert torch.autograd.gradcheck(run, (y, weight))
