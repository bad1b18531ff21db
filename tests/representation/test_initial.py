"""Ensembles that start from an encoder: their law beside the closed form, and what they leave."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.neural import Neural
from releo_da.representation.initial import Encoded, Start, start_of
from releo_da.representation.tokens import tokens_of
from releo_da.state.layout import Layout
from releo_da.types import Noise

from .series import BANDS, NAMES, START, drawn, series

DOUBLE = torch.float64
TIME = START + 200.0


def noise_of(seed: int) -> Noise:
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(tuple(shape), generator=generator, dtype=DOUBLE)


def told(pixels: list[int]) -> Start:
    generator = torch.Generator().manual_seed(2)
    raw = 0.3 * torch.randn((len(pixels), 4, 4), generator=generator, dtype=DOUBLE)
    factor = torch.tril(raw, -1) + torch.diag_embed(raw.diagonal(dim1=-2, dim2=-1).exp())
    mean = torch.randn((len(pixels), 4), generator=generator, dtype=DOUBLE)
    return Start(TIME, torch.tensor(pixels), mean, factor)


def forecaster() -> MeanReverting:
    layout = Layout(NAMES, rough=True, own=("lai",), own_harmonics=1, knots=(665.0, 842.0))
    made = MeanReverting(layout).requires_grad_(False)
    made.season[0] = torch.tensor([0.3, -0.2, 0.5, 0.1])
    made.log_sigma += 0.2 * torch.arange(4.0, dtype=DOUBLE)
    return made


def encoded(start: Start) -> tuple[Encoded, MeanReverting, Tensor, Tensor]:
    made = forecaster()
    _, covariance = made.transition(math.inf)
    selection = made.layout.coordinates(torch.eye(made.layout.size, dtype=DOUBLE)).mT
    return Encoded(made.initial, start, selection, covariance), made, selection, covariance


def test_coordinates_follow_the_posterior_and_the_rest_the_forecaster() -> None:
    """Mean and covariance of all latents in closed form, within 4.5 standard errors."""
    start, members = told([4]), 60_000
    initial, made, selection, covariance = encoded(start)
    x = initial(TIME, torch.tensor([4]), members, noise_of(0)).ensemble[0]
    cross = covariance @ selection.mT
    gain = cross @ torch.linalg.inv(selection @ cross)
    prior_mean = made.mean(TIME)
    mean = prior_mean + gain @ (start.mean[0] - selection @ prior_mean)
    spread = start.factor[0] @ start.factor[0].mT
    wanted = covariance - gain @ selection @ covariance + gain @ spread @ gain.mT
    scale = wanted.diagonal().sqrt()
    assert bool(((x.mean(0) - mean).abs() < 4.5 * scale / members**0.5 + 1e-12).all())
    error = scale[:, None] * scale * (2.0 / members) ** 0.5
    assert bool(((torch.cov(x.mT) - wanted).abs() < 4.5 * error + 1e-12).all())
    y = x @ selection.mT
    torch.testing.assert_close(y.mean(0), start.mean[0], rtol=0, atol=1e-9)  # draws are centred


@pytest.mark.parametrize("neural", [False, True])
def test_it_serves_every_forecaster(neural: bool) -> None:
    """The coordinates have the mean of the posterior exactly, whatever moves them later."""
    made: Hybrid | Neural = Hybrid(forecaster())
    if neural:
        made = Neural(made, slow=("timing",), memory=2)
    start = told([0, 1])
    _, covariance = made.transition(math.inf)
    selection = made.layout.coordinates(torch.eye(len(covariance), dtype=DOUBLE)).mT
    initial = Encoded(made.initial, start, selection, covariance.detach())
    state = initial(TIME, torch.arange(2), 64, noise_of(3))
    y = made.layout.coordinates(state.ensemble.detach())
    torch.testing.assert_close(y.mean(1), start.mean, rtol=0, atol=1e-9)
    assert bool(made(state, TIME + 9.0, noise_of(5)).ensemble.isfinite().all())


def test_pixels_that_nothing_is_known_of_are_left_alone() -> None:
    initial, made, *_ = encoded(told([2, 7]))
    ids = torch.tensor([7, 3, 2])
    found = initial(TIME, ids, 8, noise_of(1)).ensemble
    own = made.initial(TIME, ids, 8, noise_of(1)).ensemble
    assert torch.equal(found[1], own[1])
    assert not torch.allclose(found[0], own[0])
    assert not torch.allclose(found[2], own[2])


def test_nothing_is_told_after_the_date() -> None:
    initial, made, *_ = encoded(told([2]))
    ids = torch.tensor([2])
    later = initial(TIME + 1.0, ids, 8, noise_of(1)).ensemble
    assert torch.equal(later, made.initial(TIME + 1.0, ids, 8, noise_of(1)).ensemble)


def test_the_start_is_the_posterior_at_the_date_of_pixels_that_were_seen() -> None:
    encoder = drawn()
    given = [
        a._replace(error=torch.where(torch.arange(70)[:, None] == 3, torch.inf, a.error))
        for a in series()
    ]
    tokens, ids = tokens_of(given, BANDS), torch.arange(70).flip(0) * 2
    start = start_of(encoder, tokens, ids, TIME)
    assert start.pixels.tolist() == sorted(set(range(0, 140, 2)) - {int(ids[3])})
    posterior = encoder.encode(tokens, torch.tensor([TIME], dtype=DOUBLE)).posterior
    row = 69 - start.pixels // 2
    torch.testing.assert_close(start.mean, posterior.mean[row, 0])
    torch.testing.assert_close(start.factor, posterior.factor[row, 0])


def test_what_comes_later_is_refused() -> None:
    tokens = tokens_of(series(), BANDS)
    with pytest.raises(ValueError, match="is not before"):
        start_of(drawn(), tokens, torch.arange(70), float(tokens.time[-1]))
