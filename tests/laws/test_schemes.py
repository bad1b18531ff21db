"""The laws, over every scheme. Which scheme declares which law is in `conftest.py`.

The oracle is the textbook Kalman update in float64, written with inverses and without masks: a
channel of precision 0 is dropped before it sees it.
"""

import inspect
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import releo_da.assimilation as assimilation
from releo_da.types import Analysis, Noise, Scheme

DOUBLE = torch.float64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cut(table: Tensor) -> Noise:
    """Noise as a corner of one fixed table: dropping a pixel or channel keeps what is left."""

    def noise(shape: Sequence[int]) -> Tensor:
        pixel, member, last = shape
        return table[:pixel, :member, :last]

    return noise


class Problem:
    """A linear operator, observations and a background: ``[pixel, member, latent]``."""

    def __init__(self, pixels: int, members: int, latents: int, channels: int, seed: int) -> None:
        rng = generator(seed)

        def randn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=rng, dtype=DOUBLE)

        mixing = randn(latents, latents) + 2.0 * torch.eye(latents, dtype=DOUBLE)
        self.prior = randn(pixels, members, latents) @ mixing + randn(pixels, 1, latents)
        self.h = randn(latents, channels)
        self.y = randn(pixels, channels)
        self.precision = torch.exp(randn(pixels, channels))

    def observe(self, ensemble: Tensor) -> Tensor:
        return ensemble @ self.h

    def analyse(self, scheme: Scheme, noise: Noise) -> Analysis:
        return scheme(self.prior, self.observe, self.y, self.precision, noise, {})


def kalman(problem: Problem, pixel: int) -> tuple[Tensor, Tensor]:
    """Textbook mean and covariance of one pixel, with unseen channels dropped."""
    seen = problem.precision[pixel] > 0
    h, y = problem.h[:, seen].T, problem.y[pixel][seen]
    mean, p = problem.prior[pixel].mean(0), torch.atleast_2d(problem.prior[pixel].T.cov())
    gain = (
        p @ h.T @ torch.linalg.inv(h @ p @ h.T + torch.diag(1.0 / problem.precision[pixel][seen]))
    )
    return mean + gain @ (y - h @ mean), p - gain @ h @ p


def covariance(ensemble: Tensor) -> Tensor:
    """Sample covariance per pixel, ``[pixel, latent, latent]``."""
    a = ensemble - ensemble.mean(1, keepdim=True)
    return a.mT @ a / (ensemble.shape[1] - 1)


shapes = st.tuples(
    st.integers(1, 3), st.integers(2, 12), st.integers(1, 5), st.integers(0, 4), st.integers(0, 999)
)


def test_every_scheme_is_declared(cases: list) -> None:
    """Each public function that is a scheme or makes one stands in the table of cases."""
    public = {
        name
        for name in assimilation.__all__
        if {"prior", "scheme"} & set(inspect.signature(getattr(assimilation, name)).parameters)
    }
    elsewhere = {"grouped", "neighbours"}  # through `localized`; test_localization: pixels mix
    assert elsewhere < public and len(public) >= 15
    assert public - elsewhere <= {case.name for case in cases}
    assert {"letkf", "sl_eakf"} <= {case.name for case in cases}
    assert {law for case in cases for law in case.laws} == {
        "mean", "covariance", "members", "serial"
    }  # fmt: skip


@pytest.mark.law("mean", "exact")
@settings(max_examples=15)
@given(shape=shapes, hidden=st.integers(0, 15))
def test_mean_is_the_kalman_mean(case, table: Tensor, shape: tuple[int, ...], hidden: int) -> None:
    problem = Problem(*shape)
    mask = torch.tensor([bool(hidden >> c & 1) for c in range(shape[3])], dtype=torch.bool)
    problem.precision[0, mask] = 0.0
    analysis = problem.analyse(case.scheme, cut(table)).ensemble
    for pixel in range(shape[0]):
        mean, _ = kalman(problem, pixel)
        torch.testing.assert_close(analysis[pixel].mean(0), mean, rtol=1e-9, atol=1e-9)


@pytest.mark.law("covariance", "exact")
@settings(max_examples=15)
@given(shape=shapes, hidden=st.integers(0, 15))
def test_covariance_is_the_kalman_covariance(
    case, table: Tensor, shape: tuple[int, ...], hidden: int
) -> None:
    problem = Problem(*shape)
    mask = torch.tensor([bool(hidden >> c & 1) for c in range(shape[3])], dtype=torch.bool)
    problem.precision[0, mask] = 0.0
    analysis = covariance(problem.analyse(case.scheme, cut(table)).ensemble)
    for pixel in range(shape[0]):
        _, expected = kalman(problem, pixel)
        if (problem.precision[pixel] > 0).any():
            expected = case.scale * expected
        torch.testing.assert_close(analysis[pixel], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.law("covariance", "in distribution")
def test_mean_and_covariance_in_distribution(case) -> None:
    """10,000 members: each moment within 4 standard errors."""
    members = 10_000
    problem = Problem(1, members, 3, 2, seed=11)
    rng = generator(12)

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=DOUBLE)

    analysis = problem.analyse(case.scheme, noise).ensemble
    mean, expected = kalman(problem, 0)
    expected = case.scale * expected
    variance = expected.diagonal()
    standard_error = (variance / members).sqrt()
    assert ((analysis[0].mean(0) - mean).abs() < 4.0 * standard_error).all()
    wishart_error = ((expected.square() + variance[:, None] * variance) / members).sqrt()
    assert ((covariance(analysis)[0] - expected).abs() < 4.0 * wishart_error).all()


def test_precision_zero_is_a_no_op(case, table: Tensor) -> None:
    """Bit by bit, and pixel by pixel: the third pixel sees something, the others nothing."""
    problem = Problem(3, 8, 4, 5, seed=1)
    problem.precision[:2] = 0.0
    analysis = problem.analyse(case.scheme, cut(table))
    assert torch.equal(analysis.ensemble[:2], problem.prior[:2])
    assert (analysis.precision[:2] == 0).all()
    everything = Problem(3, 8, 4, 0, seed=1)
    assert torch.equal(everything.analyse(case.scheme, cut(table)).ensemble, everything.prior)


def test_the_value_of_a_masked_channel_does_not_matter(case, table: Tensor) -> None:
    problem = Problem(3, 8, 4, 5, seed=1)
    problem.precision[:, 2] = 0.0
    before = problem.analyse(case.scheme, cut(table)).ensemble
    problem.y[:, 2] += 1000.0
    assert torch.equal(problem.analyse(case.scheme, cut(table)).ensemble, before)


def test_a_masked_channel_equals_a_dropped_one(case, table: Tensor) -> None:
    masked = Problem(3, 8, 4, 5, seed=2)
    masked.precision[:, 3:] = 0.0
    dropped = Problem(3, 8, 4, 5, seed=2)
    dropped.h, dropped.y = dropped.h[:, :3], dropped.y[:, :3]
    dropped.precision = dropped.precision[:, :3]
    with_mask = masked.analyse(case.scheme, cut(table))
    without = dropped.analyse(case.scheme, cut(table))
    torch.testing.assert_close(with_mask.ensemble, without.ensemble, rtol=1e-11, atol=1e-11)
    assert torch.equal(with_mask.precision[:, :3], without.precision)


@pytest.mark.law("members")
def test_permuting_members_permutes_the_analysis(case, table: Tensor) -> None:
    problem = Problem(3, 8, 4, 3, seed=3)
    order = torch.randperm(8, generator=generator(4))
    before = problem.analyse(case.scheme, cut(table)).ensemble
    problem.prior = problem.prior[:, order]
    after = problem.analyse(case.scheme, cut(table[:, :8][:, order])).ensemble
    torch.testing.assert_close(after, before[:, order], rtol=1e-11, atol=1e-11)


@pytest.mark.law("serial")
def test_serial_equals_joint(case) -> None:
    """One channel after the other, against all at once: the same mean and covariance."""
    in_distribution = case.laws["serial"] != "exact"
    members = 10_000 if in_distribution else 9
    problem = Problem(1 if in_distribution else 3, members, 3, 3, seed=6)
    rng = generator(7)

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=DOUBLE)

    joint = problem.analyse(case.scheme, noise).ensemble
    serial = problem.prior
    for c in range(3):
        only = torch.zeros_like(problem.precision)
        only[:, c] = problem.precision[:, c]
        serial = case.scheme(serial, problem.observe, problem.y, only, noise, {}).ensemble
    p = covariance(joint)
    variance = p.diagonal(dim1=-2, dim2=-1)
    if in_distribution:
        # both sides are random: a difference has twice the variance of one
        mean_error = 4.0 * (2.0 * variance / members).sqrt()
        error = (
            4.0 * (2.0 * (p.square() + variance[:, :, None] * variance[:, None]) / members).sqrt()
        )
    else:
        mean_error, error = torch.tensor(1e-10), torch.tensor(1e-10)
    assert ((serial.mean(1) - joint.mean(1)).abs() < mean_error).all()
    assert ((covariance(serial) - p).abs() < error).all()


@pytest.mark.parametrize("number", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [16, 48])
def test_chunks_do_not_change_a_bit(case, number: torch.dtype, size: int, table: Tensor) -> None:
    """The result of a pixel does not depend on the pixels that share its chunk (one thread).

    Chunks are multiples of 16 pixels (those of a run, of 256), so that every pixel keeps its place
    within a 64-byte line: MKL's small products round differently at another one.
    """
    rng = generator(8)
    pixels, members, latents, channels = 64, 16, 6, 5
    prior = torch.randn(pixels, members, latents, generator=rng).to(number)
    h = torch.randn(latents, channels, generator=rng).to(number)
    y = torch.randn(pixels, channels, generator=rng).to(number)
    precision = 5.0 * torch.rand(pixels, channels, generator=rng).to(number)
    precision[::3, 1] = 0.0
    draws = table.to(number)

    def run(part: slice) -> Tensor:
        noise = cut(draws[part])
        return case.scheme(
            prior[part], lambda x: torch.tanh(x @ h), y[part], precision[part], noise, {}
        ).ensemble

    whole = run(slice(None))
    parts = [run(slice(start, start + size)) for start in range(0, pixels, size)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(whole, prior)


def test_a_broken_pixel_breaks_no_other(case, table: Tensor) -> None:
    problem = Problem(4, 8, 3, 3, seed=9)
    whole = problem.analyse(case.scheme, cut(table)).ensemble
    problem.prior[1, 2, 0] = torch.nan
    broken = problem.analyse(case.scheme, cut(table)).ensemble
    assert torch.equal(broken[[0, 2, 3]], whole[[0, 2, 3]])


def test_inputs_are_not_modified(case, table: Tensor) -> None:
    problem = Problem(3, 8, 4, 3, seed=10)
    memory = {"kept": torch.ones(3)}
    inputs = (problem.prior, problem.y, problem.precision, problem.h)
    before = [x.clone() for x in inputs]
    analysis = case.scheme(
        problem.prior, problem.observe, problem.y, problem.precision, cut(table), memory
    )
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))
    assert list(memory) == ["kept"] and torch.equal(memory["kept"], torch.ones(3))
    assert torch.equal(analysis.memory["kept"], torch.ones(3))


def test_what_is_returned_and_how_often_the_operator_is_used(case, table: Tensor) -> None:
    problem = Problem(3, 8, 4, 3, seed=10)
    problem.precision[1, 2] = 0.0
    calls = []

    def observe(ensemble: Tensor) -> Tensor:
        calls.append(ensemble)
        return torch.tanh(ensemble @ problem.h)

    analysis = case.scheme(problem.prior, observe, problem.y, problem.precision, cut(table), {})
    assert analysis.ensemble.shape == problem.prior.shape
    assert torch.equal(analysis.predicted, torch.tanh(problem.prior @ problem.h))
    used = analysis.precision > 0
    assert torch.equal(analysis.precision[used], problem.precision[used])
    assert not used[1, 2]
    assert 1 <= len(calls) <= case.evaluations
    assert calls[0] is problem.prior


def nonlinear(scheme: Scheme, h: Tensor, noise: Noise) -> Callable[..., Tensor]:
    """The analysis as a function of what gradients are asked for."""

    def run(prior: Tensor, y: Tensor, precision: Tensor, weight: Tensor) -> Tensor:
        def observe(x: Tensor) -> Tensor:
            return torch.tanh(weight * (x @ h))

        return scheme(prior, observe, y, precision, noise, {}).ensemble

    return run


@pytest.mark.needs("gradients")
def test_gradients_are_right(case, table: Tensor) -> None:
    """gradcheck: prior, observations, precision, and a parameter of the operator."""
    problem = Problem(2, 5, 3, 2, seed=13)
    run = nonlinear(case.scheme, problem.h / 4, cut(table))
    inputs = (0.3 * problem.prior, 0.3 * problem.y, problem.precision, torch.tensor(0.9).double())
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    run(*inputs).square().sum().backward()
    assert all(x.grad is not None and x.grad.abs().max() > 0 for x in inputs)


def test_gradients_reach_the_parameter_of_a_scheme(cases: list, table: Tensor) -> None:
    tuned = [case for case in cases if case.tuned is not None]
    assert {case.name for case in tuned} >= {"inflated", "relaxed", "relaxed_spread", "enkf_n"}
    problem = Problem(2, 5, 3, 2, seed=14)
    for case in tuned:
        factor = torch.tensor(0.6, dtype=DOUBLE, requires_grad=True)

        def run(factor: Tensor, make: Callable[[Tensor], Scheme] = case.tuned) -> Tensor:
            return problem.analyse(make(factor), cut(table)).ensemble

        assert torch.autograd.gradcheck(run, (factor,))
        run(factor).square().sum().backward()
        assert factor.grad is not None and factor.grad.abs() > 0


@pytest.mark.needs("gradients")
@pytest.mark.parametrize("hidden", ["all", "one channel", "one pixel"])
def test_gradients_stay_finite_where_nothing_was_seen(case, hidden: str, table: Tensor) -> None:
    problem = Problem(2, 5, 3, 2, seed=15)
    where = {"all": ..., "one channel": (slice(None), 1), "one pixel": 0}[hidden]
    problem.precision[where] = 0.0
    inputs = [x.requires_grad_() for x in (problem.prior, problem.y, problem.precision)]
    problem.analyse(case.scheme, cut(table)).ensemble.square().sum().backward()
    for x in inputs:
        assert x.grad is None or torch.isfinite(x.grad).all()
    prior_gradient = problem.prior.grad
    assert prior_gradient is not None and prior_gradient.abs().max() > 0


@pytest.mark.needs("device")
def test_it_runs_where_its_tensors_are(case) -> None:
    """Under fake tensors on an accelerator: one tensor of the host, or one wait, is an error.

    A build of torch without CUDA can not index fake tensors of CUDA; there `meta` is that device.
    """
    device = torch.device("cuda" if torch.backends.cuda.is_built() else "meta")
    with FakeTensorMode():
        prior, h = (torch.empty(3, n, 4, device=device) for n in (8, 5))
        y, precision = (torch.empty(3, 5, device=device) for _ in range(2))
        analysis = case.scheme(
            prior,
            lambda x: torch.tanh(x @ h.mT),
            y,
            precision,
            lambda shape: torch.empty(tuple(shape), device=device),
            {},
        )
        assert {t.device.type for t in analysis[:3]} == {device.type}
        assert analysis.ensemble.shape == prior.shape


def test_one_member_is_refused(case, table: Tensor) -> None:
    with pytest.raises(ValueError, match="at least 2 members"):
        Problem(2, 1, 3, 2, seed=16).analyse(case.scheme, cut(table))
