"""The fixed-interval smoother against the textbook pass on means and covariances.

The ensembles are exact to second order: all noise is cut from one set of centred, mutually
orthogonal columns, so that sample covariances are what they should be, without sampling error.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, rts
from releo_da.types import Acquisition, InputError, State, Step

DOUBLE = torch.float64
MEMBERS = 40
TIMES = [0.0, 3.0, 3.0, 10.0, 11.5, 30.0]
P0 = torch.tensor([[2.0, 0.6], [0.6, 1.0]], dtype=DOUBLE)
H = torch.tensor([[1.0, 0.0], [0.5, 1.0]], dtype=DOUBLE)
R = 0.3


def transition(days: float) -> tuple[Tensor, Tensor]:
    """A damped rotation with the noise that keeps P0 stationary: Q = P0 - F P0 F'."""
    angle, decay = torch.tensor(0.15 * days, dtype=DOUBLE), 0.97**days
    turn = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    root = torch.linalg.cholesky(P0)
    f = decay * root @ turn @ torch.linalg.inv(root)
    return f, P0 - f @ P0 @ f.T


def data(pixels: int) -> tuple[Tensor, Tensor]:
    """Observations and precision, ``[time, pixel, channel]``; some values were not seen."""
    rng = torch.Generator().manual_seed(1)
    y = torch.randn(len(TIMES), pixels, 2, generator=rng, dtype=DOUBLE)
    precision = torch.full_like(y, 1.0 / R)
    precision[1, 0, 1] = 0.0
    precision[3] = 0.0
    return y, precision


def columns(pixels: int) -> Tensor:
    """Noise ``[pixel, member, 2 per time]``: centred, uncorrelated, of unit variance."""
    rng = torch.Generator().manual_seed(2)
    draws = torch.randn(pixels, MEMBERS, 2 * len(TIMES), generator=rng, dtype=DOUBLE)
    ones = torch.ones(pixels, MEMBERS, 1, dtype=DOUBLE)
    q, _ = torch.linalg.qr(torch.cat([ones, draws], -1))
    return q[..., 1:] * (MEMBERS - 1) ** 0.5


def square_root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0.0).sqrt()


def filtered(pixels: int = 2, quiet: bool = False) -> list[Step]:
    """The steps of a filter run from N(0, P0); ``quiet`` leaves the model noise out."""
    y, precision = data(pixels)
    noise = columns(pixels)
    ensemble, last, steps = noise[..., :2] @ torch.linalg.cholesky(P0).T, TIMES[0], []
    for k, time in enumerate(TIMES):
        f, q = transition(time - last)
        ensemble = ensemble @ f.T
        if k and not quiet:
            ensemble = ensemble + noise[..., 2 * k : 2 * k + 2] @ square_root(q).T
        background = State(time, ensemble, torch.arange(pixels))
        result = etkf(ensemble, lambda x: x @ H.T, y[k], precision[k], torch.zeros, {})
        seen = Acquisition(time, "any", y[k], precision[k].rsqrt(), torch.zeros(pixels, 3))
        after = background._replace(ensemble=result.ensemble)
        steps.append(Step(seen, background, after, result.predicted, result.precision))
        ensemble, last = result.ensemble, time
    return steps


def textbook(pixel: int) -> list[tuple[Tensor, Tensor]]:
    """Rauch, Tung and Striebel on mean and covariance, with inverses and dropped channels."""
    y, precision = data(2)
    mean, p, last = torch.zeros(2, dtype=DOUBLE), P0, TIMES[0]
    forecasts, analyses, transitions = [], [], []
    for k, time in enumerate(TIMES):
        f, q = transition(time - last)
        mean, p = f @ mean, f @ p @ f.T + q
        forecasts.append((mean, p))
        transitions.append(f)
        seen = precision[k, pixel] > 0
        h = H[seen]
        gain = p @ h.T @ torch.linalg.inv(h @ p @ h.T + R * torch.eye(len(h), dtype=DOUBLE))
        mean, p = mean + gain @ (y[k, pixel][seen] - h @ mean), p - gain @ h @ p
        analyses.append((mean, p))
        last = time
    smoothed = [analyses[-1]]
    for k in range(len(TIMES) - 2, -1, -1):
        (m, p), (m_f, p_f), (m_s, p_s) = analyses[k], forecasts[k + 1], smoothed[0]
        gain = p @ transitions[k + 1].T @ torch.linalg.inv(p_f)
        smoothed.insert(0, (m + gain @ (m_s - m_f), p + gain @ (p_s - p_f) @ gain.T))
    return smoothed


@pytest.mark.parametrize("exact", [None, transition], ids=["ensemble", "transition"])
def test_mean_and_covariance_are_those_of_the_textbook(exact: Callable | None) -> None:
    smoothed = rts(filtered(), exact, ridge=0.0)
    assert len(smoothed) == len(TIMES)
    for pixel in range(2):
        for ensemble, (mean, p) in zip(smoothed, textbook(pixel), strict=True):
            torch.testing.assert_close(ensemble[pixel].mean(0), mean, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(ensemble[pixel].T.cov(), p, rtol=1e-9, atol=1e-9)


def test_smoothed_members_are_trajectories() -> None:
    """Member i at two times is one draw: covariances between times are those of the posterior.

    The oracle conditions the covariance of the whole trajectory on all observations at once.
    """
    smoothed = torch.cat(rts(filtered(), ridge=0.0), -1)  # [pixel, member, 2 per time]
    count = len(TIMES)
    prior = torch.zeros(2 * count, 2 * count, dtype=DOUBLE)
    for i in range(count):
        for j in range(i + 1):
            step, _ = transition(TIMES[i] - TIMES[j])
            prior[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = step @ P0
            prior[2 * j : 2 * j + 2, 2 * i : 2 * i + 2] = (step @ P0).T
    _, precision = data(2)
    for pixel in range(2):
        seen = precision[:, pixel].flatten() > 0
        h = torch.block_diag(*[H] * count)[seen]
        gain = prior @ h.T @ torch.linalg.inv(h @ prior @ h.T + R * torch.eye(len(h)))
        exact = prior - gain @ h @ prior
        torch.testing.assert_close(smoothed[pixel].T.cov(), exact, rtol=1e-8, atol=1e-8)


def test_smoothing_uses_the_future() -> None:
    """Not vacuous: the smoothed spread is smaller than the analysis spread, except at the end."""
    steps = filtered()
    smoothed = rts(steps)
    for step, ensemble in zip(steps[:-1], smoothed[:-1], strict=True):
        assert (ensemble.std(1) < 0.999 * step.analysis.spread).all()
    assert torch.equal(smoothed[-1], steps[-1].analysis.ensemble)


def test_small_ridge_and_float32_stay_close() -> None:
    exact = rts(filtered(), ridge=0.0)
    single = [
        step._replace(
            background=step.background._replace(ensemble=step.background.ensemble.float()),
            analysis=step.analysis._replace(ensemble=step.analysis.ensemble.float()),
        )
        for step in filtered()
    ]
    for gain in (None, transition):
        for a, b in zip(exact, rts(single, gain), strict=True):
            assert b.dtype == torch.float32
            assert (a - b).abs().max() < 1e-3


def test_steps_at_one_time_have_one_smoothed_state() -> None:
    smoothed = rts(filtered())
    assert TIMES[1] == TIMES[2]
    torch.testing.assert_close(smoothed[1], smoothed[2], rtol=1e-14, atol=1e-14)


def test_without_model_noise_members_are_traced_back() -> None:
    """The smoothed member is its own final analysis taken back through the model (= the EnKS)."""
    steps = filtered(quiet=True)
    smoothed = rts(steps, ridge=0.0)
    back, _ = transition(TIMES[-1] - TIMES[0])
    expected = steps[-1].analysis.ensemble @ torch.linalg.inv(back).T
    torch.testing.assert_close(smoothed[0], expected, rtol=1e-8, atol=1e-8)


def test_damping_lies_between_filter_and_smoother() -> None:
    steps = filtered()
    analysis, full = steps[0].analysis.ensemble, rts(steps)[0]
    damped = [rts(steps, damping=d)[0] for d in (0.5, 1e-9)]
    assert (damped[0] - analysis).norm() < (full - analysis).norm()
    torch.testing.assert_close(damped[1], analysis)


def stiff_steps(members: int, latents: int, number: torch.dtype) -> list[Step]:
    """Latents of spreads from 1e-4 to 1e4, two of them alike and one without any spread."""
    rng = torch.Generator().manual_seed(3)
    scale = torch.logspace(-4, 4, latents, dtype=number)
    after = torch.randn(3, members, latents, generator=rng).to(number)
    after[..., 1] = after[..., 0]
    after[..., 2] = 0.0
    noise = torch.randn(3, members, latents, generator=rng).to(number)
    noise[..., 1], noise[..., 2] = noise[..., 0], 0.0
    before = 0.9 * after + 0.4 * noise
    y = torch.zeros(3, 0).to(number)
    nothing = Acquisition(0.0, "any", y, y, torch.zeros(3, 3))

    def step(time: float, background: Tensor, analysis: Tensor) -> Step:
        states = (State(time, x * scale, torch.arange(3)) for x in (background, analysis))
        return Step(nothing, *states, y[:, None], y)

    return [step(0.0, after, after), step(1.0, before, 0.5 * before)]


@pytest.mark.parametrize("members", [6, 64])
@pytest.mark.parametrize("number", [torch.float32, torch.float64], ids=str)
def test_singular_covariances(members: int, number: torch.dtype) -> None:
    """Fewer members than latents, copies, no spread, scales 1e8 apart: finite and sensible."""
    steps = stiff_steps(members, 12, number)
    smoothed = rts(steps)[0]
    scale = torch.logspace(-4, 4, 12, dtype=number)
    assert torch.isfinite(smoothed).all()
    assert (smoothed[..., 2] == 0.0).all()
    unit = smoothed / scale
    torch.testing.assert_close(unit[..., 1], unit[..., 0], rtol=0.0, atol=0.02)
    assert (unit.std(1)[:, 3:] < (steps[0].analysis.spread / scale)[:, 3:]).all()
    assert unit.abs().max() < 5.0


def test_a_latent_without_spread_needs_no_ridge() -> None:
    steps = [
        step._replace(
            background=step.background._replace(ensemble=with_constant(step.background.ensemble)),
            analysis=step.analysis._replace(ensemble=with_constant(step.analysis.ensemble)),
        )
        for step in filtered()
    ]
    for a, b in zip(rts(steps, ridge=0.0), rts(filtered(), ridge=0.0), strict=True):
        torch.testing.assert_close(a, with_constant(b))


def with_constant(ensemble: Tensor) -> Tensor:
    return torch.cat([ensemble, torch.full_like(ensemble[..., :1], 7.0)], -1)


def test_a_broken_pixel_breaks_no_other_and_inputs_stay() -> None:
    steps = filtered(4)
    before = [step.analysis.ensemble.clone() for step in steps]
    whole = rts(steps)
    assert all(torch.equal(s.analysis.ensemble, b) for s, b in zip(steps, before, strict=True))
    steps[2].analysis.ensemble[1] = torch.nan
    for a, b in zip(rts(steps), whole, strict=True):
        assert torch.equal(a[[0, 2, 3]], b[[0, 2, 3]])


def test_bad_requests_are_refused() -> None:
    steps = filtered()
    with pytest.raises(InputError, match="time order"):
        rts(steps[::-1])
    with pytest.raises(InputError, match="damping must lie in"):
        rts(steps, damping=0.0)
    with pytest.raises(InputError, match="ridge must not be negative"):
        rts(steps, ridge=-1.0)
    assert rts([]) == []
