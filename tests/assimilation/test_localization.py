"""Tapers against closed forms, local analyses against what they should be made of."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import (
    Places,
    adaptive,
    enks,
    etkf,
    grouped,
    letkf,
    localized,
    neighbours,
    relaxed,
    sl_eakf,
)
from releo_da.assimilation.adaptive import INFLATION
from releo_da.assimilation.enks import lagged
from releo_da.assimilation.tapers import coefficients, distances
from releo_da.types import InputError

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def ring(size: int) -> Places:
    """One channel per latent, on a circle."""
    line = torch.arange(size, dtype=DOUBLE)[:, None]
    return Places(line, line, torch.tensor([float(size)], dtype=DOUBLE))


def first(x: Tensor) -> Tensor:
    return x


def test_gaspari_cohn_is_the_self_convolution_of_a_triangle() -> None:
    """In three dimensions; here by quadrature of a product of two cones, as in their section 4."""
    half, radius = 1.0, 1.0 / 1.82
    h = 1.0 / 60
    axis = torch.arange(-1.5, 2.5, h, dtype=DOUBLE)
    x, r = torch.meshgrid(axis, torch.arange(h / 2, 1.0, h, dtype=DOUBLE), indexing="ij")

    def cone(shift: float) -> Tensor:
        return (1.0 - ((x - shift).square() + r.square()).sqrt() / (half)).clamp(min=0.0)

    # B0(r) = 1 - 2|r| up to 1/2, so supports of radius 1/2 give a function that ends at 1
    scale = 0.5

    def convolution(shift: float) -> float:
        left = (1.0 - (x.square() + r.square()).sqrt() / scale).clamp(min=0.0)
        right = (1.0 - ((x - shift).square() + r.square()).sqrt() / scale).clamp(min=0.0)
        return float((left * right * r).sum())

    for shift in (0.2, 0.45, 0.6, 0.8):
        ours = coefficients(torch.tensor(2.0 * shift, dtype=DOUBLE), radius)
        assert abs(float(ours) - convolution(shift) / convolution(0.0)) < 2e-3


def test_small_coefficients_are_none_and_a_step_is_a_step() -> None:
    d = torch.tensor([0.0, 1.0, 3.9, 4.0, 4.1, 14.0, 14.6], dtype=DOUBLE)
    smooth = coefficients(d, 4.0)
    assert smooth[0] == 1 and (smooth[:-1].diff() <= 0).all() and smooth[-1] == 0
    assert (smooth[smooth > 0] > 1e-3).all()
    assert coefficients(d, 4.0, "step").tolist() == [1, 1, 1, 1, 0, 0, 0]
    with pytest.raises(InputError, match="radius must be positive"):
        coefficients(d, 0.0)


def test_distances_go_the_short_way_round() -> None:
    places = ring(40)
    apart = distances(places.latents, places.channels, places.period)
    assert apart[0, 39] == 1 and apart[0, 20] == 20 and apart[5, 38] == 7
    plane = distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 9.0]]))
    assert plane.tolist() == [[5.0, 9.0]]


def test_a_group_gets_the_analysis_with_its_own_precision() -> None:
    prior, y = randn(3, 8, 6), randn(3, 6, seed=2)
    precision = torch.exp(randn(3, 6, seed=3))
    places = ring(6)
    found = letkf(places, radius=1.0)(prior, first, y, precision, torch.zeros, {})
    apart = distances(places.latents, places.channels, places.period)
    for group in range(3):
        mean = (apart[2 * group] + apart[2 * group + 1]) / 2
        own = precision * coefficients(mean, 1.0)
        expected = etkf(prior, first, y, own, torch.zeros, {}, root="symmetric").ensemble
        part = slice(2 * group, 2 * group + 2)
        torch.testing.assert_close(found.ensemble[..., part], expected[..., part])
    assert torch.equal(found.precision, precision)


def test_out_of_reach_is_left_alone() -> None:
    prior, y = randn(2, 6, 30), randn(2, 30, seed=2)
    precision = torch.zeros(2, 30, dtype=DOUBLE)
    precision[:, 3] = 1.0
    for scheme in (letkf(ring(30), radius=2.0), sl_eakf(ring(30), radius=2.0)):
        moved = scheme(prior, first, y, precision, torch.zeros, {}).ensemble != prior
        assert moved[..., 3].all() and not moved[..., 12:25].any()


def test_a_small_ensemble_needs_it() -> None:
    """Forty independent latents, six members: the truth is missed without localization."""
    truth, prior = randn(60, 40, seed=4), randn(60, 6, 40, seed=5)
    y = truth + randn(60, 40, seed=6)
    precision = torch.ones_like(y)

    def error(scheme) -> float:
        mean = scheme(prior, first, y, precision, torch.zeros, {}).ensemble.mean(1)
        return float((mean - truth).square().mean().sqrt())

    plain = error(etkf)
    for scheme in (letkf(ring(40), radius=1.0), sl_eakf(ring(40), radius=1.0)):
        assert error(scheme) < 0.8 * plain


def test_every_group_meets_the_same_draws_and_a_request_has_none() -> None:
    asked = []

    def noise(shape) -> Tensor:
        asked.append(tuple(shape))
        return randn(*shape)

    def stirred(prior, observe, y, precision, noise, memory):
        result = etkf(prior, observe, y, precision, noise, memory)
        return result._replace(ensemble=result.ensemble + noise(prior.shape))

    scheme = grouped(stirred, torch.ones(3, 4), torch.tensor([0, 0, 1, 2, 2]))
    prior = randn(2, 7, 5)
    found = scheme(prior, lambda x: x[..., :4], prior[:, 0, :4], torch.ones(2, 4), noise, {})
    whole = stirred(prior, lambda x: x[..., :4], prior[:, 0, :4], torch.ones(2, 4), noise, {})
    assert asked == [(2, 7, 5)] * 2
    torch.testing.assert_close(found.ensemble, whole.ensemble)
    nothing = torch.zeros(2, 0, dtype=DOUBLE)
    for one in (letkf(ring(5)), sl_eakf(ring(5))):
        empty = one(prior, lambda x: x[..., :0], nothing, nothing, noise, {"kept": nothing})
        assert torch.equal(empty.ensemble, prior) and "kept" in empty.memory
    with pytest.raises(InputError, match="coefficients for 4 channels"):
        scheme(prior, first, prior[:, 0], torch.ones(2, 5), noise, {})


@pytest.mark.parametrize("make", [letkf, sl_eakf, partial(localized, etkf)])
def test_without_places_it_says_so(make) -> None:
    with pytest.raises(InputError, match="where latents and channels lie"):
        make()


def test_neighbours_see_for_each_other() -> None:
    """Three pixels in a row and one far away; the middle one is under a cloud."""
    prior, y = randn(4, 9, 2), randn(4, 1, seed=2)
    precision = torch.tensor([[1.0], [0.0], [2.0], [3.0]], dtype=DOUBLE)
    place = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0], [9.0, 9.0]], dtype=DOUBLE)

    def observe(x: Tensor) -> Tensor:
        return x[..., :1] + x[..., 1:]

    inner = partial(etkf, root="symmetric")  # the triangular one depends on the order of channels
    scheme = relaxed(neighbours(inner, radius=1.0, most=3), 0.0)
    found = scheme(prior, observe, y, precision, torch.zeros, {"place": place})
    alone = etkf(prior, observe, y, precision, torch.zeros, {})
    torch.testing.assert_close(found.ensemble[3], alone.ensemble[3])
    assert torch.equal(found.predicted, alone.predicted)
    assert torch.equal(found.precision, precision) and "place" in found.memory
    c = float(coefficients(torch.tensor(1.0, dtype=DOUBLE), 1.0))
    far = float(coefficients(torch.tensor(2.0, dtype=DOUBLE), 1.0))
    for pixel, shares in ((1, (c, 1.0, c)), (0, (1.0, c, far))):
        seen = observe(prior)[:3, :, 0].T[None]
        weight = (precision[:3, 0] * torch.tensor(shares, dtype=DOUBLE))[None]
        expected = inner(
            prior[pixel : pixel + 1], lambda x, s=seen: s, y[:3].T, weight, torch.zeros, {}
        )
        torch.testing.assert_close(found.ensemble[pixel], expected.ensemble[0])


@pytest.mark.parametrize("make", [letkf, sl_eakf])
def test_a_localized_smoother_is_the_localized_filter_of_each_block(make) -> None:
    """The newest block is the filter's analysis; an older one that equals it gets the same."""
    prior, y = randn(2, 9, 4), randn(2, 4, seed=2)
    precision = torch.ones(2, 4, dtype=DOUBLE)
    local = make(ring(4), radius=1.0)
    alone = local(prior, first, y, precision, torch.zeros, {})
    found = enks(local, 2)(prior, first, y, precision, torch.zeros, {})
    torch.testing.assert_close(found.ensemble, alone.ensemble)
    for block in lagged(found.memory, 4):
        torch.testing.assert_close(block, alone.ensemble)
    with pytest.raises(InputError, match="places for 4 latents, but the state has 3"):
        local(prior[..., :3], lambda x: prior, y, precision, torch.zeros, {})


def test_what_neighbours_teach_a_clouded_pixel_survives_adaptive_inflation() -> None:
    prior, y = randn(3, 9, 2), randn(3, 2, seed=2)
    precision = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]], dtype=DOUBLE)
    place = torch.tensor([[0.0], [1.0], [9.0]], dtype=DOUBLE)
    memory = {"place": place, INFLATION: torch.full((3, 2), 2.0, dtype=DOUBLE).log()}
    inner = neighbours(partial(etkf, root="symmetric"), radius=1.0, most=3)
    start = prior.clone()  # only the pixel that sees by itself is inflated
    start[0] = prior[0].mean(0) + 2.0**0.5 * (prior[0] - prior[0].mean(0))
    taught = inner(start, first, y, precision, torch.zeros, {"place": place})
    found = adaptive(inner, damping=1.0)(prior, first, y, precision, torch.zeros, memory)
    assert not torch.equal(found.ensemble[1], prior[1])
    assert torch.equal(found.ensemble[2], prior[2])  # out of reach of all
    torch.testing.assert_close(found.memory[INFLATION][1:], memory[INFLATION][1:])
    torch.testing.assert_close(found.ensemble, taught.ensemble)


def test_neighbours_refuse_what_they_can_not_do() -> None:
    with pytest.raises(InputError, match="most must be at least 1"):
        neighbours(etkf, 1.0, most=0)
    with pytest.raises(InputError, match="where its pixels lie"):
        neighbours(etkf, 1.0)(randn(2, 4, 1), first, randn(2, 1), torch.ones(2, 1), torch.zeros, {})
    assert math.isclose(1.0, float(coefficients(torch.zeros(1), 1.0)))
