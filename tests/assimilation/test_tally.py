"""Sums over a run, on a system whose errors are known and wrong as said."""

import math

import torch
from scipy import stats
from torch import Tensor

from releo_da.assimilation import etkf, whitened
from releo_da.assimilation.consistency import innovations
from releo_da.assimilation.tally import central, error_rows, innovation_row, tally

DOUBLE = torch.float64


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def drawn(pixels: int, correlation: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Three channels of unit spread; the errors are 0.5, 1 and 2, as said; a bias of 0.3 in one."""
    c = correlation + (1 - correlation) * torch.eye(3, dtype=DOUBLE)
    truth = randn(pixels, 1, 3, seed=1)
    prior = truth + randn(pixels, 1, 3, seed=2) + randn(pixels, 200, 3, seed=3)
    r = torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)
    y = truth[:, 0] + randn(pixels, 3, seed=4) @ torch.linalg.cholesky(c).T * r
    y[:, 2] += 0.3
    precision = r.pow(-2).repeat(pixels, 1)
    precision[: pixels // 4, 1] = 0.0
    return prior, y, precision


def sums(prior: Tensor, y: Tensor, precision: Tensor, correlation: float = 0.0):
    analysis = whitened(etkf, correlation)(prior, lambda x: x, y, precision, torch.zeros, {})
    return tally(prior, analysis.ensemble.mean(1), y, precision, correlation)


def test_a_right_r_is_said_to_be_right_and_a_wrong_one_wrong() -> None:
    prior, y, precision = drawn(6000)
    found = sums(prior, y, precision)
    row = innovation_row(found)
    assert row["values"] == 16500 and row["pixels"] == 6000
    assert abs(row["reduced_chi2"] - 1.0) < 0.05
    said = innovations(prior, y, precision)
    assert math.isclose(row["dfs"], float(said.dfs.mean()))
    assert abs(row["chi2_within"] - 0.95) < 0.02
    rows = error_rows(found, ["a", "b", "c"])
    for name, sd, n in (("a", 0.5, 6000), ("b", 1.0, 4500), ("c", 2.0, 6000)):
        assert math.isclose(rows[name]["assumed"], sd) and rows[name]["n"] == n
        assert abs(rows[name]["estimated"] / sd - 1.0) < 0.06
    assert abs(rows["c"]["bias"] - 0.3) < 0.1 and abs(rows["a"]["bias"]) < 0.06
    assert all(abs(row["variance_ratio"] - 1.0) < 0.08 for row in rows.values())
    every = sum(one["dfs"] * one["n"] for one in rows.values())
    assert math.isclose(every / row["pixels"], row["dfs"])
    # b is said to be half of what it is: R_a (S + R_a)^-1 (S + R) = 0.25 / 1.25 * 2.
    wrong = precision * torch.tensor([1.0, 4.0, 1.0], dtype=DOUBLE)
    misled = sums(prior, y, wrong)
    assert innovation_row(misled)["chi2_within"] < 0.93
    row = error_rows(misled, ["a", "b", "c"])["b"]
    assert abs(row["variance_ratio"] - 2.0 / 1.25) < 0.06  # (1 + 1) over (1 + 0.25)
    assert math.isclose(row["assumed"], 0.5) and abs(row["estimated"] / 0.4**0.5 - 1.0) < 0.06


def test_departures_before_and_after_are_those_of_numpy() -> None:
    prior, y, precision = drawn(400)
    analysed = etkf(prior, lambda x: x, y, precision, torch.zeros, {}).ensemble.mean(1)
    rows = error_rows(tally(prior, analysed, y, precision), ["a", "b", "c"])
    for k, row in enumerate(rows.values()):
        used = precision[:, k] > 0
        before, after = ((y - h)[used, k].numpy() for h in (prior.mean(1), analysed))
        expected = (prior.var(1) + 1.0 / precision)[used, k].mean().sqrt()
        for key, value in (
            ("bias", before.mean()), ("sd", before.std()), ("expected", float(expected)),
            ("residual_bias", after.mean()), ("residual_sd", after.std()),
        ):  # fmt: skip
            assert math.isclose(row[key], value, rel_tol=1e-9), key


def test_sums_of_a_time_before_residuals_were_kept_still_tell_the_rest() -> None:
    found = sums(*drawn(40))
    row = error_rows({n: part for n, part in found.items() if "after" not in n}, ["a", "b", "c"])
    assert "residual_sd" not in row["a"] and row["a"]["sd"] > 0


def test_the_central_part_of_chi2_is_that_of_scipy() -> None:
    number = torch.arange(0, 7).repeat_interleave(200)
    chi2 = torch.linspace(0.0, 20.0, 200, dtype=DOUBLE).repeat(7)
    low, high = stats.chi2.interval(0.9, number.clamp(min=1))
    expected = (number > 0) & (chi2 >= torch.tensor(low)) & (chi2 <= torch.tensor(high))
    assert torch.equal(central(chi2, number, 0.9), expected)


def test_correlated_errors_are_consistent_where_the_correlation_is_known() -> None:
    prior, y, precision = drawn(6000, 0.6)
    y[:, 2] -= 0.3
    s = prior[-1].T.cov()
    r = precision[-1].rsqrt()
    full = s + r[:, None] * (0.6 + 0.4 * torch.eye(3, dtype=DOUBLE)) * r
    d = y[-1] - prior[-1].mean(0)
    chi2 = innovations(prior, y, precision, 0.6).chi2
    torch.testing.assert_close(chi2[-1], d @ torch.linalg.inv(full) @ d)
    aware = innovation_row(sums(prior, y, precision, 0.6))["reduced_chi2"]
    assert abs(aware - 1.0) < 0.05


def test_parts_add_up_and_what_is_not_finite_counts_for_nothing() -> None:
    prior, y, precision = drawn(40)
    whole = sums(prior, y, precision)
    parts = [sums(prior[p], y[p], precision[p]) for p in (slice(0, 15), slice(15, 40))]
    for name, held in whole.items():
        torch.testing.assert_close(parts[0][name] + parts[1][name], held)
    analysed = etkf(prior, lambda x: x, y, precision, torch.zeros, {}).ensemble.mean(1)
    prior[3, 0, 0], analysed[7, 1] = torch.nan, torch.inf
    broken = tally(prior, analysed, y, precision)
    assert broken["pixels"] == 38
    assert all(torch.isfinite(part).all() for part in broken.values())
    nothing = tally(prior, analysed, y, torch.zeros_like(y))
    assert math.isnan(innovation_row(nothing)["reduced_chi2"])
    assert error_rows(nothing, ["a", "b", "c"]) == {}
