"""What each wrapper does to the spread, and where it does nothing."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import (
    additive,
    enks,
    etkf,
    inflated,
    multiple,
    relaxed,
    relaxed_spread,
    rotated,
)
from releo_da.assimilation.enks import LAGGED
from releo_da.assimilation.inflation import _rotate
from releo_da.types import Analysis, InputError, Scheme

DOUBLE = torch.float64


def background() -> Tensor:
    """Four latents, of which the operator sees the first two."""
    rng = torch.Generator().manual_seed(1)
    raw = torch.randn(3, 12, 4, generator=rng, dtype=DOUBLE)
    a = raw - raw.mean(1, keepdim=True)
    q, _ = torch.linalg.qr(a)  # uncorrelated latents, so that the unseen ones are not touched
    return q - q.mean(1, keepdim=True) + 1.0


def run(scheme: Scheme, precision: float = 50.0) -> Tensor:
    rng = torch.Generator().manual_seed(2)

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=DOUBLE)

    y = torch.full((3, 2), 1.3, dtype=DOUBLE)
    weight = torch.full((3, 2), precision, dtype=DOUBLE)
    return scheme(background(), lambda x: x[..., :2], y, weight, noise, {}).ensemble


def centred(x: Tensor) -> Tensor:
    return x - x.mean(1, keepdim=True)


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_relaxed_mixes_the_anomalies(factor: float) -> None:
    plain, mixed, before = run(etkf), run(relaxed(etkf, factor)), background()
    expected = (1 - factor) * centred(plain) + factor * centred(before)
    torch.testing.assert_close(centred(mixed), expected)
    torch.testing.assert_close(mixed.mean(1), plain.mean(1))


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_relaxed_spread_mixes_the_spreads(factor: float) -> None:
    plain, mixed, before = run(etkf), run(relaxed_spread(etkf, factor)), background()
    expected = (1 - factor) * plain.std(1) + factor * before.std(1)
    torch.testing.assert_close(mixed.std(1), expected)
    torch.testing.assert_close(mixed.mean(1), plain.mean(1))


@pytest.mark.parametrize("wrapper", [relaxed, relaxed_spread])
def test_relaxation_acts_only_on_what_observations_changed(wrapper) -> None:
    """Forty cycles: the unseen latents keep their spread, the seen ones have more than plain."""
    ensemble, scheme = background(), wrapper(etkf, 0.5)
    y, weight = torch.ones(3, 2, dtype=DOUBLE), torch.full((3, 2), 50.0, dtype=DOUBLE)
    for _ in range(40):
        ensemble = scheme(ensemble, lambda x: x[..., :2], y, weight, torch.zeros, {}).ensemble
    torch.testing.assert_close(ensemble.std(1)[:, 2:], background().std(1)[:, 2:])
    assert (ensemble.std(1)[:, :2] < background().std(1)[:, :2]).all()


def test_inflated_multiplies_the_spread() -> None:
    torch.testing.assert_close(run(inflated(etkf, 1.1)).std(1), 1.1 * run(etkf).std(1))


def test_relaxed_spread_of_a_latent_without_spread() -> None:
    """A latent that is the same in every member stays so, with finite gradients."""
    prior = background()
    prior[..., 3] = 2.0
    prior.requires_grad_()
    y, weight = torch.ones(3, 2, dtype=DOUBLE), torch.ones(3, 2, dtype=DOUBLE)
    scheme = relaxed_spread(etkf, 0.5)
    ensemble = scheme(prior, lambda x: x[..., :2], y, weight, torch.zeros, {}).ensemble
    ensemble.square().sum().backward()
    assert (ensemble[..., 3] == 2.0).all()
    assert prior.grad is not None and torch.isfinite(prior.grad).all()


def test_rotation_keeps_mean_and_covariance_and_moves_members() -> None:
    plain, turned = centred(run(etkf)), run(rotated(etkf))
    torch.testing.assert_close(turned.mean(1), run(etkf).mean(1))
    torch.testing.assert_close(centred(turned).mT @ centred(turned), plain.mT @ plain)
    assert (centred(turned) - plain).abs().mean() > 0.3 * plain.abs().mean()


def test_rotation_is_uniform() -> None:
    """Haar: a fixed anomaly lands anywhere on its sphere, E[u] = 0 and E[u u'] = I / (N - 1)."""
    draws = torch.randn(20_000, 3, 3, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
    start = torch.tensor([3.0, -1.0, -1.0, -1.0], dtype=DOUBLE)[None, :, None] / 12**0.5
    u = _rotate(start.expand(20_000, 4, 1), draws)[..., 0]
    torch.testing.assert_close(u.square().sum(-1), torch.ones(20_000, dtype=DOUBLE))
    assert u.sum(-1).abs().max() < 1e-12
    assert u.mean(0).abs().max() < 4 * (0.25 / 20_000) ** 0.5
    expected = (torch.eye(4, dtype=DOUBLE) - 0.25) / 3
    assert (u.T @ u / 20_000 - expected).abs().max() < 4 * (0.25 / 20_000) ** 0.5


def test_inflation_outside_of_several_updates_acts_once() -> None:
    outside, inside = run(inflated(multiple(etkf, 2), 1.1)), run(multiple(inflated(etkf, 1.1), 2))
    torch.testing.assert_close(outside.std(1), 1.1 * run(etkf).std(1))
    assert (inside.std(1) > outside.std(1)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: inflated(etkf, 0.0), "inflated: factor must be positive"),
        (lambda: relaxed(etkf, 1.5), "relaxed: factor must lie between 0"),
        (lambda: relaxed_spread(etkf, -0.1), "relaxed_spread: factor must lie between 0"),
    ],
)
def test_impossible_factors_are_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_additive_inflation_adds_what_it_says() -> None:
    rng = torch.Generator().manual_seed(7)
    prior = 3.0 * torch.randn(1, 20_000, 2, generator=rng, dtype=DOUBLE)
    y = torch.zeros(1, 1, dtype=DOUBLE)

    def noise(shape) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=DOUBLE)

    arguments = (prior, lambda x: x[..., :1], y, y + 1.0, noise, {})
    more, plain = additive(etkf, 0.5)(*arguments).ensemble, etkf(*arguments).ensemble
    torch.testing.assert_close(more.mean(1), plain.mean(1))
    gained = more.var(1) - plain.var(1)
    assert (gained / (0.25 * prior.var(1)) - 1.0).abs().max() < 0.05
    with pytest.raises(InputError, match="must not be negative"):
        additive(etkf, -0.1)


@pytest.mark.parametrize("wrapper", [inflated, additive, relaxed, relaxed_spread])
def test_inside_enks_the_ensembles_of_earlier_cycles_are_left_alone(
    wrapper: Callable[[Scheme, float], Scheme],
) -> None:
    """They are as without the wrapper; those of this cycle as without `enks`."""
    rng = torch.Generator().manual_seed(5)
    prior, earlier = (torch.randn(6, 9, n, generator=rng, dtype=torch.float64) for n in (3, 6))
    y, drawn = torch.zeros(6, 2, dtype=torch.float64), torch.randn(6, 9, 9, generator=rng).double()
    precision = torch.ones_like(y)
    precision[2] = 0.0
    memory = {LAGGED: torch.cat([earlier, earlier[..., :3]], -1)}

    def analysed(scheme: Scheme, memory: dict[str, Tensor]) -> Analysis:
        def noise(shape: Sequence[int]) -> Tensor:
            return drawn[..., : shape[-1]]

        return scheme(prior, lambda x: x[..., :2], y, precision, noise, memory)

    found = analysed(enks(wrapper(etkf, 0.4), 2), memory)
    plain, alone = analysed(enks(etkf, 2), memory), analysed(wrapper(etkf, 0.4), {})
    assert set(found.memory) == {LAGGED}
    assert torch.equal(found.memory[LAGGED][..., 3:], plain.memory[LAGGED][..., 3:])
    torch.testing.assert_close(found.ensemble, alone.ensemble)
    assert not torch.allclose(found.ensemble, plain.ensemble)
