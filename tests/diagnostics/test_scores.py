"""Scores against closed forms, scipy and scoringrules."""

import numpy as np
import pytest
import scoringrules
from scipy import integrate, stats

from releo_da.diagnostics import scores
from releo_da.diagnostics.calibration import LEVELS, pit, rank_histogram, ranks, reliability
from releo_da.diagnostics.paired import paired_interval


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_errors_by_hand() -> None:
    y, x = np.array([1.0, 2.0, 4.0, np.nan]), np.array([2.0, 2.0, 1.0, 7.0])
    assert scores.bias(y, x) == pytest.approx(-2 / 3)
    assert scores.rmse(y, x) == pytest.approx(np.sqrt(10 / 3))
    assert scores.mae(y, x) == pytest.approx(4 / 3)
    assert scores.median_abs(y, x) == 1.0
    assert scores.unbiased_rmse(y, x) == pytest.approx(np.sqrt(10 / 3 - 4 / 9))
    assert scores.explained(y, x) == pytest.approx(1 - 10 / np.sum((y[:3] - 7 / 3) ** 2))
    assert scores.coverage(y, x - 1, x + 0.5) == pytest.approx(2 / 3)


def test_r2_and_explained_against_scipy(rng: np.random.Generator) -> None:
    y = rng.standard_normal(50)
    x = 2 + 0.5 * y + 0.1 * rng.standard_normal(50)
    assert scores.r2(y, x) == pytest.approx(stats.pearsonr(y, x).statistic ** 2)
    assert scores.explained(y, x) < 0 < 0.9 < scores.r2(y, x)
    assert np.isnan(scores.r2(y, np.ones(50)))


def test_crps_of_an_ensemble(rng: np.random.Generator) -> None:
    y, x = rng.standard_normal(30), rng.standard_normal((30, 17))
    x[:, :3] = x[:, 3:4]  # ties
    expected = scoringrules.crps_ensemble(y, x, estimator="nrg")
    np.testing.assert_allclose(scores.crps_ensemble(y, x), expected, atol=1e-12)
    fair = scoringrules.crps_ensemble(y, x, estimator="fair")
    np.testing.assert_allclose(scores.crps_ensemble(y, x, fair=True), fair, atol=1e-12)
    np.testing.assert_allclose(scores.crps_ensemble(y, x[:, :1]), np.abs(y - x[:, 0]))


def test_crps_of_a_gaussian(rng: np.random.Generator) -> None:
    y, mu, sd = rng.standard_normal((3, 20))
    sd = np.abs(sd) + 0.1
    expected = scoringrules.crps_normal(y, mu, sd)
    np.testing.assert_allclose(scores.crps_gaussian(y, mu, sd), expected, atol=1e-12)
    # The definition: integral of the squared difference of distribution functions.
    one, _ = integrate.quad(
        lambda z: (stats.norm.cdf(z, 0.3, 0.7) - (z >= 1.0)) ** 2, -8, 8, points=[1.0]
    )
    assert scores.crps_gaussian(np.array(1.0), 0.3, 0.7) == pytest.approx(one, abs=1e-7)


def test_crps_of_residuals_is_that_of_the_shifted_ensemble(rng: np.random.Generator) -> None:
    residuals = rng.standard_normal(41)
    y, x = rng.standard_normal((2, 3, 7))
    expected = scores.crps_ensemble(y, x[..., None] + residuals)
    found = scores.crps_empirical(y, x, residuals)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(scores.crps_empirical(y, x, np.empty(0))).all()


def test_the_interval_covers_what_it_says(rng: np.random.Generator) -> None:
    """Observations exchangeable with 19 members: 90 % lie in the interval, however few."""
    draws = rng.standard_normal((40_000, 20))
    low, high = scores.interval(draws[:, 1:])
    share = scores.coverage(draws[:, 0], low, high)
    assert share == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 40_000))


def test_summary_equals_its_parts_whatever_the_chunks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = rng.standard_normal(300), rng.standard_normal((300, 20)).astype(np.float32) + 0.2
    y[7], x[9, 3] = np.nan, np.inf
    whole = scores.summarise(y, x)
    monkeypatch.setattr(scores, "CHUNK", 20 * 11)
    assert scores.summarise(y, x) == pytest.approx(whole)
    good = np.delete(np.arange(300), [7, 9])
    y, x = y[good], x[good].astype(float)
    assert whole["n"] == 298
    assert whole["rmse"] == pytest.approx(scores.rmse(y, x.mean(1)))
    assert whole["bias"] == pytest.approx(scores.bias(y, x.mean(1)))
    assert whole["median_abs"] == pytest.approx(scores.median_abs(y, x.mean(1)))
    assert whole["crps"] == pytest.approx(scores.crps_ensemble(y, x).mean())
    assert whole["spread"] == pytest.approx(np.sqrt(x.var(1, ddof=1).mean()))
    assert whole["coverage_90"] == pytest.approx(scores.coverage(y, *scores.interval(x)))
    empty = scores.summarise(y[:0], x[:0])
    assert empty["n"] == 0 and np.isnan(empty["rmse"])


def test_summaries_agree_where_distributions_do(rng: np.random.Generator) -> None:
    y, mu = rng.standard_normal((2, 500))
    residuals = 0.4 * rng.standard_normal(4000)
    gaussian = scores.summarise_gaussian(y, mu, np.full(500, 0.4))
    residual = scores.summarise_residual(y, mu, residuals)
    members = scores.summarise(y, mu[:, None] + residuals)
    for key in ("crps", "spread", "coverage_90"):
        assert gaussian[key] == pytest.approx(residual[key], abs=0.02)
        assert members[key] == pytest.approx(residual[key], abs=1e-3)
    assert gaussian["rmse"] == residual["rmse"]
    records = scores.summarise_records(
        y, mu, np.full(500, 0.4), scores.crps_gaussian(y, mu, 0.4), mu - 0.658, mu + 0.658
    )
    assert records == pytest.approx(gaussian, abs=1e-3)


def test_field_measurements_have_an_error_of_their_own() -> None:
    rng = np.random.default_rng(2)
    truth = rng.gamma(4.0, 0.6, 4000)
    centre = truth + 0.3 * rng.standard_normal(4000)
    ensemble = centre[:, None] + 0.3 * rng.standard_normal((4000, 99))
    sd = np.hypot(0.3, 0.1 * truth)
    measured = truth + sd * rng.standard_normal(4000)
    measured[0] = np.nan
    row = scores.summarise_in_situ(measured, ensemble, sd, rng)
    blind = scores.summarise_in_situ(measured, ensemble, 0.0, rng)
    assert row["coverage_90"] == pytest.approx(0.9, abs=0.02) and blind["coverage_90"] < 0.75
    mean = ensemble.mean(1)
    assert row["n"] == 3999
    assert row["rmse"] == blind["rmse"] == pytest.approx(scores.rmse(measured, mean))
    assert row["unbiased_rmse"] == pytest.approx(scores.unbiased_rmse(measured, mean))
    assert row["r2"] == pytest.approx(scores.r2(measured, mean))


def test_ranks_are_uniform_with_ties_and_follow_the_generator() -> None:
    # Rounded values tie often: only random breaking keeps ranks uniform.
    rng = np.random.default_rng(8)
    draws = np.round(rng.standard_normal((50_000, 10)))
    found = ranks(draws[:, 0], draws[:, 1:], np.random.default_rng(1))
    again = ranks(draws[:, 0], draws[:, 1:], np.random.default_rng(1))
    np.testing.assert_array_equal(found, again)
    counts = np.bincount(found.astype(int), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert np.isnan(ranks(np.array([np.nan]), draws[:1, 1:], rng)).all()
    exact = ranks(np.array([0.5, -9.0, 9.0]), np.tile(np.arange(3.0), (3, 1)), rng)
    assert exact.tolist() == [1, 0, 3]


def test_rank_histogram_counts_all_and_expects_what_unequal_bins_hold() -> None:
    rank = np.repeat(np.arange(67), 10)
    found = rank_histogram(np.r_[rank, np.nan], 66, bins=17)
    assert found.counts.sum() == 670 and len(found.counts) == 17
    np.testing.assert_allclose(found.counts, found.expected)
    assert found.edges[0] == 0 and found.edges[-1] == pytest.approx(1)
    assert len(rank_histogram(rank[:10], 4).counts) == 5
    even = rank_histogram(rank[:10], 32)
    assert len(even.counts) == 11  # 33 ranks, three to a bin
    np.testing.assert_allclose(np.diff(even.edges), 1 / 11)


def test_pit_and_reliability(rng: np.random.Generator) -> None:
    draws = rng.standard_normal((20_000, 33))
    transform = pit(ranks(draws[:, 0], draws[:, 1:], rng), 32, rng)
    assert stats.kstest(transform, "uniform").pvalue > 1e-3
    nominal, observed = reliability(transform)
    assert nominal.tolist() == list(LEVELS) and len(nominal) == 10
    np.testing.assert_allclose(observed, nominal, atol=4 * 0.5 / np.sqrt(20_000))
    narrow = pit(ranks(2 * draws[:, 0], draws[:, 1:], rng), 32, rng)
    assert np.all(reliability(narrow)[1] < nominal - 0.03)
    assert np.isnan(reliability(np.array([np.nan]))[1]).all()


def test_paired_interval_covers_the_truth_and_respects_groups() -> None:
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(60):
        place = rng.gamma(2.0, 0.5, 30)  # losses of one place rise and fall together
        groups = np.repeat(np.arange(30), 20)
        b = place[groups] * rng.gamma(4.0, 0.25, 600)
        a = 0.9 * place[groups] * rng.gamma(4.0, 0.25, 600)
        found = paired_interval(a, b, groups, rng, draws=300)
        hits += found.lower <= -0.1 <= found.upper
    assert 50 <= hits <= 60


def test_paired_interval_of_equal_and_scaled_losses() -> None:
    rng = np.random.default_rng(9)
    b = rng.gamma(2.0, 1.0, 100)
    groups = np.array([f"p{i % 7}" for i in range(100)])
    same = paired_interval(b, b, groups, rng)
    assert same == (0.0, 0.0, 0.0)
    half = paired_interval(0.25 * b, b, groups, rng, root=True)
    assert half == pytest.approx((-0.5, -0.5, -0.5))
    b[3] = np.nan
    assert np.isfinite(paired_interval(b, b, groups, rng)).all()
    assert np.isnan(paired_interval(b[:0], b[:0], groups[:0], rng)).all()
