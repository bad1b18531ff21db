"""Calibration from sums: against records, distributions known in closed form, and parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from releo_da.diagnostics.calibration import LEVELS, pit, rank_histogram, reliability, widest
from releo_da.diagnostics.reliability import (
    BINS,
    TERMS,
    intervals,
    masses,
    pit_histogram,
    row,
    slope,
    spread_skill,
    sums,
)
from releo_da.diagnostics.verification import FIELDS


def records(rng, pixels, members, truth_sd=1.0, spread=None):
    """``[pixel, 1, field]``: ensembles N(0, s^2), observations N(0, (truth_sd s)^2)."""
    s = np.ones(pixels) if spread is None else spread
    ensemble = s[:, None] * rng.standard_normal((pixels, members))
    y = truth_sd * s * rng.standard_normal(pixels)
    numbers = np.full((pixels, 1, len(FIELDS)), np.nan)
    for name, column in {
        "observed": y,
        "mean": ensemble.mean(1),
        "sd": ensemble.std(1, ddof=1),
        "rank": (ensemble < y[:, None]).sum(1),
    }.items():
        numbers[:, 0, FIELDS.index(name)] = column
    return numbers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@settings(max_examples=25, deadline=None)
@given(
    members=st.integers(2, 80), cuts=st.lists(st.integers(0, 60), max_size=4), seed=st.integers(0)
)
def test_parts_add_up_to_the_whole(members, cuts, seed):
    rng = np.random.default_rng(seed)
    numbers = np.concatenate([records(rng, 60, members) for _ in range(3)], 1)
    numbers[rng.uniform(size=(60, 3)) < 0.3] = np.nan
    parts = np.split(numbers, sorted(cuts))
    found = sum(sums(part, members) for part in parts)
    whole = sums(numbers, members)
    assert whole.shape == (3, TERMS)
    np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-12)
    n = np.isfinite(numbers[..., FIELDS.index("rank")]).sum(0)
    np.testing.assert_allclose(whole[:, :BINS].sum(1), n)
    np.testing.assert_allclose(whole.sum(1) > 0, n > 0)


@pytest.mark.parametrize("members", [2, 19, 32, 39, 128])
def test_every_rank_has_one_mass_and_calibration_is_flat(members):
    np.testing.assert_allclose(masses(members).sum(1), 1.0)
    np.testing.assert_allclose(masses(members).mean(0), 1 / BINS)


def test_intervals_are_the_expectation_of_the_randomised_pit(rng):
    numbers = records(rng, 400, 12, truth_sd=1.7)
    nominal, found = intervals(sums(numbers, 12)[0])
    rank = np.tile(numbers[:, 0, FIELDS.index("rank")], 2000)
    levels, drawn = reliability(pit(rank, 12, rng), LEVELS)
    np.testing.assert_array_equal(nominal, levels)
    np.testing.assert_allclose(found, drawn, atol=4 * 0.5 / np.sqrt(rank.size))


def test_coverage_of_a_narrow_gaussian_in_closed_form(rng):
    """A large ensemble of N(0, 1) against N(0, 2^2): level p covers 2 Phi(z_p / 2) - 1."""
    terms = sum(sums(records(rng, 500, 399, truth_sd=2.0), 399)[0] for _ in range(20))
    nominal, found = intervals(terms, (0.5, 0.8, 0.95))
    expected = 2 * stats.norm.cdf(stats.norm.ppf((1 + nominal) / 2) / 2) - 1
    np.testing.assert_allclose(found, expected, atol=4 * 0.5 / 100)
    counts = pit_histogram(terms).counts
    assert counts[0] > 3 * counts[BINS // 2] and counts[-1] > 3 * counts[BINS // 2]


def test_bins_of_the_pit_are_those_of_the_ranks_where_they_divide(rng):
    """39 members have 40 ranks: each is a bin, and the band is that of the rank histogram."""
    numbers = records(rng, 500, 39)
    found = pit_histogram(sums(numbers, 39)[0])
    expected = rank_histogram(numbers[:, 0, FIELDS.index("rank")], 39, BINS)
    for name in found._fields:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9)


def test_spread_and_error_by_bins_of_spread(rng):
    spread = 10.0 ** rng.uniform(-3, 1, 40_000)
    numbers = records(rng, 40_000, 20, spread=spread)
    found = spread_skill(sums(numbers, 20)[0])
    assert found.n.sum() == 40_000
    several = found.n > 500
    ratio = found.rmse[several] / found.spread[several]
    # bins are of the sampled spread, which is too small where it was sampled so: within 20 %
    np.testing.assert_allclose(ratio, np.sqrt(21 / 20), rtol=0.2)
    assert slope(found) == pytest.approx(1.0, abs=0.02)
    sd, d2 = (
        numbers[:, 0, FIELDS.index("sd")],
        np.square(numbers[:, 0, FIELDS.index("mean")] - numbers[:, 0, FIELDS.index("observed")]),
    )
    inside = (sd >= 10**-0.25) & (sd < 1.0)
    k = np.argmin(np.abs(found.n - inside.sum()))
    assert found.n[k] == inside.sum()
    assert found.rmse[k] == pytest.approx(np.sqrt(d2[inside].mean()))
    assert found.spread[k] == pytest.approx(np.sqrt((sd[inside] ** 2).mean()))
    blind = records(rng, 20_000, 20, spread=np.ones(20_000))
    blind[:, 0, FIELDS.index("sd")] = 10.0 ** rng.uniform(-1, 1, 20_000)
    assert slope(spread_skill(sums(blind, 20)[0])) == pytest.approx(0.0, abs=0.03)


def test_what_lies_outside_the_bins_counts_in_the_last():
    numbers = np.zeros((3, 1, len(FIELDS)))
    numbers[:, 0, FIELDS.index("sd")] = [0.0, 1e-9, 1e9]
    found = spread_skill(sums(numbers, 5)[0])
    assert found.n.tolist() == [2, 1]
    assert np.isnan(slope(found))


def test_the_row_holds_plain_numbers(rng):
    terms = sums(records(rng, 300, 20), 20)[0]
    told = row(terms, 20)
    assert set(told["intervals"]) == {"50", "80", "90", "95"}
    assert told["n"] == 300 == sum(told["spread_skill"]["n"])
    np.testing.assert_allclose(told["pit"], terms[:40] / 300, atol=5.1e-5)
    shares = [*told["pit"], *told["intervals"].values()]
    assert max(len(str(share)) for share in shares) <= len("0.1234")
    assert len(str(told["spread_skill_slope"]).lstrip("-0.")) <= 5  # four digits and the point
    whole = spread_skill(terms)
    np.testing.assert_allclose(told["spread_skill"]["spread"], whole.spread, rtol=5e-4)
    np.testing.assert_allclose(told["spread_skill"]["rmse"], whole.rmse, rtol=5e-4)
    nothing = row(np.zeros(TERMS), 20)
    assert nothing["n"] == 0 and nothing["pit"] == [] and np.isnan(nothing["intervals"]["90"])
    with pytest.raises(ValueError, match="multiples of 0.05"):
        intervals(np.zeros(TERMS), (0.93,))


@pytest.mark.parametrize(("members", "least"), [(8, "80"), (16, "90"), (19, "95"), (39, None)])
def test_members_say_nothing_beyond_the_first_and_the_last(rng, members, least):
    told = row(sums(records(rng, 300, members), members)[0], members)["intervals"]
    unsaid = [level for level, share in told.items() if np.isnan(share)]
    assert unsaid == ([] if least is None else [p for p in told if float(p) >= float(least)])


def test_a_narrow_ensemble_holds_what_its_members_enclose(rng):
    """Mass of the outer ranks, spread evenly, put 58 % into 90 % intervals of 16 members."""
    numbers = records(rng, 20_000, 16, truth_sd=2.5)
    rank = numbers[:, 0, FIELDS.index("rank")]
    enclosed = float(((rank > 0) & (rank < 16)).mean())
    nominal, found = intervals(sums(numbers, 16)[0][:BINS], (0.85, 0.9))
    assert found[0] < enclosed + 0.02 and found[1] > enclosed + 0.02
    assert np.isnan(row(sums(numbers, 16)[0], 16)["intervals"]["90"])
    assert widest(16) == pytest.approx(15 / 17)
