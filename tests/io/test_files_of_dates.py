"""A file for each date: what has no axis of time belongs to the date of its file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from releo_da.io import read_cube, read_points
from releo_da.types import InputError

DAYS = pd.to_datetime(["2024-05-01T10:30", "2024-05-11T10:30", "2024-05-21T10:30"])
BASE = np.array([0.06, 0.31])
CUBE: dict[str, Any] = {
    "sensor": "sentinel2a",
    "values": "r",
    "channels": {"B04": "red", "B08": "nir"},
    "dims": {"time": "time", "y": "y", "x": "x", "channel": "band"},
}


def one_date(k: int) -> xr.Dataset:
    numbers = BASE[:, None, None, None] * np.linspace(0.9, 1.1, 4).reshape(1, 1, 2, 2)
    return xr.Dataset(
        {"r": (("band", "time", "y", "x"), numbers)},
        {"time": [DAYS[k]], "y": [10.0, 0.0], "x": [0.0, 10.0], "band": ["red", "nir"]},
        {"crs": "EPSG:32632"},
    )


def test_masks_and_angles_without_time_are_those_of_their_file(tmp_path: Path) -> None:
    for k in range(3):
        date = one_date(k).assign(
            cloud=(("y", "x"), np.full((2, 2), int(k == 0))), sza=((), 30.0 + 10 * k)
        )
        date.to_netcdf(tmp_path / f"d{k}.nc")
    paths = [str(tmp_path / f"d{k}.nc") for k in range(3)]
    series = read_cube(paths, clear={"cloud": [0]}, angles={"sun_zenith": "sza"}, **CUBE)
    assert [a.product[:10] for a in series.acquisitions] == ["2024-05-11", "2024-05-21"]
    assert [float(a.angles[0, 0]) for a in series.acquisitions] == [40.0, 50.0]


def test_channels_in_another_order_are_refused(tmp_path: Path) -> None:
    paths = []
    for k in range(2):
        waves = [842.0, 665.0] if k else [665.0, 842.0]
        one_date(k).assign(wavelength=("band", waves)).to_netcdf(tmp_path / f"w{k}.nc")
        paths.append(str(tmp_path / f"w{k}.nc"))
    options = {**CUBE, "channels": {"B04": 665, "B08": 842}}
    with pytest.raises(InputError, match="'wavelength' is not the same in all files"):
        read_cube(paths, labels="wavelength", **options)
    assert len(read_cube(paths[:1], labels="wavelength", **options).acquisitions) == 1


@pytest.mark.parametrize("files", [1, 3])
def test_wavelengths_and_places_without_time_stay_what_they_are(tmp_path: Path, files: int) -> None:
    paths = []
    for k in range(files):
        path = tmp_path / f"p_2024050{k + 1}.nc"
        xr.Dataset(
            {
                "r": (("p", "band"), BASE * np.linspace(0.9, 1.1 + k / 10, 5)[:, None]),
                "wavelength": ("band", [665.0, 842.0]),
                "lon": ("p", np.linspace(8.0, 8.4, 5)),
                "lat": ("p", np.full(5, 48.0)),
            }
        ).to_netcdf(path)
        paths.append(str(path))
    series = read_points(
        paths,
        sensor="sentinel2a",
        values="r",
        channels={"B04": 665, "B08": 842},
        dims={"time": "time", "pixel": "p", "channel": "band"},
        time={"file": "%Y%m%d"},
        labels="wavelength",
        angles={"sun_zenith": 40.0},
        crs="EPSG:4326",
    )
    assert len(series.acquisitions) == files
    np.testing.assert_allclose(series.pixels["lon"], np.linspace(8.0, 8.4, 5))
    for k, seen in enumerate(series.acquisitions):
        assert float(seen.values[4, 0]) == pytest.approx(0.06 * (1.1 + k / 10))


def test_channels_of_their_own_are_values_of_the_date_even_where_equal(tmp_path: Path) -> None:
    paths = []
    for k in range(2):
        path = tmp_path / f"q_2024050{k + 1}.nc"
        held = {b: ("p", np.full(3, v)) for b, v in {"red": 0.05, "nir": 0.3 + k / 10}.items()}
        xr.Dataset(held).to_netcdf(path)
        paths.append(str(path))
    series = read_points(
        paths,
        sensor="sentinel2a",
        values={"B04": "red", "B08": "nir"},
        dims={"time": "time", "pixel": "p"},
        time={"file": "%Y%m%d"},
        angles={"sun_zenith": 40.0},
    )
    found = [a.values[0].tolist() for a in series.acquisitions]
    np.testing.assert_allclose(found, [[0.05, 0.3], [0.05, 0.4]], rtol=1e-6)
