"""What the canopy model leaves open: the factors of members, and the intervals they give."""

from __future__ import annotations

import math

import pytest
import torch

from releo_da.observation.structure import SCALED, factors, widened

LIKE = torch.zeros((), dtype=torch.float64)


@pytest.mark.parametrize("members", [2, 31, 192])
def test_factors_have_mean_one_and_the_spread_of_their_logarithm(members: int) -> None:
    found = factors(members, 0.3, LIKE)
    assert float(found.mean()) == pytest.approx(1.0, abs=1e-12)
    assert float(found.log().var(correction=0).sqrt()) == pytest.approx(0.3, rel=1e-9)


def test_one_member_and_no_spread_change_nothing() -> None:
    assert float(factors(1, 0.5, LIKE)) == 1.0
    values = {"lai": torch.rand(3, 8), "ndvi": torch.rand(3, 8)}
    assert all(torch.equal(widened(values, 0.0)[name], values[name]) for name in values)


def test_only_what_scales_with_leaf_area_is_widened_and_members_stay_one_canopy() -> None:
    generator = torch.Generator().manual_seed(3)
    values = {
        name: torch.rand(5, 64, generator=generator, dtype=torch.float64) + 1.0
        for name in (*SCALED, "fapar", "cab", "ndvi")
    }
    found = widened(values, 0.35)
    for name in ("fapar", "cab", "ndvi"):
        assert torch.equal(found[name], values[name])
    ratio = found["lai"] / values["lai"]
    torch.testing.assert_close(found["ccc"] / values["ccc"], ratio)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))  # the same at every pixel


def test_intervals_hold_a_truth_that_differs_by_such_a_factor() -> None:
    # A lognormal ensemble about a value that the structure of the canopy moved.
    generator = torch.Generator().manual_seed(4)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    narrow, spread = 0.15, 0.35
    truth = (narrow * normal(4000, 1) + spread * normal(4000, 1)).exp()
    members = (narrow * normal(4000, 256)).exp()
    inside = {}
    for s in (0.0, spread):
        wide = widened({"lai": members}, s)["lai"] * math.exp(0.5 * s**2)
        low, high = wide.quantile(torch.tensor([0.05, 0.95]).double(), dim=1)
        inside[s] = float(((truth[:, 0] >= low) & (truth[:, 0] <= high)).double().mean())
    assert inside[0.0] < 0.6
    assert inside[spread] == pytest.approx(0.9, abs=0.02)
