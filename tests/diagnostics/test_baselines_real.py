"""Baselines on real Sentinel-2 series, against the figures measured for these data sets."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from releo_da.diagnostics.baselines import (
    days,
    part,
    score_baselines,
    score_in_situ,
    series,
    withheld,
)
from releo_da.diagnostics.baselines.interpolation import LINEAR
from releo_da.diagnostics.baselines.series import Array, Series

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RELEO_DATA", ROOT / ".." / "shared" / "data"))
FRANCE = DATA / "cesbio_insitu_france_2017_2018" / "s2_l2a_points_france_t31tcj.nc"
SWISS = DATA / "swiss_wheat_2022_strickhof_arenenberg"
NEW_YEAR = float(days(np.array("2018-01-01", "datetime64[D]")))


def ndvi(red: Array, near: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (near - red) / (near + red)


@pytest.fixture(scope="module")
def france() -> Series:
    if not FRANCE.exists():
        pytest.skip(f"{FRANCE.name} is not under RELEO_DATA")
    with xr.open_dataset(FRANCE) as found:
        data = found.load()
    reflectance = data.reflectance.transpose("band", "point", "time").astype(float)
    values = ndvi(reflectance.sel(band="B4").values, reflectance.sel(band="B8").values)
    masks = [f"{name}_mask" for name in ("sat", "cloud", "edge", "geophysical")]
    clear = np.logical_and.reduce([data[m].transpose("point", "time") == 0 for m in masks])
    return series(data.time.values, values, clear)


@pytest.fixture(scope="module")
def smoothed(france: Series) -> dict[str, list[float]]:
    """RMSE of each baseline for k = 0, 1, 2, fitted on 2017."""
    training = part(france, period=(0, NEW_YEAR))
    result: dict[str, list[float]] = {}
    for offset in range(3):
        target = withheld(france.seen, 3, offset)
        rest = france._replace(seen=france.seen & ~target)
        found = score_baselines({"ndvi": training}, {"ndvi": rest}, {"ndvi": target})
        for name, place in found.items():
            assert place["smoothed"]["ndvi"]["n"] == target.sum() == (740, 777, 760)[offset]
            result.setdefault(name, []).append(place["smoothed"]["ndvi"]["rmse"])
    return result


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("linear", [0.1035, 0.1117, 0.1094], 0.0001),
        ("persistence", [0.181, 0.195, 0.198], 0.001),
        ("savitzky_golay", [0.103, 0.111, 0.109], 0.001),
        ("matern_kalman", [0.101, 0.110, 0.109], 0.006),
        ("harmonic", [0.178] * 3, 0.003),
    ],
)
def test_withheld_ndvi_in_france(
    smoothed: dict[str, list[float]], name: str, expected: list[float], tolerance: float
) -> None:
    assert smoothed[name] == pytest.approx(expected, abs=tolerance)


def test_whittaker_is_stronger_than_with_a_fixed_lambda(smoothed: dict[str, list[float]]) -> None:
    assert max(smoothed["whittaker"]) < 0.131


def test_forecasts_of_2018_in_france(france: Series) -> None:
    training = part(france, period=(0, NEW_YEAR))
    target = france.seen & (france.times >= NEW_YEAR)
    found = score_baselines({"ndvi": training}, {"ndvi": france}, {"ndvi": target}, horizons=[10])
    rows = {name: place["forecast"]["10"]["ndvi"] for name, place in found.items()}
    assert {row["n"] for row in rows.values()} == {1058}
    assert rows["persistence"]["rmse"] == pytest.approx(0.239, abs=0.001)
    assert rows["harmonic"]["rmse"] == pytest.approx(0.213, abs=0.001)
    assert rows["ou_kalman"]["rmse"] == pytest.approx(0.172, rel=0.02)
    assert 0.85 < rows["ou_kalman"]["coverage_90"] < 0.95


def swiss(farm: str, offset: tuple[str, ...]) -> Series:
    """NDVI of one farm, per date the product that shows most pixels.

    Products whose name contains one of `offset` read 0.1 too high in all bands. Where they are
    corrected, Strickhof's first product of 16 May gives way to its reprocessed twin.
    """
    path = SWISS / f"s2_l2a_{farm}_2022.nc"
    if not path.exists():
        pytest.skip(f"{path.name} is not under RELEO_DATA")
    with xr.open_dataset(path) as found:
        data = found.load()
    names = data.product_uri.values.astype(str)
    high = np.array([0.1 * any(part in name for part in offset) for name in names])
    bands = data.reflectance.transpose("band", "y", "x", "time") - high
    red, near = (bands.sel(band=b).values.reshape(-1, len(names)) for b in ("B04", "B8A"))
    values = ndvi(red.astype(float), near.astype(float))
    shown, day = np.isfinite(values).sum(0), np.floor(days(data.time.values))
    same = [np.flatnonzero(day == d) for d in np.unique(day)]
    if offset:
        shown[["20220516T133430" in name for name in names]] = 0
    kept = [index[np.argmax(shown[index])] for index in same]
    return series(data.time.values[kept], values[:, kept])


OFFSET = {
    "strickhof": ("_20220620T", "20220623T103031_N9999"),
    "arenenberg": ("20220620T102041_N9999", "_20220623T", "_20220728T"),
}
FIGURES = [
    ("strickhof", False, [0.083, 0.064, 0.074]),
    ("strickhof", True, [0.051, 0.044, 0.047]),
    ("arenenberg", False, [0.059, 0.064, 0.065]),
    ("arenenberg", True, [0.043, 0.047, 0.056]),
]


@pytest.mark.parametrize(("farm", "corrected", "expected"), FIGURES)
def test_linear_interpolation_in_switzerland(
    farm: str, corrected: bool, expected: list[float]
) -> None:
    fields = swiss(farm, OFFSET[farm] if corrected else ())
    found = []
    for offset in range(3):
        target = withheld(fields.seen, 3, offset)
        rest = fields._replace(seen=fields.seen & ~target)
        rows = score_baselines({"ndvi": rest}, {"ndvi": rest}, {"ndvi": target}, baselines=[LINEAR])
        found.append(rows["linear"]["smoothed"]["ndvi"]["rmse"])
    assert found == pytest.approx(expected, abs=0.001)


def test_lines_beside_field_measurements_in_france(france: Series) -> None:
    """NDVI of the nearest clear date, at most 8 days from the measurement: 76 rows."""
    table = pd.read_csv(FRANCE.parent / "insitu_france_t31tcj.csv")
    pixel = table["point"].to_numpy()
    day = days(pd.to_datetime(table["field_date"]).to_numpy())
    distance = np.where(france.seen[pixel], np.abs(france.times - day[:, None]), np.inf)
    nearest = france.values[pixel, distance.argmin(1)]
    measured = np.where(distance.min(1) <= 8, table["PAIeff – CE"], np.nan)
    rows = score_in_situ(measured, nearest)
    assert rows["line"]["n"] == 76
    assert rows["constant"]["rmse"] == pytest.approx(1.0, abs=0.03)
    assert rows["line"]["rmse"] == pytest.approx(0.71, abs=0.005)
