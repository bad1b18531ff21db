"""Leaves and soil of a crop: bounds, limits, and what a physiologist would expect of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.nature.chemistry import (
    PLANTS,
    SATURATED,
    VARIABLES,
    Array,
    Plant,
    leaves_and_soil,
    mean_angle,
)
from releo_da.physics.greenness import green_share
from releo_da.physics.leaf_angles import CLASSES, class_weights, steeper_than
from releo_da.state.variables import variables

ONE = np.ones(1)


def canopy(
    name: str, lai: float, dead: float, stage: float, moisture: float = 0.5, weeds: float = 0.0
) -> dict[str, Array]:
    grown = {"lai": lai * ONE, "dead": dead * ONE, "stage": stage * ONE, "moisture": moisture * ONE}
    plant = {key: value * ONE for key, value in PLANTS[name]._asdict().items()}
    return leaves_and_soil(grown, plant, ONE, ONE, 0.8 * ONE, 0.0 * ONE + weeds)


@pytest.mark.parametrize("name", PLANTS)
@given(st.floats(0.0, 8.0), st.floats(0.0, 4.0), st.floats(-1.0, 2.0), st.floats(0.0, 1.0))
@settings(max_examples=25, deadline=None)
def test_every_canopy_lies_within_the_table_of_variables(
    name: str, lai: float, dead: float, stage: float, moisture: float
) -> None:
    found = canopy(name, lai, dead, stage, moisture, 0.05)
    assert tuple(found) == VARIABLES
    known = variables((*variables(), "soil_moisture"))
    for key, value in found.items():
        if key in known and key != "ala":
            assert known[key].lower <= value[0] <= known[key].upper, key
    assert abs(found["lidfa"][0]) + abs(found["lidfb"][0]) <= 1.0


def test_green_leaves_and_straw_are_the_ends() -> None:
    green, straw = canopy("winter_wheat", 5.0, 0.0, 1.0), canopy("winter_wheat", 1e-3, 3.0, 2.0)
    assert green["cab"] == pytest.approx(PLANTS["winter_wheat"].cab)
    assert green["cbrown"] == pytest.approx(0.0)
    assert straw["cab"] < 3.5
    assert straw["cw"] < 0.002
    assert straw["cbrown"] > 1.0


@pytest.mark.parametrize("name", ["winter_wheat", "maize", "rapeseed", "sugar_beet"])
def test_the_green_share_of_its_leaves_is_found_from_their_contents(name: str) -> None:
    # The truth knows green and dead leaf area; the estimate knows the mean leaf only.
    # Nearer than the whole leaf area, by far where little is green, though plants differ.
    for green, stage in ((4.0, 1.0), (3.0, 1.4), (2.0, 1.7), (0.5, 1.9), (0.0, 2.0)):
        one = canopy(name, green, 4.0 - green, stage)
        assert one["lai_green"] == pytest.approx(green)
        cab, cbrown = (torch.from_numpy(one[key]) for key in ("cab", "cbrown"))
        found = one["lai"] * green_share(cab, cbrown).numpy()
        assert found == pytest.approx(green, abs=(4.0 - green) / 3.0 + 0.4)


def test_chlorophyll_of_the_canopy_is_that_of_its_parts() -> None:
    mixed = canopy("maize", 2.0, 1.0, 1.0)
    assert mixed["lai"] == pytest.approx(3.0)
    assert 3.0 * mixed["cab"] == pytest.approx(2.0 * PLANTS["maize"].cab + 1.0 * 3.0)


def test_weeds_cover_open_ground_and_are_shaded_out() -> None:
    bare, dense = (canopy("maize", lai, 0.0, 1.0, weeds=0.2) for lai in (0.0, 5.0))
    assert bare["lai"] == pytest.approx(0.2)
    assert dense["lai"] == pytest.approx(5.0, abs=0.002)


def test_a_wet_soil_is_darker_and_holds_more_water() -> None:
    dry, wet = (canopy("bare_soil", 0.0, 0.0, -1.0, w) for w in (0.0, 1.0))
    assert dry["psoil"] == pytest.approx(1.0)
    assert wet["psoil"] < 0.25
    assert wet["soil_moisture"] == pytest.approx(SATURATED)


@given(st.floats(-0.6, 0.6), st.floats(-0.35, 0.35))
@settings(max_examples=30, deadline=None)
def test_mean_leaf_angle_is_that_of_the_distribution(lidfa: float, lidfb: float) -> None:
    shape = {"lidfa": torch.tensor(lidfa).double(), "lidfb": torch.tensor(lidfb).double()}
    centres = (torch.arange(CLASSES, dtype=torch.float64) + 0.5) * 90.0 / CLASSES
    mean = float((class_weights(steeper_than(shape)) * centres).sum())
    assert mean == pytest.approx(mean_angle(np.array(lidfa), np.array(lidfb)), abs=0.3)


def test_plants_differ() -> None:
    assert len({tuple(plant) for plant in PLANTS.values()}) == len(PLANTS)
    assert all(isinstance(plant, Plant) for plant in PLANTS.values())
