"""A season of the place itself: laws of the waves, and that a filter learns them."""

import math

import pytest
import torch

from releo_da.cycling.draws import block_draws
from releo_da.dynamics.mean_reverting import YEAR, MeanReverting
from releo_da.dynamics.own_season import own_transition, starting_shares, unturned
from releo_da.learning.anchors import anchored
from releo_da.state.layout import Layout
from releo_da.state.prior import correlation

LOG_SIGMA = torch.tensor([[0.1, -0.3], [-0.5, 0.2], [-1.0, -0.7]], dtype=torch.float64)
RATE = 1.0 / 900.0


def test_the_stationary_covariance_stays_and_steps_compose() -> None:
    _, stationary = own_transition(LOG_SIGMA, RATE, YEAR, math.inf)
    f, q = own_transition(LOG_SIGMA, RATE, YEAR, 37.0)
    torch.testing.assert_close(f @ stationary @ f.T + q, stationary)
    short, long = (own_transition(LOG_SIGMA, RATE, YEAR, t)[0] for t in (12.5, 24.5))
    torch.testing.assert_close(short @ long, f)


@pytest.mark.parametrize("days", [0.0, 20.0, 200.0, 4 * YEAR])
def test_the_sum_of_the_waves_has_the_stated_covariance(days: float) -> None:
    """sum_k s_k^2 exp(-lambda h) cos(2 pi k h / year), for each variable."""
    _, stationary = own_transition(LOG_SIGMA, RATE, YEAR, math.inf)
    f, _ = own_transition(LOG_SIGMA, RATE, YEAR, days)
    shown = torch.zeros(2, 10, dtype=torch.float64)
    for wave in (0, 1, 3):  # level, a_1, a_2
        shown[:, 2 * wave : 2 * wave + 2] = torch.eye(2)
    found = (shown @ f @ stationary @ shown.T).diagonal()
    turns = torch.cos(2 * math.pi * torch.arange(3) * days / YEAR).double()[:, None]
    expected = ((2 * LOG_SIGMA).exp() * turns).sum(0) * math.exp(-RATE * days)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("harmonics", [0, 1, 3])
def test_turned_back_the_waves_stand_still_as_the_place_forgets(harmonics: int) -> None:
    """They are those of New Year, times what is left; any date tells the same place."""
    generator = torch.Generator().manual_seed(4)
    first = torch.randn(5, 1 + 2 * harmonics, 2, generator=generator, dtype=torch.float64)
    log_sigma = torch.zeros(1 + harmonics, 2, dtype=torch.float64)
    torch.testing.assert_close(unturned(first, YEAR, 0.0), first)
    torch.testing.assert_close(unturned(first, YEAR, 40.0 * YEAR), first)
    for days in (12.5, 200.0, 5.3 * YEAR):
        f, _ = own_transition(log_sigma, RATE, YEAR, days)
        later = (first.flatten(1) @ f.T).unflatten(1, first.shape[1:])
        found = unturned(later, YEAR, days)
        torch.testing.assert_close(found, math.exp(-RATE * days) * first)
    again = unturned(later.float(), YEAR, days)
    assert again.dtype == torch.float32
    torch.testing.assert_close(again, found.float(), rtol=0, atol=2e-6)


def test_the_layout_adds_the_waves_to_their_variables() -> None:
    plain = Layout(("cab", "lai", "cw"), {}, True, (490.0,), True)
    own = Layout(("cab", "lai", "cw"), {}, True, (490.0,), True, ("cw", "cab"), 1)
    assert own.size == plain.size + 6
    ensemble = torch.randn(2, 3, own.size, generator=torch.Generator().manual_seed(0))
    waves, start = ensemble[..., 9:15], 9  # level, a, b of cw and cab
    shifted = torch.cat([ensemble[..., :start], ensemble[..., 15:]], -1).clone()
    shifted[..., 2] += waves[..., 0] + waves[..., 2]
    shifted[..., 0] += waves[..., 1] + waves[..., 3]
    found, expected = own.decode(ensemble), plain.decode(shifted)
    for name in found:
        torch.testing.assert_close(found[name], expected[name])
    assert torch.equal(own.residual(ensemble), ensemble[..., 15:])


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("harmonics", [0, 3])
def test_without_fitted_weights_the_variance_is_that_of_the_prior(
    rough: bool, harmonics: int
) -> None:
    names = ("cab", "lai", "cw")
    model = MeanReverting(Layout(names, {}, rough, (), rough, ("lai",), harmonics))
    _, p = model.transition(math.inf)
    layout = model.layout
    start = layout.dynamic - layout.seasonal
    shown = torch.zeros(3, layout.size, dtype=torch.float64)
    shown[:, :3] = torch.eye(3)
    if rough:
        shown[:, start - 3 : start] = torch.eye(3)
    shown[1, [start, *range(start + 1, layout.dynamic, 2)]] = 1.0
    total = shown @ p @ shown.T
    torch.testing.assert_close(total.diagonal(), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(total[0, 2], correlation(names)[0, 2])
    assert starting_shares(harmonics).sum() == pytest.approx(1.0)


def test_every_parameter_has_an_anchor_and_ensembles_follow_the_transition() -> None:
    model = MeanReverting(Layout(("lai",), {}, False, (), False, ("lai",), 1), own_years=2.0)
    assert anchored([model])().item() == 0.0
    pixels = torch.arange(1)
    draws = block_draws(1, pixels, torch.zeros((), dtype=torch.float64))
    start = model.initial(100.0, pixels, 20_000, draws(100.0, "initial"))
    moved = model(start, 190.0, draws(190.0, "forecast"))
    f, q = model.transition(90.0)
    _, p = model.transition(math.inf)
    joint = torch.cov(torch.cat([start.ensemble[0], moved.ensemble[0]], 1).T)
    expected = torch.cat([torch.cat([p, p @ f.T], 1), torch.cat([f @ p, f @ p @ f.T + q], 1)])
    scale = expected.diagonal().sqrt()
    error = (joint - expected) / (scale[:, None] * scale)
    assert error.abs().max() < 4.0 * math.sqrt(2.0 / 20_000)


def test_residuals_have_a_season_of_the_place_where_asked() -> None:
    own = Layout(("cab", "lai"), {}, False, (490.0, 842.0), False, ("lai",), 1, True)
    assert own.placed == 3 and own.size == 2 + 9 + 2
    ensemble = torch.randn(2, 3, own.size, generator=torch.Generator().manual_seed(0))
    waves = ensemble[..., 2:11]  # level, a, b of lai and two residuals
    found = own.residual(ensemble)
    expected = ensemble[..., 11:] + waves[..., 1:3] + waves[..., 4:6]
    torch.testing.assert_close(found, expected)
    shifted = ensemble[..., :2].clone()
    shifted[..., 1] += waves[..., 0] + waves[..., 3]
    plain = Layout(("cab", "lai"), {}, False)
    torch.testing.assert_close(own.decode(ensemble)["lai"], plain.decode(shifted)["lai"])
    _, p = MeanReverting(own, residual_sd=0.02).transition(math.inf)
    spread = p.diagonal()[2:11].view(3, 3).sum(0) - p.diagonal()[8:11]  # without the b
    torch.testing.assert_close(spread, torch.tensor([0.5, 4e-4, 4e-4]).double())
