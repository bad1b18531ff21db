"""The truth of a fraternal twin: the same however asked for, and not what a filter assumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from releo_da.nature import canopy, scene
from releo_da.nature.chemistry import VARIABLES
from releo_da.nature.growth import Growth
from releo_da.nature.phenology import phenology
from releo_da.observation.prosail import NodeBands, ProsailOperator
from releo_da.types import Acquisition, InputError

CHANNELS = {"sentinel2a": ("B02", "B04", "B08", "B11")}
ROWS, COLUMNS = (axis.ravel().astype(float) for axis in np.indices((24, 24)))
JUNE = float(np.datetime64("2023-06-15").astype(int)) + 0.45


@pytest.fixture(scope="module")
def season() -> Growth:
    return phenology(years=(2023,))


@pytest.fixture(scope="module")
def here(season: Growth) -> scene.Ground:
    return scene.ground(3, [season], ROWS, COLUMNS, 8.0)


def look(number: int) -> Acquisition:
    nothing = torch.zeros(number, 0)
    angles = torch.tensor([35.0, 6.0, 100.0], dtype=torch.float64).expand(number, 3)
    return Acquisition(JUNE, "sentinel2a", nothing, nothing, angles)


def states(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values)[:, None]


def test_part_of_a_landscape_is_the_landscape_there(season: Growth, here: scene.Ground) -> None:
    chosen = np.random.default_rng(0).permutation(ROWS.size)[:50]
    part = scene.ground(3, [season], ROWS[chosen], COLUMNS[chosen], 8.0)
    whole = scene.states(3, [season], here, JUNE, 0.05)
    assert np.array_equal(scene.states(3, [season], part, JUNE, 0.05), whole[chosen])


def test_fields_grow_what_they_drew_and_pixels_differ(season: Growth, here: scene.Ground) -> None:
    lai = scene.states(3, [season], here, JUNE, 0.05)[:, VARIABLES.index("lai")]
    crop = np.array(season.crop)[here.cohort[0]]
    assert set(crop) == set(season.crop)
    assert lai[crop == "bare_soil"].max() < 0.8
    assert lai[crop == "deciduous_forest"].min() > 2.0
    name = here.field.row * 100 + here.field.column
    inside = [lai[name == k].std() / lai[name == k].mean() for k in np.unique(name)]
    assert 0.01 < np.median(inside) < 0.3


def flat(first: float, *names: str) -> Growth:
    """Sixty days on which nothing changes."""
    held = np.full((len(names), 60), 2.0)
    return Growth(names, first, held, 0.0 * held, 0.0 * held + 1.5, 0.1 * held, held)


def test_a_field_changes_over_with_the_season() -> None:
    both = [flat(100.0, "maize"), flat(160.0, "winter_wheat")]
    place = scene.ground(3, both, ROWS, COLUMNS, 8.0)
    assert set(scene.growing(both, place, 159.9)[1]) == {"maize"}
    assert set(scene.growing(both, place, 160.0)[1]) == {"winter_wheat"}
    with pytest.raises(InputError, match="covers 1970-04-11 to 1970-06-09, 1970-06-10 to"):
        scene.growing(both, place, 220.0)


def test_perennials_stay_on_their_fields_and_crops_rotate() -> None:
    names = ("maize", "potato", "deciduous_forest", "deciduous_forest", "bare_soil")
    seasons = [flat(100.0 + 60.0 * k, *names) for k in range(3)]
    place = scene.ground(3, seasons, 9.0 * ROWS, 9.0 * COLUMNS, 8.0)
    grown = np.array(names)[place.cohort]
    stays = ~np.isin(grown[0], ["maize", "potato"])
    assert 0.3 < stays.mean() < 0.7
    assert (place.cohort[:, stays] == place.cohort[0, stays]).all()
    assert set(grown[1:, ~stays].ravel()) == {"maize", "potato"}
    for before, after in ((0, 1), (1, 2)):
        assert 0.4 < (grown[before, ~stays] == grown[after, ~stays]).mean() < 0.6
    alone = scene.ground(3, seasons[:1], 9.0 * ROWS, 9.0 * COLUMNS, 8.0)
    assert np.array_equal(alone.cohort[0], place.cohort[0])
    with pytest.raises(InputError, match="season 1 has other cohorts than the first"):
        scene.ground(3, [seasons[0], flat(160.0, "maize")], ROWS, COLUMNS, 8.0)


def test_truth_is_no_setting_of_the_simulator_that_assimilates(
    season: Growth, here: scene.Ground
) -> None:
    """With the same contents, structure and soil the two differ by model error, and not by much."""
    true = states(scene.states(3, [season], here, JUNE, 0.05))
    true[..., len(VARIABLES) :] = 0.0
    theirs = canopy.simulator(CHANNELS)(true, look(ROWS.size))[:, 0]

    def assumed(latents: Tensor) -> dict[str, Tensor]:
        held = canopy.named(latents)
        return {k: v for k, v in held.items() if k not in ("lidfa", "lidfb", "soil_moisture")}

    ours = ProsailOperator(
        assumed, lambda x: x[..., :0], CHANNELS, bands=NodeBands(CHANNELS)
    )(true, look(ROWS.size))[:, 0]  # fmt: skip
    apart = (theirs - ours).pow(2).mean(0).sqrt()
    assert ((apart > 5e-4) & (apart < 0.03)).all()


def test_discrepancy_has_its_size_and_belongs_to_fields(here: scene.Ground) -> None:
    wide = scene.ground(3, [phenology(years=(2023,))], 400.0 * ROWS, 400.0 * COLUMNS, 8.0)
    waves = canopy.waves(np.linspace(420.0, 2400.0, 40))
    days = np.linspace(0.0, 300.0, 20)
    found = np.stack([canopy.modes(9, wide.field, 0.05, day) @ waves for day in days])
    assert found.std() == pytest.approx(0.05, rel=0.1)
    assert abs(found.mean()) < 0.01
    near = canopy.modes(9, here.field, 0.05, 3.0)
    name = here.field.row * 100 + here.field.column
    assert all(np.ptp(near[name == k], axis=0).max() == 0.0 for k in np.unique(name))


def test_a_sensor_sees_the_discrepancy_of_the_field(season: Growth, here: scene.Ground) -> None:
    true, observe = states(scene.states(3, [season], here, JUNE, 0.05)), canopy.simulator(CHANNELS)
    plain, bent = true.clone(), true.clone()
    plain[..., len(VARIABLES) :] = 0.0
    bent[..., len(VARIABLES) :] = torch.tensor([0.0, 0.04, 0.0, 0.0])
    ratio = observe(bent, look(ROWS.size)) / observe(plain, look(ROWS.size)) - 1.0
    centres = np.array([492.7, 664.6, 832.8, 1613.7])
    assert np.allclose(ratio, 0.04 * canopy.waves(centres)[1], atol=2e-4)


def test_output_variables_of_the_truth(season: Growth, here: scene.Ground) -> None:
    true, observe = states(scene.states(3, [season], here, JUNE, 0.05)), canopy.simulator(CHANNELS)
    names = ("lai", "ala", "soil_moisture", "ccc", "fapar", "ndvi")
    found = canopy.derived(names, observe, CHANNELS)(true, look(ROWS.size).angles)
    assert tuple(found) == names
    assert torch.allclose(found["ccc"], 0.01 * found["lai"] * canopy.named(true)["cab"])
    lush = found["lai"] > 3.0
    assert found["ndvi"][lush].min() > 0.6
    assert found["fapar"][lush].min() > 0.7


def test_a_land_that_comes_later_is_the_land_of_so_many_days_before(season: Growth) -> None:
    """In all that follows development; what moisture does, which follows the rain, apart."""
    usual, late = (scene.ground(3, [season], ROWS, COLUMNS, 8.0, later=d) for d in (0.0, 12.0))
    rows = [VARIABLES.index(name) for name in ("lai", "cab", "lidfa", "n")]
    then = scene.variables([season], late, JUNE)[:, rows]
    before = scene.variables([season], usual, JUNE - 12.0)[:, rows]
    np.testing.assert_allclose(then, before, rtol=1e-9)
    assert not np.allclose(then, scene.variables([season], usual, JUNE)[:, rows])


def test_variety_makes_fields_differ_and_leaves_what_grows_alone(season: Growth) -> None:
    found = {}
    for v in (0.0, 1.0, 3.0):
        here = scene.ground(3, [season], 100.0 * np.arange(400.0), np.zeros(400), variety=v)
        values = scene.variables([season], here, JUNE)
        found[v] = dict(zip(VARIABLES, values.T, strict=True))
        limit = 1.0 - np.abs(found[v]["lidfb"])
        assert (np.abs(found[v]["lidfa"]) <= limit + 1e-12).all() and (found[v]["n"] >= 1.0).all()
    assert all(np.array_equal(found[v]["lai"], found[0.0]["lai"]) for v in found)
    for name in ("cw", "cm", "rsoil", "lidfa"):
        spread = [found[v][name].std() for v in (0.0, 1.0, 3.0)]
        assert spread[0] < spread[1] < spread[2], name
