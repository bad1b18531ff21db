"""The green share of leaf area: a mixture of green and dead leaves is taken apart again."""

from __future__ import annotations

import torch

from releo_da.physics.greenness import GREEN_TO_BROWN, green_share


def test_a_mixture_of_green_and_dead_leaves_is_taken_apart() -> None:
    share = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    for dead in (0.5, 1.0, 2.0):
        cab, cbrown = share * GREEN_TO_BROWN * dead, (1.0 - share) * dead
        torch.testing.assert_close(green_share(cab, cbrown), share, atol=1e-3, rtol=0.0)


def test_pale_leaves_without_brown_pigment_are_green() -> None:
    cab = torch.tensor([0.0, 1.0, 10.0, 60.0], dtype=torch.float64)
    torch.testing.assert_close(green_share(cab, torch.zeros_like(cab)), torch.ones_like(cab))


def test_more_chlorophyll_is_greener_and_more_brown_pigment_is_not() -> None:
    content = torch.linspace(0.0, 2.0, 50, dtype=torch.float64)
    one = torch.ones_like(content)
    assert (green_share(30.0 * content, one).diff() > 0.0).all()
    assert (green_share(30.0 * one, content).diff() < 0.0).all()


def test_gradients_are_finite_at_the_bounds() -> None:
    cab = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    cbrown = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
    green_share(cab, cbrown).sum().backward()
    assert cab.grad is not None
    assert cbrown.grad is not None
    assert torch.isfinite(torch.stack([cab.grad, cbrown.grad])).all()
