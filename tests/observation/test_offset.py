"""Constant offsets over all channels: found and undone where they are, not seen elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from releo_da.io import read_cube, read_points
from releo_da.observation.offset import corrected, find_offsets
from releo_da.types import Acquisition

NAMES = ("B02", "B03", "B04", "B08", "B11", "B12")
CHANNELS = {"sentinel2a": NAMES, "sentinel2b": NAMES}
BARE = torch.tensor([0.06, 0.09, 0.12, 0.20, 0.30, 0.26])
GREEN = torch.tensor([0.02, 0.05, 0.02, 0.48, 0.20, 0.09])
CLOUD = torch.tensor([0.35, 0.33, 0.32, 0.30, 0.20, 0.14])


def season(dates: int = 24, pixels: int = 12) -> list[Acquisition]:
    """A crop that grows, is harvested between two dates, and is seen with noise every five days."""
    generator = torch.Generator().manual_seed(1)
    series = []
    for k in range(dates):
        green = 1.0 / (1.0 + math.exp(-(k - 8) / 1.5)) if k < 18 else 0.0
        noise = torch.randn((pixels, len(NAMES)), generator=generator)
        values = (1.0 - green) * BARE + green * GREEN + 0.005 * noise
        error = torch.full_like(values, 0.01)
        error[k % pixels] = math.inf
        values[k % pixels] = 0.0
        sensor = "sentinel2a" if k % 2 else "sentinel2b"
        angles = torch.zeros(pixels, 3)
        series.append(Acquisition(5.0 * k, sensor, values, error, angles, f"product {k}"))
    return series


def shifted(series: list[Acquisition], where: Iterable[int], by: Any) -> list[Acquisition]:
    changed = list(series)
    for k in where:
        a = changed[k]
        changed[k] = a._replace(values=torch.where(a.seen, a.values + by, a.values))
    return changed


@pytest.mark.parametrize("where", [{5}, {12}, {11, 12}, {3, 10, 11, 12}, {7, 15, 16}, {1}])
def test_offsets_are_found_named_and_undone(where: set[int]) -> None:
    clean = season()
    faulty = shifted(clean, where, 0.1)
    found = find_offsets(faulty, CHANNELS)
    assert {o.position for o in found} == where
    for o in found:
        assert o.offset == 0.1
        assert o.known
        assert o.product == f"product {o.position}"
        assert "-1000 digital counts" in o.cause
        assert o.product in str(o)
        assert "+0.100" in str(o)
    for mended, a in zip(corrected(faulty, found, CHANNELS), clean, strict=True):
        torch.testing.assert_close(mended.values, a.values)
        assert torch.equal(mended.error, a.error)
    changed = faulty[min(where)].values - clean[min(where)].values
    assert changed.max() == pytest.approx(0.1)  # the input is as it was


def test_an_offset_applied_twice_is_named_as_such() -> None:
    (found,) = find_offsets(shifted(season(), [12], -0.1), CHANNELS)
    assert (found.position, found.offset, found.known) == (12, -0.1, True)
    assert "applied twice" in found.cause


def test_both_products_of_one_pass_are_found() -> None:
    """A pass that was delivered twice is no neighbour of itself."""
    series = season()
    twice = [*series[:12], series[11]._replace(product="again"), *series[12:]]
    found = find_offsets(shifted(twice, [11, 12], 0.1), CHANNELS)
    assert [o.product for o in found] == ["product 11", "again"]
    only = find_offsets(shifted(twice, [12], 0.1), CHANNELS)
    assert [o.product for o in only] == ["again"]


def test_a_constant_without_a_name_is_rejected_whole() -> None:
    faulty = shifted(season(), [12], 0.2)
    (found,) = find_offsets(faulty, CHANNELS)
    assert found.position == 12
    assert found.offset == pytest.approx(0.2, abs=0.01)
    assert not found.known
    assert "rejected" in str(found)
    mended = corrected(faulty, [found], CHANNELS)
    assert not mended[12].seen.any()
    assert torch.equal(mended[12].values, faulty[12].values)
    assert torch.equal(mended[11].error, faulty[11].error)


def test_a_date_beside_a_brighter_one_is_no_offset() -> None:
    """The last date reads 0.14 higher: the one before it agrees with those before."""
    clean = season(7)
    assert find_offsets(shifted(clean, {6}, 0.14), CHANNELS) == []


def test_a_harvest_that_stays_bright_is_no_fault() -> None:
    """All channels rise by 0.1, and are seen again 25 days later: as high as then."""
    clean = season()
    bright = shifted(clean, range(12, 18), 0.1)
    assert find_offsets([*bright[:13], *bright[17:18]], CHANNELS) == []
    assert find_offsets([*shifted(clean, {12}, 0.1)[:13], *clean[17:18]], CHANNELS) != []


def test_growth_and_harvest_are_no_offsets() -> None:
    assert find_offsets(season(), CHANNELS) == []


@pytest.mark.parametrize("factor", [0.5, 0.65, 1.5])
@pytest.mark.parametrize("days", [range(20, 21), range(19, 24)], ids=["rain", "season"])
def test_wet_and_dry_soil_are_no_offsets(factor: float, days: range) -> None:
    """A bright soil with little slope, of which 0.05 to 0.13 is a share."""
    series = season()
    soil = torch.tensor([0.16, 0.20, 0.24, 0.30, 0.36, 0.34]) - BARE
    bright = shifted(series, range(18, 24), soil)
    assert find_offsets(bright[18:], CHANNELS) == []
    for k in days:
        bright[k] = bright[k]._replace(values=factor * bright[k].values)
    assert find_offsets(bright[18:], CHANNELS) == []


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_cloud_is_no_offset(share: float) -> None:
    series = season()
    cloudy = shifted(series, [12], share * (CLOUD - series[12].values))
    assert find_offsets(cloudy, CHANNELS) == []


@pytest.mark.parametrize("channel", range(len(NAMES)))
def test_one_channel_is_no_offset(channel: int) -> None:
    by = torch.zeros(len(NAMES))
    by[channel] = 0.3
    assert find_offsets(shifted(season(), [12], by), CHANNELS) == []


def test_what_has_no_neighbours_is_not_judged() -> None:
    series = shifted(season(), [12], 0.1)
    assert find_offsets(series[12:13], CHANNELS) == []
    assert find_offsets(series, CHANNELS, within_days=4.0) == []
    hidden = [a._replace(error=torch.full_like(a.error, math.inf)) for a in series]
    assert find_offsets([*hidden[:12], series[12], *hidden[13:]], CHANNELS) == []


FOLDER = "swiss_wheat_2022_strickhof_arenenberg"
FOUND = {
    "strickhof": {
        ("2022-06-20", "N0400", "T32TMT"),
        ("2022-06-20", "N9999", "T32TMT"),
        ("2022-06-23", "N9999", "T32TMT"),
    },
    "arenenberg": {
        ("2022-06-20", "N9999", "T32TNT"),
        ("2022-06-23", "N0400", "T32TMT"),
        ("2022-06-23", "N0400", "T32TNT"),
    },
}


@pytest.mark.parametrize("farm", FOUND)
def test_faulty_products_of_the_swiss_farms_are_found(farm: str, data_root: Path) -> None:
    bands = ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12")
    series = read_cube(
        data_root / FOLDER / f"s2_l2a_{farm}_2022.nc",
        sensor={"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
        values="reflectance",
        dims={"y": "y", "x": "x", "time": "time", "channel": "band"},
        channels={name: name for name in bands},
        clear={"scl": [4, 5]},
    )
    offsets = find_offsets(series.acquisitions, series.channels)
    found = set()
    for o in offsets:
        day = str(np.datetime64("1970-01-01") + np.timedelta64(int(o.time), "D"))
        found.add((day, o.product[27:32], o.product[38:44]))
    optional = {one for one in found if one[0] == "2022-07-28"}
    assert found - optional == FOUND[farm]
    assert all(o.offset == 0.1 and o.known for o in offsets if "202207" not in o.product)


def test_no_product_of_the_french_points_is_faulty(data_root: Path) -> None:
    bands = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    agency = [f"B0{b[1:]}" if len(b) == 2 else b for b in bands]
    series = read_points(
        data_root / "cesbio_insitu_france_2017_2018" / "s2_l2a_points_france_t31tcj.nc",
        sensor={"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
        values="reflectance",
        dims={"pixel": "point", "time": "time", "channel": "band"},
        channels=dict(zip(agency, bands, strict=True)),
        clear={"sat_mask": [0], "cloud_mask": [0], "edge_mask": [0], "geophysical_mask": [0]},
    )
    assert len(series.acquisitions) > 30
    assert find_offsets(series.acquisitions, series.channels) == []
    fields = series.acquisitions  # that were harvested before 30 June 2018, and seen on 25 July
    fields = [a._replace(values=a.values[8:14], error=a.error[8:14]) for a in fields]
    assert find_offsets([a for a in fields if a.time < 17744], series.channels) == []
