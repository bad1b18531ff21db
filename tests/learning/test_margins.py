"""Densities beside the joint one, against scipy and by their effect on a fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from releo_da.assimilation.whitening import coloured
from releo_da.learning.margins import Margin, margins_likelihood
from releo_da.runs.timeline import where_seen
from releo_da.types import Acquisition

PIXELS, MEMBERS, CHANNELS = 5, 9, 3


@pytest.fixture
def case() -> tuple[Tensor, Acquisition]:
    """Predicted and observed; pixel 3 lacks channel 1, pixel 4 all."""
    generator = torch.Generator().manual_seed(3)
    predicted = 0.2 + 0.3 * torch.rand((PIXELS, MEMBERS, CHANNELS), generator=generator).double()
    values = 0.2 + 0.3 * torch.rand((PIXELS, CHANNELS), generator=generator).double()
    error = torch.tensor([0.02, 0.03, 0.05]).double().expand(PIXELS, -1).clone()
    error[3, 1] = error[4] = math.inf
    return predicted, Acquisition(0.0, "s", values, error, torch.zeros(PIXELS, 3), "")


def contrast(values: Tensor, sensor: str) -> Tensor | None:
    if sensor != "s":
        return None
    return (values[..., 1] - values[..., 0]) / (values[..., 1] + values[..., 0])


def test_channels_count_each_on_its_own(case: tuple[Tensor, Acquisition]) -> None:
    predicted, seen = case
    sd = np.sqrt(predicted.var(1).numpy() + seen.error.numpy() ** 2)
    each = norm.logpdf(seen.values.numpy(), predicted.mean(1).numpy(), sd)
    wanted = 2.5 * np.where(seen.seen.numpy(), each, 0.0).sum(1)
    found = margins_likelihood(predicted, seen, [Margin(2.5)])
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("between", [0.0, 0.6])
def test_an_index_counts_where_its_channels_are_seen(
    case: tuple[Tensor, Acquisition], between: float
) -> None:
    """The error of the index is that of many draws of the error of its channels."""
    predicted, seen = case
    found = margins_likelihood(predicted, seen, [Margin(1.0, contrast)], between)
    members = contrast(predicted, "s")
    generator = torch.Generator().manual_seed(4)
    draws = torch.randn((200_000, 1, CHANNELS), generator=generator).double()
    noise = 0.01 * coloured(draws, between)
    small = seen._replace(error=seen.error * 0.5)  # 0.01 in the first channel
    drawn = contrast(small.values[:3] + noise * (small.error[:3] / 0.01), "s").std(0)
    said = margins_likelihood(predicted, small, [Margin(1.0, contrast)], between)
    sd = (members.var(1)[:3] + drawn**2).sqrt()
    wanted = norm.logpdf(contrast(small.values, "s")[:3], members.mean(1)[:3], sd)
    np.testing.assert_allclose(said[:3].numpy(), wanted, atol=0.01)
    assert (found[3:] == 0.0).all() and (found[:3] != 0.0).all()
    both = margins_likelihood(predicted, seen, [Margin(2.0, contrast), Margin(1.0)], between)
    alone = margins_likelihood(predicted, seen, [Margin(1.0)])
    torch.testing.assert_close(both, 2.0 * found + alone)
    assert (
        margins_likelihood(predicted, seen._replace(sensor="t"), [Margin(1.0, contrast)]) == 0
    ).all()


def test_gradients_reach_members_and_errors_and_no_unseen_value(case) -> None:
    predicted, seen = case
    error = seen.error[:3].clone().requires_grad_()
    part = Acquisition(0.0, "s", seen.values[:3], error, seen.angles[:3], "")
    margins = [Margin(1.0), Margin(5.0, contrast)]
    assert torch.autograd.gradcheck(
        lambda x, e: margins_likelihood(x, part._replace(error=e), margins),
        (predicted[:3].clone().requires_grad_(), error),
    )
    with torch.no_grad():  # as when a judgement is made
        judged = margins_likelihood(predicted, seen, margins)
    torch.testing.assert_close(judged, margins_likelihood(predicted, seen, margins))
    assert judged.isfinite().all()


def test_pixels_that_a_fit_does_not_predict_change_no_gradient(case) -> None:
    """An operator that is asked where something was seen alone says 0 elsewhere."""
    predicted, seen = case
    margins = [Margin(1.0), Margin(5.0, contrast)]

    def slope(asked: bool) -> Tensor:
        scale = torch.ones((), dtype=torch.float64, requires_grad=True)

        def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
            return scale * ensemble

        members = (where_seen(observe) if asked else observe)(predicted, seen)
        (found,) = torch.autograd.grad(margins_likelihood(members, seen, margins).sum(), scale)
        return found

    torch.testing.assert_close(slope(True), slope(False))
