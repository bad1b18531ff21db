"""What a file holds is read as it is: channels by number, fill values, zeros of Zarr stores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from releo_da.io import read_points, read_table
from releo_da.io.missing import without_fill
from releo_da.types import InputError

Write = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("held", [None, np.arange(300), np.arange(300).astype("int16")])
def test_positions_are_met_exactly(points: Write, held: Any) -> None:
    def many(data: xr.Dataset) -> xr.Dataset:
        data = data.drop_vars("band").isel(band=np.arange(300) % 2)
        data["reflectance"] = data["reflectance"] + 0.001 * xr.DataArray(
            np.arange(300), dims="band"
        )
        return data if held is None else data.assign_coords(band=held)

    last = points(many, channels={"B04": 299, "B08": 50})
    got = read_points(**last).acquisitions[0].values[0, 0]
    assert float(got) == pytest.approx(
        float(xr.load_dataset(last["path"])["reflectance"][0, 0, -1])
    )
    with pytest.raises(InputError, match="300"):
        read_points(**points(many, channels={"B04": 300, "B08": 50}))


def test_wavelengths_are_met_nearly_and_must_be_there(points: Write) -> None:
    waves = points(
        lambda d: d.assign_coords(band=[664.6, 832.8]), channels={"B04": 665, "B08": 833}
    )
    assert len(read_points(**waves).acquisitions) == 4
    with pytest.raises(InputError, match="no channel"):
        read_points(**points(lambda d: d.assign_coords(band=[np.nan] * 2), channels={"B04": 665}))


@pytest.mark.parametrize("fill", [-0.3, 25.4, -9999.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_fill_value_is_met_in_the_precision_of_the_file(fill: float, dtype: Any) -> None:
    held = np.array([0, 1, fill, fill + 1e-3 * abs(fill)]).astype(dtype)
    expected = np.array(
        [dtype(x) == dtype(fill) and (dtype != np.int16 or x == fill) for x in held]
    )
    if dtype is np.int16 and fill != -9999.0:
        expected[:] = False  # a whole number is no fraction
    np.testing.assert_array_equal(np.isnan(without_fill(held, [fill])), expected)


def test_a_fill_value_that_was_packed_is_met() -> None:
    unpacked = np.array([-3000, 5000], np.int16) * np.float32(1e-4)
    np.testing.assert_array_equal(np.isnan(without_fill(unpacked, [-0.3])), [True, False])


def test_errors_of_cubes_and_columns_of_parquet_have_fill_values(
    points: Write, tmp_path: Path
) -> None:
    def with_error(data: xr.Dataset) -> xr.Dataset:
        sd = np.full((3, 5), 0.02)
        sd[0] = 65535
        return data.assign(sd=(("point", "time"), sd))

    given = points(with_error, error={"from": "sd"}, fill=65535)
    series = read_points(**given)
    assert not series.acquisitions[0].seen[0].any() and series.acquisitions[0].seen[1].all()
    red = np.array([25.4, 0.1], np.float32)
    table = pd.DataFrame({"day": ["2024-05-01", "2024-05-03"], "red": red, "nir": [0.3, 0.3]})
    table.to_parquet(tmp_path / "t.parquet")
    channels = {"B04": "red", "B08": "nir"}
    options: dict[str, Any] = {"fill": 25.4, "angles": {"sun_zenith": 30.0}}
    read = read_table(tmp_path / "t.parquet", "day", "sentinel2a", channels, **options)
    (counts,) = [entry for entry in read.log if entry["kind"] == "values"]
    assert counts["rejected"] == {"not a number": 1}


@pytest.mark.parametrize("said", [False, True])
def test_zeros_of_a_store_of_version_2_are_numbers(points: Write, said: bool) -> None:
    options = points(clear={"cloud": {"max": 0}})
    path = options["path"].with_suffix(".zarr")
    data = xr.load_dataset(options["path"]).drop_vars("cloud")
    data.to_zarr(path, zarr_format=2, consolidated=False)
    group = zarr.open_group(path, mode="a", zarr_format=2)
    held = xr.load_dataset(options["path"])["cloud"].values
    array = group.create_array("cloud", shape=held.shape, dtype="u1", fill_value=0)
    array[:] = held
    array.attrs["_ARRAY_DIMENSIONS"] = ["point", "time"]
    if said:
        array.attrs["_FillValue"] = 0
        with pytest.raises(InputError, match="nothing clear"):
            read_points(**options | {"path": path})
        return
    store, file = (read_points(**options | {"path": p}) for p in (path, options["path"]))
    for one, other in zip(store.acquisitions, file.acquisitions, strict=True):
        assert one.seen.equal(other.seen)


def test_other_fill_values_of_a_store_of_version_2_stay_missing(points: Write) -> None:
    options = points()
    path = options["path"].with_suffix(".zarr")
    data = xr.load_dataset(options["path"])
    data["reflectance"][0, 0] = np.nan
    packed = {"reflectance": {"dtype": "int16", "scale_factor": 1e-4, "_FillValue": -9999}}
    data.to_zarr(path, zarr_format=2, consolidated=False, encoding=packed)
    seen = read_points(**options | {"path": path}).acquisitions[0].seen
    assert seen.tolist() == [[False] * 2, [True] * 2, [False] * 2]
