"""Impact of channels: closed forms of the linear-Gaussian case, exactly."""

import math

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, inflated, multiple, relaxed, relaxed_spread, whitened
from releo_da.assimilation.consistency import innovations
from releo_da.assimilation.impact import (
    gain,
    impact,
    impact_rows,
    impact_sums,
    observation_impact,
    told,
)

DOUBLE = torch.float64
PIXELS, MEMBERS, LATENTS, CHANNELS = 40, 12, 5, 4


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


class Case:
    """A linear operator, a truth, observations with gaps, and the analysis of a scheme."""

    def __init__(
        self, correlation: float = 0.0, wrap=lambda scheme: scheme, error: float = 1.0
    ) -> None:
        self.h = randn(LATENTS, CHANNELS, seed=1)
        self.truth = randn(PIXELS, LATENTS, seed=2)
        self.prior = randn(PIXELS, MEMBERS, LATENTS, seed=3) + randn(PIXELS, 1, LATENTS, seed=4)
        r = error * torch.tensor([0.3, 1.0, 0.5, 2.0], dtype=DOUBLE)
        eye = torch.eye(CHANNELS, dtype=DOUBLE)
        self.c = correlation + (1 - correlation) * eye
        noise = randn(PIXELS, CHANNELS, seed=5) @ torch.linalg.cholesky(self.c).T * r
        self.y = self.truth @ self.h + noise
        self.precision = r.pow(-2).repeat(PIXELS, 1)
        self.precision[:10, 1] = 0.0
        self.precision[5:12, 3] = 0.0
        self.precision[0] = 0.0
        scheme = wrap(whitened(etkf, correlation) if correlation else etkf)
        found = scheme(self.prior, self.observe, self.y, self.precision, torch.zeros, {})
        self.analysis, self.correlation = found.ensemble, correlation
        self.predicted, self.analysed = self.observe(self.prior), self.observe(self.analysis)
        self.before = self.prior.mean(1) - self.truth
        self.after = self.analysis.mean(1) - self.truth

    def observe(self, ensemble: Tensor) -> Tensor:
        return ensemble @ self.h

    def impact(self) -> Tensor:
        d = self.y - self.predicted.mean(1)
        return impact(
            self.prior, self.predicted, d, self.precision, self.before, self.after,
            self.correlation,
        )  # fmt: skip


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_gain_is_the_kalman_gain_and_its_trace_the_information(correlation: float) -> None:
    case = Case(correlation)
    found = gain(case.prior, case.predicted, case.precision, correlation)
    for pixel in (0, 7, 20):
        seen = case.precision[pixel] > 0
        h = case.h[:, seen].T
        b = torch.cov(case.prior[pixel].T)
        root = case.precision[pixel, seen].rsqrt()
        r = root[:, None] * case.c[seen][:, seen] * root
        expected = torch.zeros(LATENTS, CHANNELS, dtype=DOUBLE)
        expected[:, seen] = b @ h.T @ torch.linalg.inv(h @ b @ h.T + r)
        torch.testing.assert_close(found[pixel], expected)
    seen_by = gain(case.predicted, case.predicted, case.precision, correlation)
    told = innovations(case.predicted, case.y, case.precision, correlation)
    torch.testing.assert_close(seen_by.diagonal(dim1=-2, dim2=-1), told.signal)
    torch.testing.assert_close(told.signal.sum(1), told.dfs)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_impacts_of_channels_add_up_to_the_change_of_the_squared_error(correlation: float) -> None:
    case = Case(correlation)
    found = case.impact()
    assert found.shape == (PIXELS, LATENTS, CHANNELS)
    torch.testing.assert_close(found.sum(-1), case.after**2 - case.before**2)
    assert not found[0].any() and not found[5, :, 3].any()
    misfit = [(e.mean(1) - case.y) ** 2 * case.precision for e in (case.analysed, case.predicted)]
    told = observation_impact(case.predicted, case.analysed, case.y, case.precision, correlation)
    torch.testing.assert_close(told.sum(1), (misfit[0] - misfit[1]).sum(1))


def test_one_channel_of_one_number_by_hand() -> None:
    """Background N(0, 1), y = 2 with R = 1, truth 1: K = 1/2, the error falls from -1 to 0."""
    prior = torch.tensor([[[-1.0], [0.0], [1.0]]], dtype=DOUBLE)
    y, precision = torch.tensor([[2.0]], dtype=DOUBLE), torch.ones(1, 1, dtype=DOUBLE)
    analysis = etkf(prior, lambda x: x, y, precision, torch.zeros, {}).ensemble
    after = analysis.mean(1) - 1.0
    found = impact(prior, prior, y, precision, torch.full_like(y, -1.0), after)
    torch.testing.assert_close(found, torch.full((1, 1, 1), -1.0, dtype=DOUBLE))
    half = torch.full((1, 1, 1), 0.5, dtype=DOUBLE)
    torch.testing.assert_close(gain(prior, prior, precision), half)


def test_a_channel_whose_error_is_larger_than_said_does_harm() -> None:
    """Three equal channels, the last ten times noisier than said: only its impact is above 0."""
    truth = randn(3000, 1, seed=1)
    prior = truth[:, None] + randn(3000, 1, 1, seed=2) + randn(3000, 60, 1, seed=3)
    sd = torch.tensor([1.0, 1.0, 10.0], dtype=DOUBLE)
    y = truth + sd * randn(3000, 3, seed=4)
    precision = torch.ones_like(y)

    def observe(x: Tensor) -> Tensor:
        return x.expand(-1, -1, 3)

    analysis = etkf(prior, observe, y, precision, torch.zeros, {}).ensemble
    before, after = prior.mean(1) - truth, analysis.mean(1) - truth
    d = y - observe(prior).mean(1)
    found = impact(prior, observe(prior), d, precision, before, after)
    rows = impact_rows(impact_sums(found, before, after, precision), ["x"], ["a", "b", "c"])
    each = rows["x"]["channels"]
    assert each["a"]["impact"] < 0 and each["b"]["impact"] < 0 < each["c"]["impact"]
    assert each["a"]["beneficial"] > each["c"]["beneficial"]
    assert math.isclose(rows["x"]["explained"], 1.0)
    total = sum(one["impact"] for one in each.values())
    assert math.isclose(total, rows["x"]["change"])
    assert math.isclose(rows["x"]["change"], float((after**2 - before**2).mean()))


def test_no_share_is_told_of_a_change_in_which_gains_and_losses_cancel() -> None:
    """Pixels gain 1 and lose 0.9: of a moved 0.95 a change of 0.05 is left; with 0.7 it is 0.15."""
    after = torch.tensor([[0.0], [1.9**0.5]], dtype=DOUBLE)
    before, precision = torch.ones_like(after), torch.ones_like(after)
    found = (after**2 - before**2 + 0.1)[..., None]
    row = impact_rows(impact_sums(found, before, after, precision), ["x"], ["a"])["x"]
    assert math.isclose(row["change"], -0.05) and math.isclose(row["moved"], 0.95)
    assert math.isnan(row["explained"])
    after[1] = 1.7**0.5
    row = impact_rows(impact_sums(found, before, after, precision), ["x"], ["a"])["x"]
    assert math.isclose(row["change"], -0.15) and math.isclose(row["explained"], -1 / 3)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda scheme: relaxed(scheme, 0.4),
        lambda scheme: relaxed_spread(scheme, 0.7),
        lambda scheme: inflated(scheme, 1.2),
        lambda scheme: relaxed(multiple(scheme, 2), 0.4),
    ],
)
def test_what_is_done_to_the_anomalies_afterwards_changes_no_impact(
    wrap, correlation: float
) -> None:
    """Sharp observations, of which relaxation gives most of the spread back."""
    case = Case(correlation, wrap, error=0.05)
    plain = Case(correlation, error=0.05)
    assert case.analysis.std(1).mean() > 1.05 * plain.analysis.std(1).mean()
    found = case.impact()
    torch.testing.assert_close(found, plain.impact())
    sums = impact_sums(found, case.before, case.after, case.precision)
    names = [f"x{k}" for k in range(LATENTS)], [f"c{k}" for k in range(CHANNELS)]
    for row in impact_rows(sums, *names).values():
        assert math.isclose(row["explained"], 1.0)
    misfit = [(e.mean(1) - case.y) ** 2 * case.precision for e in (case.analysed, case.predicted)]
    told = observation_impact(case.predicted, case.analysed, case.y, case.precision, correlation)
    torch.testing.assert_close(told.sum(1), (misfit[0] - misfit[1]).sum(1))


def test_parts_add_up_and_what_is_not_finite_counts_for_nothing() -> None:
    case = Case()
    found = case.impact()
    whole = impact_sums(found, case.before, case.after, case.precision)
    parts = [
        impact_sums(found[p], case.before[p], case.after[p], case.precision[p])
        for p in (slice(0, 13), slice(13, PIXELS))
    ]
    for name, held in whole.items():
        torch.testing.assert_close(parts[0][name] + parts[1][name], held)
    assert whole["pixels"] == PIXELS - 1 and whole["uses"][1] == PIXELS - 10
    found[20, 0, 0], case.after[21, 1] = torch.nan, torch.inf
    broken = impact_sums(found, case.before, case.after, case.precision)
    assert broken["pixels"] == PIXELS - 3
    assert all(torch.isfinite(part).all() for part in broken.values())
    nothing = impact_sums(found, case.before, case.after, torch.zeros_like(case.y))
    assert impact_rows(nothing, ["a"] * LATENTS, ["c"] * CHANNELS) == {}


def test_misfits_are_summed_over_the_pixels_that_count() -> None:
    """A pixel whose error is not finite leaves no trace in any sum."""
    rng = [randn(30, 8, 2, seed=k) for k in (11, 12, 13)]
    y, precision = randn(30, 2, seed=14), torch.ones(30, 2, dtype=DOUBLE)
    before, after = randn(30, 2, seed=15), randn(30, 2, seed=16)
    broken = after.clone()
    broken[4, 1] = torch.nan
    some = torch.arange(30) != 4
    found = told(*rng, y, precision, before, broken)
    parts = (part[some] for part in (*rng, y, precision, before, after))
    for name, held in told(*parts).items():
        torch.testing.assert_close(found[name], held)
    assert found["pixels"] == 29
