"""Growth, senescence and soil water: closed forms, budgets and published values."""

import math

import pytest
import torch

from releo_da.dynamics.growth_water import (
    growth,
    senescence,
    soil_water,
    temperature_response,
    top_radiation,
    water_demand,
)


def daily(*values: float, days: int = 1) -> torch.Tensor:
    """Days of one site."""
    return torch.tensor(values, dtype=torch.float64).repeat(days)[:, None]


def test_growth_answers_temperature_as_yan_and_hunt_write_it() -> None:
    found = temperature_response(daily(-5.0, 0.0, 23.0, 40.0, 45.0))[:, 0]
    assert found.tolist() == pytest.approx([0.0, 0.0, 1.0, 0.0, 0.0], abs=1e-6)
    half = (40.0 - 10.0) / 17.0 * (10.0 / 23.0) ** (23.0 / 17.0)
    assert float(temperature_response(daily(10.0))) == pytest.approx(half)


def test_the_sun_on_top_of_the_atmosphere_is_that_of_the_published_example() -> None:
    """Allen et al. (1998), example 8: 20 S on 3 September, day 246 of the year: 32.2 MJ m-2 d-1."""
    day = torch.tensor([245.0], dtype=torch.float64)  # of 1970
    found = top_radiation(torch.tensor([-20.0], dtype=torch.float64), day)
    assert float(found) == pytest.approx(32.2, abs=0.1)
    night = top_radiation(torch.tensor([80.0], dtype=torch.float64), day * 0)
    assert float(night) == 0.0


def test_demand_is_that_of_oudin() -> None:
    assert float(water_demand(daily(15.0), daily(24.5))) == pytest.approx(2.0)
    assert float(water_demand(daily(-7.0), daily(24.5))) == 0.0


def test_soil_dries_exponentially_and_overflows() -> None:
    dry = soil_water(daily(0.0, days=10), daily(3.0, days=10), 150.0, torch.ones(1).double())
    assert float(dry[-1]) == pytest.approx(math.exp(-30.0 / 150.0))
    storm = soil_water(daily(500.0), daily(3.0), 150.0, torch.zeros(1).double())
    assert float(storm[-1]) == pytest.approx(math.exp(-0.02))
    assert (storm <= 1.0).all() and (dry >= 0.0).all()


def test_growth_is_limited_below_half_of_the_water() -> None:
    warm, light = daily(23.0, 23.0, 23.0), daily(8.0, 8.0, 8.0)
    found = growth(warm, light, daily(1.0, 0.5, 0.25))[:, 0]
    assert found.tolist() == pytest.approx([0.5, 0.5, 0.25])


def test_what_grew_dies_a_life_span_later() -> None:
    """At 20 degrees a life span of 200 degree days is 10 days; at 40 after day 15 it is fewer."""
    generator = torch.Generator().manual_seed(0)
    grown = torch.rand((40, 2), generator=generator, dtype=torch.float64)
    warm = torch.full_like(grown, 20.0)
    dead = senescence(grown, warm, 200.0)
    torch.testing.assert_close(dead[10:], grown[:-10])
    assert (dead[:10] == 0.0).all()
    hot = warm.clone()
    hot[15:] = 40.0
    sooner = senescence(grown, hot, 200.0)
    torch.testing.assert_close(sooner[15], grown[5] + grown[6])
    total = sooner.sum(0)
    assert (total < grown.sum(0)).all() and (total > dead.sum(0)).all()


def test_gradients_reach_all_inputs() -> None:
    generator = torch.Generator().manual_seed(1)

    def some(low: float, high: float) -> torch.Tensor:
        drawn = torch.rand((12, 2), generator=generator, dtype=torch.float64)
        return (low + (high - low) * drawn).requires_grad_()

    temperature, rain, light = some(5.0, 25.0), some(0.0, 4.0), some(5.0, 20.0)

    def all_of_it(t: torch.Tensor, p: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        water = soil_water(p, water_demand(t, 2.0 * r), 30.0, torch.full((2,), 0.7).double())
        grown = growth(t, r, water[:-1])
        return torch.cat([grown, senescence(grown, t, 70.0)])

    assert torch.autograd.gradcheck(all_of_it, (temperature, rain, light))
