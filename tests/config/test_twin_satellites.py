"""Satellites of a twin experiment: calendars by name, fixed intervals where they are asked for."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.config.document import load
from releo_da.config.twin_errors import clouds, instrument
from releo_da.config.twin_passes import passes, silent
from releo_da.config.twin_satellites import land_channels, satellite
from releo_da.config.twin_source import source_of
from releo_da.nature.clouds import Clouds
from releo_da.types import Acquisition, InputError

PLACE = (8.68, 47.45)
CONFIG = """
period: [2022-03-01, 2022-04-30]
source:
  twin:
    place: [8.68, 47.45]
    satellites:
      - {sensor: sentinel2a}
      - {sensor: landsat8}
"""


def looks(folder: Path, *settings: str) -> list[Acquisition]:
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    document = load(path, settings)
    return passes(document, source_of(document), torch.device("cpu"))


def test_a_sensor_s_name_is_enough(tmp_path: Path) -> None:
    """Passes, angles and channels of real satellites over the place."""
    found = looks(tmp_path)
    assert [a.time for a in found] == sorted(a.time for a in found)
    ours = [a for a in found if a.sensor == "sentinel2a"]
    moments = {str(np.datetime64("1970-01-01") + int(a.time)) for a in ours}
    assert {"2022-03-05", "2022-03-22", "2022-03-25", "2022-04-04"} <= moments  # products of T32TMT
    assert len(ours) == 12
    assert ours[0].values.shape == (1, 10)
    views = {round(float(a.angles[0, 1]), 2) for a in ours}
    assert len(views) == 2  # two tracks
    assert any(a.sensor == "landsat8" for a in found)


def test_channels_unless_given_are_those_of_the_land() -> None:
    assert land_channels("sentinel2a") == (
        "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12",
    )  # fmt: skip
    assert land_channels("landsat9") == ("B2", "B3", "B4", "B5", "B6", "B7")
    with pytest.raises(InputError, match="estimates has no band that looks at the land"):
        land_channels("estimates")


def test_any_number_of_a_schedule_asks_for_fixed_intervals() -> None:
    regular = satellite("sentinel2a", ["B04"], every_days=6.0).calendar.looks(100.0, 112.0, PLACE)
    assert regular == [(100.0 + 10.5 / 24, 5.0, 105.0), (106.0 + 10.5 / 24, 5.0, 105.0)]
    first = satellite("sentinel2a", ["B04"], first=date(1970, 1, 4), hour=12.0)
    assert first.calendar.looks(0.0, 20.0, PLACE) == [(3.5, 5.0, 105.0), (13.5, 5.0, 105.0)]
    assert len(satellite("modis_terra").calendar.looks(0.0, 30.0, PLACE)) == 3


def test_a_third_satellite_may_fly_where_none_does() -> None:
    """Sentinel-2C before its launch, three days behind 2A."""
    start = 19052.0
    assert satellite("sentinel2c").calendar.looks(start, start + 60, PLACE) == []
    third = satellite("sentinel2c", orbit="sentinel2a", days_later=3)
    first = satellite("sentinel2a").calendar.looks(start, start + 30, PLACE)
    later = third.calendar.looks(start + 3, start + 33, PLACE)
    assert np.allclose([t + 3 for t, _, _ in first], [t for t, _, _ in later])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensor": "sentinel2a", "orbit": "landsat7"}, "orbit 'landsat7' is not known; known are"),
        ({"sensor": "modis_terra", "days_later": 2}, "name the orbit: sentinel2a"),
        ({"sensor": "sentinel2a", "orbit": "sentinel2b", "hour": 9.0}, "without first, every_days"),
        ({"sensor": "sentinel2a", "every_days": 0.0}, "every_days is 0.0; give a positive"),
    ],
)
def test_bad_satellites_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        satellite(**options)


def test_a_schedule_without_acquisitions_is_refused(tmp_path: Path) -> None:
    only = "source.twin.satellites=[{sensor: sentinel2c}]"
    message = r"no satellite passes by day.*sentinel2c .*begin on 2025-01-21.*orbit: lifts that"
    with pytest.raises(InputError, match=message):
        looks(tmp_path, only)
    assert looks(tmp_path, "source.twin.satellites=[{sensor: sentinel2c, orbit: sentinel2a}]")


@pytest.mark.parametrize(
    ("entry", "settings", "message"),
    [
        ("{sensor: sentinel2c}", (), r"sentinel2c \(source.twin.satellites\[1\]\).*2025-01-21"),
        ("{sensor: sentinel2a}", ("period=[2025-02-01, 2025-03-31]",), "data end on 2025-01-20"),
        ("{sensor: landsat8}", ("period=[2022-03-01, 2022-03-02]",), "repeats every 16 days"),
        ("{sensor: modis_terra, hour: 1.0}", (), "first, every_days or hour"),
    ],
)
def test_a_satellite_that_never_passes_is_told(
    tmp_path: Path, entry: str, settings: tuple[str, ...], message: str
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    both = f"source.twin.satellites=[{{sensor: sentinel2b, every_days: 1}}, {entry}]"
    document = load(tmp_path / "config.yaml", (both, *settings))
    (said,) = silent(document, source_of(document))
    assert re.search(message, said)
    found = looks(tmp_path, both, *settings)
    assert {a.sensor for a in found} == {"sentinel2b"}


def test_satellites_that_pass_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    document = load(tmp_path / "config.yaml")
    assert silent(document, source_of(document)) == []


def test_clouds_and_instruments_are_checked() -> None:
    assert clouds(cover=0.3) == Clouds(0.3, 0.0, 0.06, 2.5, (3000.0, 150.0))
    assert instrument(calibration=0.0).calibration == 0.0
    for options, message in (
        ({"cover": 1.0}, "cover is 1.0; give a share"),
        ({"undetected": -0.1}, "undetected is -0.1"),
        ({"edges": 1.5}, "edges is 1.5"),
        ({"days": 0.0}, "days is 0.0; give a positive"),
        ({"lengths": [10.0]}, "lengths is .*two positive"),
    ):
        with pytest.raises(InputError, match=message):
            clouds(**options)
    with pytest.raises(InputError, match="haze is -1.0; give 0 or a positive"):
        instrument(haze=-1.0)


def test_a_land_is_a_complete_source(tmp_path: Path) -> None:
    """48 x 48 pixels under both satellites of Sentinel-2; without a land, 256 points."""
    settings = "source={twin: {nature: {name: wofost}}}", "source={twin: {}}"
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    land, points = (source_of(load(tmp_path / "config.yaml", (one,))) for one in settings)
    assert (land.shape, points.shape) == ((48, 48), (256,))
    assert [s.sensor for s in land.satellites] == ["sentinel2a", "sentinel2b"]
    assert {a.sensor for a in looks(tmp_path, settings[0])} == {"sentinel2a", "sentinel2b"}
