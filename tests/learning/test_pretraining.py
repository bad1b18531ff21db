"""Pre-training where the posterior is known in closed form, and its resumption to the last bit."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from releo_da.cycling.draws import generator
from releo_da.learning.checkpoints import checkpoint, restore
from releo_da.learning.margins import Margin
from releo_da.learning.prediction import Batch, loss_of, simplex
from releo_da.learning.pretraining import (
    Look,
    Schedule,
    Training,
    begun,
    pretrain,
    tired,
    weights,
)
from releo_da.types import Acquisition, InputError

DOUBLE = torch.float64
PRIOR = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=DOUBLE)
H = torch.tensor([[0.8, 0.1], [-0.3, 0.6], [0.2, 0.4]], dtype=DOUBLE)
NOISE, PERSISTS = 0.3, 0.8
TIMES = torch.tensor([0.0, 5.0], dtype=DOUBLE)


class Gaussian(NamedTuple):
    """The posterior of the stand-in encoder."""

    mean: Tensor
    factor: Tensor

    def kl(self, prior: Tensor) -> Tensor:
        lower = torch.linalg.cholesky(prior)
        white = torch.linalg.solve_triangular(lower, self.mean[..., None], upper=False)[..., 0]
        ratio = torch.linalg.solve_triangular(lower, self.factor, upper=False)
        logs = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = ratio.square().sum((-1, -2)) + white.square().sum(-1) - self.mean.shape[-1]
        return 0.5 * trace - logs + lower.diagonal().log().sum()

    def log_prob(self, z: Tensor) -> Tensor:
        return torch.distributions.MultivariateNormal(self.mean, scale_tril=self.factor).log_prob(z)


class Linear(nn.Module):
    """Mean linear in what was shown at the first date, covariance of the second date constant."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(2, 2, 3, dtype=DOUBLE))
        self.lower = nn.Parameter(torch.eye(2, dtype=DOUBLE).repeat(2, 1, 1))

    def forward(self, tokens: Tensor, times: Tensor, statics: None) -> Gaussian:
        mean = torch.einsum("tvc,pc->ptv", self.gain, tokens)
        lower = torch.tril(self.lower, -1) + torch.diag_embed(
            self.lower.diagonal(dim1=-2, dim2=-1).exp() / math.e
        )
        return Gaussian(mean, lower.expand(len(tokens), -1, -1, -1))


def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
    return ensemble @ H.T


def batch(seed: int, number: int, latents: bool = False, pixels: int = 256) -> Batch:
    """A state at two dates, seen at both; the second is hidden, or none and the state is known."""
    source = generator(seed, number, 0.0, "truth")

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source, dtype=DOUBLE)

    root = torch.linalg.cholesky(PRIOR).T
    first = normal(pixels, 2) @ root
    second = PERSISTS * first + math.sqrt(1 - PERSISTS**2) * normal(pixels, 2) @ root
    seen = [z @ H.T + NOISE * normal(pixels, 3) for z in (first, second)]
    error, nothing = torch.full((pixels, 3), NOISE, dtype=DOUBLE), torch.zeros(pixels, 3)
    targets = [
        Acquisition(0.0, "toy", seen[0], torch.full_like(error, torch.inf), nothing),
        Acquisition(5.0, "toy", seen[1], error, nothing),
    ]
    known = torch.stack([first, second], 1) if latents else None
    if latents:
        targets = [a._replace(error=torch.full_like(error, torch.inf)) for a in targets]
    return Batch(seen[0], TIMES, targets, latents=known)


def exact(persists: float) -> tuple[Tensor, Tensor]:
    """Gain and covariance of the state that persists so much since the date that was shown."""
    s = H @ PRIOR @ H.T + NOISE**2 * torch.eye(3, dtype=DOUBLE)
    gain = persists * torch.linalg.solve(s, H @ PRIOR).T
    return gain, PRIOR - gain @ H @ PRIOR * persists


QUICK = Schedule(
    steps=400, learning_rate=0.05, warm_up=20, beta=0.0, every=100, contamination=0.0, patience=9
)


@pytest.mark.parametrize("latents", [False, True])
def test_the_optimum_is_the_exact_posterior(latents: bool) -> None:
    """Of the hidden date by its values, of the shown one by latents that are known."""
    encoder = Linear()
    training = begun(encoder, QUICK)
    validation = [batch(1, 0, latents, 4096)]
    looks = list(
        pretrain(
            training, QUICK, lambda n: batch(0, n, latents), validation, observe, PRIOR, seed=0
        )
    )
    assert [look.step for look in looks] == [100, 200, 300, 400]
    with torch.no_grad():
        q = encoder(validation[0].tokens, TIMES, None)
    for date, persists in enumerate((1.0, PERSISTS)):
        if date == 0 and not latents:
            continue  # nothing of it was asked
        gain, covariance = exact(persists)
        found = q.factor[0, date] @ q.factor[0, date].T
        torch.testing.assert_close(found, covariance, rtol=0.0, atol=0.03)
        torch.testing.assert_close(encoder.gain[date].detach(), gain, rtol=0.0, atol=0.03)
    # Share of the way from the prior to the exact posterior, in the score of the hidden values.
    points = simplex(2, 2, generator(0, 0, 0.0, "test"))
    if not latents:
        scored = {}
        lower = torch.linalg.cholesky(exact(PERSISTS)[1])
        best = Gaussian(
            torch.einsum("vc,pc->pv", exact(PERSISTS)[0], validation[0].tokens)[:, None].expand(
                -1, 2, -1
            ),
            lower.expand(4096, 2, 2, 2),
        )
        nothing = Gaussian(
            torch.zeros(4096, 2, 2, dtype=DOUBLE),
            torch.linalg.cholesky(PRIOR).expand(4096, 2, 2, 2),
        )
        for name, one in {"trained": q, "exact": best, "prior": nothing}.items():
            scored[name] = float(
                loss_of(one, validation[0], observe, PRIOR, points, 0.0).prediction
            )
        assert scored["exact"] <= scored["trained"] + 1e-3
        gained = scored["prior"] - scored["trained"]
        assert gained > 0.95 * (scored["prior"] - scored["exact"]) > 0.0


def test_points_have_exact_moments() -> None:
    points = simplex(3, 7, generator(0, 0, 0.0, "test"))
    assert points.shape == (3, 8, 7)
    torch.testing.assert_close(
        points.mean(1), torch.zeros(3, 7, dtype=DOUBLE), rtol=0.0, atol=1e-12
    )
    covariance = points.mT @ points / 7
    torch.testing.assert_close(covariance, torch.eye(7, dtype=DOUBLE).expand(3, 7, 7))
    assert (points[0] - points[1]).abs().max() > 0.1


def contrast(values: Tensor, sensor: str) -> Tensor:
    return values[..., 0] - values[..., 1]


def test_only_hidden_values_count() -> None:
    """What was not asked changes nothing, whatever its value; the parts are as written."""
    one = batch(0, 0)
    q = Gaussian(
        torch.zeros(256, 2, 2, dtype=DOUBLE), torch.linalg.cholesky(PRIOR).expand(256, 2, 2, 2)
    )
    points = simplex(2, 2, generator(0, 0, 0.0, "test"))
    loss = loss_of(q, one, observe, PRIOR, points, 0.0)
    other = one._replace(targets=[one.targets[0]._replace(values=one.tokens * 9), one.targets[1]])
    assert loss_of(q, other, observe, PRIOR, points, 0.0).prediction == loss.prediction
    s = H @ PRIOR @ H.T + NOISE**2 * torch.eye(3, dtype=DOUBLE)
    density = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=DOUBLE), s)
    mean = -density.log_prob(one.targets[1].values).mean() / 3
    assert float(loss.prediction) == pytest.approx(float(mean), rel=1e-9)
    assert float(loss.divergence) == pytest.approx(0.0, abs=1e-12)
    beside = loss_of(q, one, observe, PRIOR, points, 0.0, [Margin(2.0), Margin(3.0, contrast)])
    each = torch.distributions.Normal(torch.zeros(3, dtype=DOUBLE), s.diagonal().sqrt())
    apart = torch.distributions.Normal(0.0, (s[0, 0] + s[1, 1] - 2.0 * s[0, 1]).sqrt())
    wanted = 2.0 * each.log_prob(one.targets[1].values).mean()
    wanted = wanted + apart.log_prob(contrast(one.targets[1].values, "toy")).mean()
    assert float(loss.prediction - beside.prediction) == pytest.approx(float(wanted), rel=1e-9)
    moved = q._replace(mean=q.mean + 1.0)
    assert float(loss_of(moved, one, observe, PRIOR, points, 0.0).divergence) == pytest.approx(
        float(0.5 * torch.linalg.inv(PRIOR).sum()), rel=1e-9
    )


BRIEF = Schedule(steps=12, learning_rate=0.05, warm_up=2, every=3, beta=0.1)


def run(training: Training, stop: int | None = None) -> list[Look]:
    looks = []
    for look in pretrain(
        training, BRIEF, lambda n: batch(0, n, pixels=16), [batch(1, 0)], observe, PRIOR, seed=0
    ):
        looks.append(look)
        if look.step == stop:
            break
    return looks


def test_an_interrupted_training_gives_the_same_bits() -> None:
    whole = begun(Linear(), BRIEF)
    run(whole)
    first = begun(Linear(), BRIEF)
    run(first, stop=6)
    held, told = checkpoint(first)
    second = begun(Linear(), BRIEF)
    restore(second, held, told)
    assert second.step == 6
    run(second)
    assert second.looks == whole.looks
    for (name, one), other in zip(
        checkpoint(whole)[0].items(), checkpoint(second)[0].values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_a_checkpoint_of_another_encoder_is_refused() -> None:
    training = begun(Linear(), BRIEF)
    run(training, stop=3)
    held, told = checkpoint(training)
    changes = [
        {**held, "weight.gain": held["weight.gain"][:1]},
        {k: v for k, v in held.items() if not k.startswith("square.")},
        {**held, "other.gain": held["weight.gain"]},
    ]
    for wrong in changes:
        with pytest.raises(InputError, match="another encoder"):
            restore(begun(Linear(), BRIEF), wrong, told)
    with pytest.raises(InputError, match="step"):
        restore(begun(Linear(), BRIEF), held, {**told, "step": "six"})


def test_training_ends_when_it_gets_no_better() -> None:
    training = begun(Linear(), BRIEF)
    patient = Schedule(patience=2)
    losses = [3.0, 2.0, 2.5, 2.0]
    for k, value in enumerate(losses):
        training.looks.append(Look(k, 0.0, value, 0.0, 0))
        assert tired(training, patient) == (k == 3)


def test_the_best_weights_are_kept() -> None:
    """A rate that ruins the encoder after a good start does not ruin what is left at the end."""
    training = begun(Linear(), QUICK)
    wild = Schedule(steps=40, learning_rate=3.0, warm_up=1, every=1, beta=0.0, patience=3)
    looks = list(
        pretrain(training, wild, lambda n: batch(0, n), [batch(1, 0)], observe, PRIOR, seed=0)
    )
    assert training.best_look == min(looks, key=lambda look: look.validation)
    held = weights(training.encoder)
    assert all(torch.equal(held[name], best) for name, best in training.best.items())
    assert not math.isnan(looks[-1].validation)


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    def broken(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        return observe(ensemble, acquisition) * torch.nan

    training = begun(Linear(), BRIEF)
    with pytest.raises(InputError, match="learning_rate"):
        list(pretrain(training, BRIEF, lambda n: batch(0, n), [batch(1, 0)], broken, PRIOR, seed=0))
