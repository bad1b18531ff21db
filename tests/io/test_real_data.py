"""The real series, counted: what their READMEs say of them is what the readers find."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from releo_da.io import Series, drop_duplicates, merge, read_cube, read_in_situ, read_points

S2 = {"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"}
SWISS = "swiss_wheat_2022_strickhof_arenenberg"
FRANCE = "cesbio_insitu_france_2017_2018"


def there(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not in the data folder")
    return folder


@pytest.fixture(scope="module")
def france(data_root: Path) -> Series:
    names = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
    masks = ("sat_mask", "cloud_mask", "edge_mask", "geophysical_mask")
    return read_points(
        there(data_root / FRANCE) / "s2_l2a_points_france_t31tcj.nc",
        S2,
        "reflectance",
        {"pixel": "point", "time": "time", "channel": "band"},
        {name: name.replace("B0", "B") for name in names},
        clear={name: [0] for name in masks},
        angles={
            "sun_zenith": "sun_zen",
            "sun_azimuth": "sun_az",
            "view_zenith": "join_zen",
            "view_azimuth": "join_az",
        },
        period=["2016-12-01", "2018-10-31"],
    )


def swiss(data_root: Path, farm: str, **options: Any) -> Series:
    names = ["B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"]
    table = {
        "table": "s2_view_geometry_approx.csv", "by": ["relative_orbit"], "where": {"farm": farm}
    }  # fmt: skip
    return read_cube(
        there(data_root / SWISS) / f"s2_l2a_{farm.lower()}_2022.nc",
        S2,
        "reflectance",
        {"y": "y", "x": "x", "time": "time", "channel": "band"},
        {name: name for name in names},
        clear={"scl": [4, 5]},
        angles={
            "view_zenith": table | {"column": "view_zenith_deg"},
            "view_azimuth": table | {"column": "view_azimuth_deg_approx"},
        },
        **options,
    )


def test_france(france: Series) -> None:
    """66 points, 49 of 164 dates with clear pixels, 33 to 40 clear per point."""
    assert france.pixels.sizes["pixel"] == 66
    assert len(france.acquisitions) == 49
    clear = torch.stack([item.seen.any(1) for item in france.acquisitions]).sum(0)
    assert (int(clear.min()), int(clear.max())) == (33, 40)
    dark = next(entry for entry in france.log if entry["kind"] == "all_masked")
    assert dark["count"] == 164 - 49
    counts = next(entry for entry in france.log if entry["kind"] == "values")
    # The README's over-correction: red at 0 over dense vegetation.
    assert counts["rejected"] == {"masked": 84150, "not positive": 11}
    assert counts["by_channel"]["not positive"]["B04"] == 11
    times = [item.time for item in france.acquisitions]
    assert times == sorted(times)
    angles = torch.stack([item.angles for item in france.acquisitions])
    assert angles[..., 0].min() > 15 and angles[..., 0].max() < 75
    assert angles[..., 1].max() <= 12
    assert angles[..., 2].min() >= 0 and angles[..., 2].max() <= 180
    assert france.pixels.attrs["crs"] == "EPSG:4326"


def test_france_in_situ(france: Series, data_root: Path) -> None:
    """7 of 114 rows are empty; 76 have a clear date within 8 days."""
    found = read_in_situ(
        data_root / FRANCE / "insitu_france_t31tcj.csv", "lai", "PAIeff – CE", "field_date",
        france.pixels, pixel="point",
    )  # fmt: skip
    assert (found.log[0]["used"], found.log[0]["without value"]) == (107, 7)
    times = np.array([item.time for item in france.acquisitions])
    seen = torch.stack([item.seen.any(1) for item in france.acquisitions]).numpy()
    near = np.abs(times[:, None] - found.time) <= found.within_days
    assert (near & seen[:, found.pixel_index]).any(0).sum() == 76


@pytest.mark.parametrize(
    ("farm", "products", "dates", "pixels"),
    [("Strickhof", 36, 33, 960), ("Arenenberg", 60, 37, 224)],
)
def test_swiss(data_root: Path, farm: str, products: int, dates: int, pixels: int) -> None:
    series = swiss(data_root, farm)
    assert (len(series.acquisitions), series.pixels.sizes["pixel"]) == (products, pixels)
    thinned = drop_duplicates(series)
    assert len(thinned.acquisitions) == dates
    days = {int(item.time) for item in series.acquisitions}
    assert {int(item.time) for item in thinned.acquisitions} == days and len(days) == dates
    zeniths = {round(float(item.angles[0, 1]), 2) for item in series.acquisitions}
    assert zeniths == ({5.9, 8.35} if farm == "Strickhof" else {10.4, 3.0})
    # The sun over Switzerland in the morning, from March to July.
    sun = torch.stack([item.angles[:, 0] for item in series.acquisitions])
    assert sun.min() > 24 and sun.max() < 57


def test_the_sound_product_is_kept_where_its_twin_is_suspicious(data_root: Path) -> None:
    """Strickhof 2022-06-23: N9999 reads 0.1 too high, N0400 is right."""
    series = swiss(data_root, "Strickhof")
    wrong = "S2A_MSIL2A_20220623T103031_N9999_R108_T32TMT_20230101T163539.SAFE"
    kept = [item.product for item in drop_duplicates(series, {wrong}).acquisitions]
    assert wrong not in kept
    assert "S2A_MSIL2A_20220623T103031_N0400_R108_T32TMT_20220623T170319.SAFE" in kept


def test_parts_of_a_cube_merge_to_the_whole(data_root: Path) -> None:
    whole = swiss(data_root, "Arenenberg")
    parts = [
        swiss(data_root, "Arenenberg", select={"x": rule, "tile": tile})
        for rule in ({"max": 505150}, {"min": 505150})
        for tile in ("T32TMT", {"excludes": "T32TMT"})
    ]
    merged = merge(parts)
    assert merged.pixels["id"].identical(whole.pixels["id"])
    seen = {item.product: item.seen for item in whole.acquisitions}
    for product, full in seen.items():
        halves = [item.seen for item in merged.acquisitions if item.product == product]
        assert torch.equal(torch.stack(halves).any(0), full)


@pytest.mark.parametrize(("farm", "rows", "tall"), [("Strickhof", 115, 91), ("Arenenberg", 19, 12)])
@pytest.mark.parametrize(
    ("x", "y", "crs"), [("x_utm32n", "y_utm32n", None), ("geom_x", "geom_y", "EPSG:3857")]
)
def test_swiss_in_situ(
    data_root: Path, farm: str, rows: int, tall: int, x: str, y: str, crs: str | None
) -> None:
    """All rows of a farm meet a pixel; BBCH 30 is stem elongation."""
    series = swiss(data_root, farm)
    found = read_in_situ(
        data_root / SWISS / "insitu_glai_2022.csv", "lai", "lai", "date", series.pixels,
        x=x, y=y, crs=crs, radius=15, where={"location": farm},
        stage={
            "path": "insitu_bbch_2022.csv", "column": "BBCH Rating", "time": "date",
            "by": ["location", "parcel"],
        },
    )  # fmt: skip
    assert len(found.value) == rows
    assert found.stage is not None and (found.stage >= 30).sum() == tall
