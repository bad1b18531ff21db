"""Flatness of rank histograms, on independent and on thinned samples."""

import numpy as np
import pytest
from scipy import stats

from releo_da.diagnostics.calibration import histogram, rank_histogram, rank_places
from releo_da.diagnostics.flatness import flatness, rank_sums
from releo_da.diagnostics.thinning import Strides, autocorrelation, decorrelation, kept
from releo_da.diagnostics.verification import FIELDS
from releo_da.types import InputError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


@pytest.mark.parametrize(("members", "n"), [(9, 40), (16, 200), (24, 555)])
def test_expectation_of_the_index_and_distribution_of_the_p_value(rng, members, n) -> None:
    """Over calibrated histograms: the mean index is as expected, p-values are uniform."""
    found = [
        flatness(rank_histogram(rng.integers(0, members + 1, n), members)) for _ in range(1500)
    ]
    index = np.array([one.reliability_index for one in found])
    assert found[0].n == n
    assert len({one.expected for one in found}) == 1
    error = 4 * index.std() / np.sqrt(len(index))
    assert index.mean() == pytest.approx(found[0].expected, abs=error)
    rejected = np.mean([one.p_value < 0.05 for one in found])
    assert rejected == pytest.approx(0.05, abs=0.025)


def test_index_and_test_by_hand_and_by_scipy() -> None:
    made = rank_histogram(np.repeat([0, 1, 2, 3], [10, 2, 3, 5]), 3)
    found = flatness(made)
    assert found.reliability_index == pytest.approx((5 + 3 + 2 + 0) / 20)
    expected = stats.chisquare(made.counts)
    assert found.chi2 == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    mean = 4 * stats.binom(20, 0.25).expect(lambda k: abs(k / 20 - 0.25))
    assert found.expected == pytest.approx(mean)
    nothing = flatness(rank_histogram(np.array([np.nan]), 3))
    assert nothing.n == 0 and np.isnan(nothing.reliability_index)


def test_all_in_one_bin_is_near_two() -> None:
    assert flatness(rank_histogram(np.zeros(100), 16)).reliability_index == pytest.approx(
        2 * 16 / 17
    )


@pytest.mark.parametrize("members", [3, 24, 32, 64])
def test_counts_add_up_to_the_histogram_of_all(rng, members) -> None:
    numbers = np.full((90, 2, len(FIELDS)), np.nan)
    rank = rng.integers(0, members + 1, (90, 2)).astype(float)
    rank[rng.uniform(size=(90, 2)) < 0.2] = np.nan
    numbers[..., FIELDS.index("rank")] = rank
    sample = np.arange(90) % 3 == 0
    parts = [slice(0, 31), slice(31, 90)]
    found = sum(rank_sums(numbers[part], members, sample[part]) for part in parts)
    assert found.shape == (2, rank_places(members)[-1] + 1)
    for channel in range(2):
        expected = rank_histogram(rank[sample, channel], members)
        for one, other in zip(histogram(found[channel], members), expected, strict=True):
            np.testing.assert_allclose(one, other)
    everything = rank_sums(numbers, members)
    assert everything.sum() == np.isfinite(rank).sum()


def first_order(rng, lines: int, length: int, phi: float) -> np.ndarray:
    z = rng.standard_normal((lines, length))
    for k in range(1, length):
        z[:, k] = phi * z[:, k - 1] + np.sqrt(1 - phi**2) * z[:, k]
    return z


def test_decorrelation_of_a_first_order_process(rng) -> None:
    """r_k = 0.8^k: below 1/e from lag 5, below 0.1 from lag 11."""
    z = first_order(rng, 3000, 60, 0.8)
    np.testing.assert_allclose(autocorrelation(z, 8), 0.8 ** np.arange(9), atol=0.02)
    assert decorrelation(z) == 5 and decorrelation(z, 0.1) == 11
    z[rng.uniform(size=z.shape) < 0.3] = np.nan
    assert decorrelation(z) == 5
    assert decorrelation(rng.standard_normal((50, 60))) == 1
    assert decorrelation(np.ones((2, 7))) == 7 and decorrelation(np.full((2, 7), np.nan)) == 7
    with pytest.raises(InputError, match="between 0 and 1"):
        decorrelation(z, 1.0)


def test_thinning_makes_the_test_hold_again(rng) -> None:
    """Correlated calibrated samples are rejected far too often; every 22nd value is not."""
    rejected = {}
    for stride in (1, 22):
        p = []
        for _ in range(200):
            z = first_order(rng, 10, 110, 0.9)
            rank = np.floor(stats.norm.cdf(z) * 10)[:, ::stride]
            p.append(flatness(rank_histogram(rank.ravel(), 9)).p_value)
        rejected[stride] = np.mean(np.array(p) < 0.05)
    assert rejected[1] > 0.4
    assert rejected[22] < 0.15


def test_every_so_many_rows_columns_and_dates_whatever_the_blocks() -> None:
    row, column = (part.ravel() for part in np.indices((7, 9)))
    strides = Strides(3, 4, 2)
    whole = kept(row, column, 4, strides)
    assert whole.reshape(7, 9)[::3, ::4].all() and whole.sum() == 9
    parts = [kept(row[part], column[part], 4, strides) for part in (slice(0, 20), slice(20, 63))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not kept(row, column, 3, strides).any()
    with pytest.raises(InputError, match="strides are 1 or more"):
        kept(row, column, 0, Strides(0))
