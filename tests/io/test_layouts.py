"""One small series written in every supported layout is read back as the same series.

`samples` draws a series, `LAYOUTS` holds one writer for each layout: it writes the series into a
folder and returns the reader with its options. What comes back must be what was drawn, to the last
bit of float32, so every layout gives the same series as every other.
"""

import datetime
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.io import Series, read_cube, read_points, read_table
from releo_da.io.cube import Cube, open_cube

FILL = -9999
CHANNELS = {"B08": "nir", "B02": "blue", "B11": "swir"}
WAVES = {"B08": 833.0, "B02": 492.7, "B11": 1610.4}
OVERPASS = 10.5 / 24
EPOCH = datetime.date(1970, 1, 1).toordinal()


@dataclass
class Sample:
    """A series: numbers ``[time, row, column, channel]``, masks ``[time, row, column]``."""

    days: np.ndarray
    raw: np.ndarray
    mask: np.ndarray
    scale: dict[str, float]
    offset: dict[str, float]
    order: list[int]
    axes: list[str]
    dates: str

    @property
    def shuffled(self) -> xr.Dataset:
        """The series as it is written: times out of order, axes in any order."""
        data = xr.Dataset(
            {
                "r": (("t", "y", "x", "band"), self.raw),
                "mask": (("t", "y", "x"), self.mask),
            },
            {"t": np.arange(len(self.days)), "band": list(CHANNELS.values())},
        ).isel(t=self.order)
        data["r"] = data["r"].transpose(*self.axes)
        return dated(data, self.days[self.order], self.dates)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "sensor": "sentinel2a",
            "scale": self.scale,
            "offset": self.offset,
            "fill": FILL,
            "clear": {"mask": [0]},
            "angles": {"sun_zenith": 40.0},
            "overpass": "10:30",
            "error": {"absolute": 0.01, "relative": 0.05},
        }


def columns_of(days: np.ndarray, form: str) -> dict[str, Any]:
    """Dates in one of the forms, as columns."""
    stamps = [datetime.date.fromordinal(int(day) + EPOCH) for day in days]
    return {
        "times": {"d": pd.to_datetime(stamps)},
        "text": {"d": [s.isoformat() for s in stamps]},
        "digits": {"d": [int(f"{s:%Y%m%d}") for s in stamps]},
        "ordinal": {"d": [s.toordinal() for s in stamps]},
        "since": {"d": days - 10957},
        "of year": {"d": [s.timetuple().tm_yday for s in stamps], "year": [s.year for s in stamps]},
    }[form]


DATES: dict[str, Any] = {
    "times": "d",
    "text": "d",
    "digits": "d",
    "ordinal": {"ordinal": "d"},
    "since": {"days": "d", "since": "2000-01-01"},
    "of year": {"year": "year", "day_of_year": "d"},
}


def dated(data: xr.Dataset, days: np.ndarray, form: str) -> xr.Dataset:
    return data.assign({name: ("t", held) for name, held in columns_of(days, form).items()})


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    times, rows, columns = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    raw = rng.integers(-200, 9000, (times, rows, columns, 3))
    raw[rng.random(raw.shape) < 0.1] = FILL
    mask = rng.integers(0, 2, (times, rows, columns))
    raw[0, 0, 0], mask[0, 0, 0] = 4000, 0  # something is left to see
    return Sample(
        np.sort(rng.choice(np.arange(18000, 19000), times, replace=False)),
        raw,
        mask,
        {"B08": 1e-4, "B02": 1e-4, "B11": draw(st.sampled_from([1e-4, 2e-4]))},
        {"B02": draw(st.sampled_from([0.0, -0.1, 0.02]))},
        draw(st.permutations(range(times))),
        draw(st.permutations(["t", "y", "x", "band"])),
        draw(st.sampled_from(sorted(DATES))),
    )


def points_of(data: xr.Dataset) -> xr.Dataset:
    """The grid as points, row after row."""
    return data.stack(point=("y", "x")).reset_index("point", drop=True)


Made = tuple[Callable[..., Series], dict[str, Any]]
Write = Callable[[xr.Dataset, Path], Any]


def to_netcdf(data: xr.Dataset, path: Path) -> Path:
    data.to_netcdf(path / "a series.nc")
    return path / "a series.nc"


def to_zarr(version: int) -> Write:
    def write(data: xr.Dataset, path: Path) -> Path:
        data.to_zarr(path / "s.zarr", zarr_format=version, consolidated=version == 2)
        return path / "s.zarr"

    return write


def to_zip(data: xr.Dataset, path: Path) -> Path:
    """The folder itself is packed, as people do."""
    data.to_zarr(path / "s.zarr", zarr_format=3, consolidated=False)
    return Path(shutil.make_archive(str(path / "s.zarr"), "zip", path, "s.zarr"))


def to_many(data: xr.Dataset, path: Path) -> str:
    """A file of each date, in the order of the series."""
    for k in range(data.sizes["t"]):
        data.isel(t=[k]).to_netcdf(path / f"part {k}.nc")
    return str(path / "part *.nc")


def cube(write: Write) -> Callable[[Sample, Path], Made]:
    def make(sample: Sample, path: Path) -> Made:
        return read_cube, {
            "path": write(sample.shuffled, path),
            "values": "r",
            "dims": {"time": "t", "y": "y", "x": "x", "channel": "band"},
            "channels": CHANNELS,
            "time": DATES[sample.dates],
        }

    return make


def cube_of_variables(write: Write) -> Callable[[Sample, Path], Made]:
    def make(sample: Sample, path: Path) -> Made:
        data = sample.shuffled
        split = data.drop_vars(["r", "band"])
        for name in CHANNELS.values():
            split[f"r_{name}"] = data["r"].sel(band=name, drop=True)
        return read_cube, {
            "path": write(split, path),
            "values": {channel: f"r_{name}" for channel, name in CHANNELS.items()},
            "dims": {"time": "t", "y": "y", "x": "x"},
            "time": DATES[sample.dates],
        }

    return make


def points(write: Write) -> Callable[[Sample, Path], Made]:
    def make(sample: Sample, path: Path) -> Made:
        return read_points, {
            "path": write(points_of(sample.shuffled), path),
            "values": "r",
            "dims": {"time": "t", "pixel": "point", "channel": "band"},
            "channels": CHANNELS,
            "time": DATES[sample.dates],
        }

    return make


def by_wavelength(sample: Sample, path: Path) -> Made:
    """Channels by their wavelengths, the nearest one is meant."""
    data = points_of(sample.shuffled).drop_vars("band")
    data["wavelength"] = ("band", np.array(list(WAVES.values())) + 0.4)
    reader, options = points(to_netcdf)(sample, path)
    options["path"] = to_netcdf(data, path)
    return reader, options | {"channels": WAVES, "labels": "wavelength"}


def packed(sample: Sample, path: Path) -> Made:
    """Fill values by the file's own attributes."""
    data = points_of(sample.shuffled)
    data["r"] = data["r"].where(data["r"] != FILL)
    data.to_netcdf(path / "s.nc", encoding={"r": {"dtype": "int16", "_FillValue": -9999}})
    reader, options = points(lambda *_: path / "s.nc")(sample, path)
    return reader, options | {"fill": None}


def by_name(sample: Sample, path: Path) -> Made:
    """One file for each date, whose name holds it, without an axis of time."""
    data = points_of(sample.shuffled).drop_vars(["d", "year"], errors="ignore")
    paths = []
    for k, day in enumerate(sample.days[sample.order]):
        date = datetime.date.fromordinal(int(day) + EPOCH)
        paths.append(str(path / f"T31_{date:%Y%m%d}_{k:08d}.nc"))
        data.isel(t=k, drop=True).to_netcdf(paths[-1])
    reader, options = points(lambda *_: paths)(sample, path)
    return reader, options | {"time": {"file": "%Y%m%d"}}


def rows_of(sample: Sample) -> pd.DataFrame:
    """A row per date and pixel."""
    data = sample.shuffled
    shape, names = data["mask"].shape, list(columns_of(sample.days, sample.dates))
    whole = data["r"].transpose("t", "y", "x", "band").values.reshape(-1, 3)
    pixel = np.broadcast_to(np.arange(shape[1] * shape[2]).reshape(shape[1:]), shape)
    columns = {"id": pixel.ravel(), "mask": data["mask"].values.ravel()}
    columns |= {name: np.repeat(data[name].values, shape[1] * shape[2]) for name in names}
    columns |= {name: whole[:, k] for k, name in enumerate(CHANNELS.values())}
    return pd.DataFrame(columns)


def table(ending: str, long: bool) -> Callable[[Sample, Path], Made]:
    def make(sample: Sample, path: Path) -> Made:
        rows, options = rows_of(sample), {}
        if long:
            kept = [name for name in rows if name not in CHANNELS.values()]
            rows = rows.melt(kept, list(CHANNELS.values()), "band", "number")
            rows = rows[(rows["number"] != FILL) | (rows.index % 2 == 0)].sample(frac=1.0)
            options = {"long": {"channel": "band", "value": "number"}}
        place = path / f"a table{ending}"
        if ending == ".parquet":
            rows.to_parquet(place, index=False)
        else:
            rows.to_csv(place, index=False)
        return read_table, options | {
            "path": place,
            "channels": CHANNELS,
            "time": DATES[sample.dates],
            "pixel": "id",
        }

    return make


LAYOUTS: dict[str, Callable[[Sample, Path], Made]] = {
    "cube, netCDF": cube(to_netcdf),
    "cube, Zarr 2": cube(to_zarr(2)),
    "cube, Zarr 3": cube(to_zarr(3)),
    "cube, Zarr .zip": cube(to_zip),
    "cube, a file per date": cube(to_many),
    "cube, variables, netCDF": cube_of_variables(to_netcdf),
    "cube, variables, Zarr": cube_of_variables(to_zarr(3)),
    "cube, variables, a file per date": cube_of_variables(to_many),
    "points, netCDF": points(to_netcdf),
    "points, Zarr": points(to_zarr(2)),
    "points, packed": packed,
    "points, by wavelength": by_wavelength,
    "points, dates in names": by_name,
    "wide, CSV": table(".csv", False),
    "wide, gz": table(".csv.gz", False),
    "wide, Parquet": table(".parquet", False),
    "long, CSV": table(".csv", True),
    "long, bz2": table(".csv.bz2", True),
    "long, Parquet": table(".parquet", True),
}


def rows_on_demand(cube: Cube, series: Series) -> None:
    """Rows of a cube that are read one after the other are those of the whole."""
    parts = [cube.read(cube.rows[[k]]) for k in range(cube.rows.size)]
    ids = np.concatenate([part.pixels["id"].values for part in parts])
    place = np.searchsorted(ids, series.pixels["id"].values)
    by_time = [{a.time: a for a in part.acquisitions} for part in parts]
    for item in series.acquisitions:
        for field in ("values", "error", "angles"):
            whole = torch.cat([getattr(held[item.time], field) for held in by_time])
            assert torch.equal(whole[place], getattr(item, field))


@pytest.mark.filterwarnings("ignore:The data type:Warning")  # of texts in Zarr 3
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=6, deadline=None)
@given(sample=samples())
def test_every_layout_gives_the_same_series(layout: str, sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reader, options = LAYOUTS[layout](sample, Path(folder))
        series = reader(**sample.options | options)
        if "cube" in layout:
            rows_on_demand(open_cube(**sample.options | options), series)
    times, size = len(sample.days), sample.mask[0].size
    raw = sample.raw.reshape(times, size, 3)
    scale, offset = (
        np.array([given.get(name, default) for name in CHANNELS])
        for given, default in ((sample.scale, 1.0), (sample.offset, 0.0))
    )
    value = raw * scale + offset
    clear = sample.mask.reshape(times, size, 1) == 0
    seen = clear & (raw != FILL) & (value > 0) & (value <= 1.6)
    ids = series.pixels["id"].values
    whole = np.arange(size)
    np.testing.assert_array_equal(
        ids, np.flatnonzero(seen.any((0, 2))) if "cube" in layout else whole
    )
    used = np.flatnonzero(seen.any((1, 2)))
    found = [item.time for item in series.acquisitions]
    np.testing.assert_allclose(found, sample.days[used] + OVERPASS, rtol=0, atol=1e-9)
    error = np.hypot(0.01, 0.05 * value)
    assert series.channels == {"sentinel2a": tuple(CHANNELS)}
    for item, t in zip(series.acquisitions, used, strict=True):
        expected = np.where(seen[t], value[t], 0.0)[ids].astype(np.float32)
        np.testing.assert_array_equal(item.values.numpy(), expected)
        expected = np.where(seen[t], error[t], np.inf)[ids].astype(np.float32)
        np.testing.assert_array_equal(item.error.numpy(), expected)
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["seen"] == seen.sum() == counts["read"] - sum(counts["rejected"].values())
