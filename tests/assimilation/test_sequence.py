"""Whiteness of innovations, on filters whose correlation is known in closed form."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf
from releo_da.assimilation.sequence import autocorrelation, normalised, succession

DOUBLE = torch.float64


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def walked(gain: float, dates: int = 30, pixels: int = 4000) -> float:
    """Lag-1 correlation of the innovations of a random walk (Q = R = 1) under a fixed gain."""
    truth, mean, last, parts = torch.zeros(pixels, 1, dtype=DOUBLE), 0.0, None, []
    for date in range(dates):
        truth = truth + randn(pixels, 1, seed=2 * date)
        z = truth + randn(pixels, 1, seed=2 * date + 1) - mean
        sums, last = succession(last, z)
        parts += [sums] if date > 10 else []
        mean = mean + gain * z
    return float(autocorrelation(joined(parts))[0])


@pytest.mark.parametrize("gain", [0.3, (math.sqrt(5) - 1) / 2, 0.9])
def test_innovations_of_a_steady_filter(gain: float) -> None:
    """e' = (1-K)(e + w) - K v: P = ((1-K)^2 + K^2) / (1 - (1-K)^2), d = e + w + v,
    so E d d' = (1-K)(P + 1) - K and var d = P + 2; 0 at the optimal gain."""
    p = ((1 - gain) ** 2 + gain**2) / (1 - (1 - gain) ** 2)
    expected = ((1 - gain) * (p + 1) - gain) / (p + 2)
    assert walked(gain) == pytest.approx(expected, abs=4 / math.sqrt(19 * 4000) * 1.5)
    if gain == (math.sqrt(5) - 1) / 2:
        assert abs(expected) < 1e-12


def test_correlation_is_that_of_the_pairs_through_gaps_and_blocks() -> None:
    z = randn(9, 50, 3, seed=3).cumsum(0)
    z[torch.rand(9, 50, 3, generator=torch.Generator().manual_seed(1)) < 0.4] = torch.nan
    parts, pairs = [], [[] for _ in range(3)]
    for block in (slice(0, 20), slice(20, 50)):
        last = None
        for one in z[:, block]:
            sums, last = succession(last, one)
            parts.append(sums)
    for channel in range(3):
        for pixel in range(50):
            seen = z[:, pixel, channel]
            seen = seen[torch.isfinite(seen)].tolist()
            pairs[channel] += list(zip(seen, seen[1:], strict=False))
    sums = joined(parts)
    for channel in range(3):
        before, now = np.array(pairs[channel]).T
        assert sums["pairs"][channel] == len(now)
        expected = np.corrcoef(before, now)[0, 1]
        assert float(autocorrelation(sums)[channel]) == pytest.approx(expected)


def test_normalised_innovations_have_variance_one_and_know_gaps() -> None:
    truth = randn(8000, 1, 2, seed=1)
    prior = truth + randn(8000, 1, 2, seed=2) + randn(8000, 80, 2, seed=3)
    sd = torch.tensor([0.5, 3.0], dtype=DOUBLE)
    y = truth[:, 0] + sd * randn(8000, 2, seed=4)
    precision = sd.pow(-2).repeat(8000, 1)
    precision[0, 1] = 0.0
    prior[1, 0, 0] = torch.inf
    z = normalised(prior, y, precision)
    assert z[0, 1].isnan() and z[1, 0].isnan() and int(z.isnan().sum()) <= 3
    assert torch.nanmean(z[:, 0] ** 2) == pytest.approx(1.0, abs=0.07)
    assert torch.nanmean(z[:, 1] ** 2) == pytest.approx(1.0, abs=0.07)
    expected = (y[5] - prior[5].mean(0)) / (prior[5].var(0) + sd**2).sqrt()
    torch.testing.assert_close(z[5], expected)


def test_nothing_before_the_first_acquisition_and_no_number_of_one_pair() -> None:
    z = torch.tensor([[1.0, 2.0]], dtype=DOUBLE)
    sums, last = succession(None, z)
    assert not sums["pairs"].any() and torch.equal(last, z)
    sums, _ = succession(last, torch.tensor([[0.5, torch.nan]], dtype=DOUBLE))
    assert sums["pairs"].tolist() == [1.0, 0.0] and autocorrelation(sums).isnan().all()


def test_a_filter_with_right_errors_is_white() -> None:
    """An ensemble filter of a random walk, two channels: its innovations do not correlate."""
    pixels, members = 1500, 40
    truth = randn(pixels, 1, seed=500)
    ensemble = randn(pixels, members, 1, seed=501)
    precision, last, parts = torch.ones(pixels, 2, dtype=DOUBLE), None, []
    for date in range(25):
        truth = truth + randn(pixels, 1, seed=600 + date)
        ensemble = ensemble + randn(pixels, members, 1, seed=700 + date)
        y = truth.expand(-1, 2) + randn(pixels, 2, seed=800 + date)

        def observe(x: Tensor) -> Tensor:
            return x.expand(-1, -1, 2)

        z = normalised(observe(ensemble), y, precision)
        sums, last = succession(last, z)
        parts += [sums] if date > 4 else []
        ensemble = etkf(ensemble, observe, y, precision, torch.zeros, {}).ensemble
    assert autocorrelation(joined(parts)).abs().max() < 0.03
