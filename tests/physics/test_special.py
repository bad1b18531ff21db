import numpy as np
import pytest
import torch
from scipy import special as scipy_special

from releo_da.physics.special import absorbed, arc, phi


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 2e-7)])
def test_absorbed_is_one_minus_twice_e3(dtype, tolerance):
    k = torch.logspace(-8, 2, 4001, dtype=torch.float64).to(dtype)
    expected = 1.0 - 2.0 * scipy_special.expn(3, k.double().numpy())
    assert np.abs(absorbed(k).double().numpy() - expected).max() < tolerance


def test_absorbed_keeps_relative_accuracy_of_thin_layers():
    k = torch.logspace(-12, -6, 50, dtype=torch.float64)
    assert torch.allclose(absorbed(k), 2.0 * k, rtol=3e-5)
    assert torch.allclose(absorbed(k.float()), 2.0 * k.float(), rtol=3e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_slope_of_absorbed_is_twice_e2(dtype, tolerance):
    k = torch.logspace(-8, 2, 4001, dtype=torch.float64).to(dtype).requires_grad_()
    (slope,) = torch.autograd.grad(absorbed(k).sum(), k)
    expected = 2.0 * scipy_special.expn(2, k.detach().double().numpy())
    assert np.abs(slope.double().numpy() - expected).max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_phi_and_its_slope(dtype, tolerance):
    x = torch.cat([torch.linspace(-60, 8, 3001), torch.logspace(-9, 0, 300), torch.zeros(1)])
    x = torch.cat([x, -torch.logspace(-9, 0, 300)]).to(dtype).requires_grad_()
    value = phi(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    exact = x.detach().numpy().astype(np.longdouble)
    small = np.abs(exact) < 1e-3
    safe = np.where(small, 1.0, exact)
    series = 1 + exact / 2 + exact**2 / 6 + exact**3 / 24 + exact**4 / 120
    slope_series = 0.5 + exact / 3 + exact**2 / 8 + exact**3 / 30 + exact**4 / 144
    expected = np.where(small, series, np.expm1(safe) / safe)
    expected_slope = np.where(small, slope_series, (np.exp(safe) - np.expm1(safe) / safe) / safe)
    scale = np.maximum(1.0, expected)
    assert np.abs((value.detach().double().numpy() - expected) / scale).max() < tolerance
    assert np.abs((slope.double().numpy() - expected_slope) / scale).max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-5)])
def test_arc_is_one_analytic_function(dtype, tolerance):
    z = torch.cat([torch.linspace(-0.99, 170, 3001), torch.logspace(-9, 0, 200), torch.zeros(1)])
    z = torch.cat([z, -torch.logspace(-9, -0.01, 200)]).to(dtype).requires_grad_()
    value = arc(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    # An integral that has no branch: arc(z) = int_0^1 dt / (1 + z t^2).
    node, weight = np.polynomial.legendre.leggauss(400)
    t2, weight = ((node + 1.0) / 2.0) ** 2, weight / 2.0
    below = 1.0 + z.detach().double().numpy()[:, None] * t2
    expected, expected_slope = (weight / below).sum(-1), (-t2 * weight / below**2).sum(-1)
    scale = np.abs(expected_slope).clip(1.0)
    assert np.abs(value.detach().double().numpy() - expected).max() < tolerance
    assert np.abs((slope.double().numpy() - expected_slope) / scale).max() < tolerance


@pytest.mark.parametrize(
    ("function", "points"),
    [
        (absorbed, [1e-3, 0.3, 1.9, 2.1, 7.0]),
        (phi, [-9.0, -0.5, -0.05, 0.0, 0.05, 0.5, 4.0]),
        (arc, [-0.9, -0.3, -0.02, 0.0, 0.02, 0.5, 40.0]),
    ],
)
def test_derivatives_of_both_modes_and_second_order(function, points):
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, x)


@pytest.mark.parametrize("function", [absorbed, phi, arc])
def test_vmap(function):
    x = torch.rand(3, 5, dtype=torch.float64) + 0.1
    assert torch.equal(torch.func.vmap(function)(x), function(x))
    assert torch.equal(torch.func.vmap(function, in_dims=1, out_dims=1)(x), function(x))
    slopes = torch.func.vmap(torch.func.vmap(torch.func.grad(function)))(x)
    _, tangents = torch.func.jvp(function, (x,), (torch.ones_like(x),))
    assert torch.allclose(slopes, tangents, rtol=1e-14)
