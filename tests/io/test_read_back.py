"""What was written to a netCDF file, in any layout, is what the readers give."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.io import Series, read_cube, read_points
from releo_da.sensors import instrument_error, load_sensor

CHANNELS = ("B08", "B02", "B11")
LABELS = {"B08": "n", "B02": "b", "B11": "s"}
MASK_RULES: list[tuple[Any, set[int]]] = [
    ([0, 4], {0, 4}),
    (4, {4}),
    ({"bits": [0, 1]}, {0, 4}),
    ({"min": 1, "max": 4}, {1, 2, 3, 4}),
    ({"max": 2}, {0, 1, 2}),
]


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Raw numbers ``[time, space..., channel]``, masks and the way they are laid out."""
    space = draw(st.sampled_from([("pixel",), ("y", "x")]))
    shape = tuple(draw(st.integers(1, 4)) for _ in space)
    times = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scale, offset = draw(st.sampled_from([(1e-4, 0.0), (1e-4, -0.1), (2e-5, 0.0)]))
    raw = rng.integers(1, 20000, (times, *shape, 3)).astype(np.float64)
    raw[rng.random(raw.shape) < 0.1] = np.nan
    raw[rng.random(raw.shape) < 0.05] = np.inf
    raw[rng.random(raw.shape) < 0.05] = -np.inf
    raw.flat[0] = 5500.0  # something is left to see, the first mask being clear
    return {
        "space": space,
        "raw": raw,
        "mask": rng.integers(0, 6, (times, *shape)),
        "days": np.sort(rng.uniform(18000, 18400, times)),
        "scale": scale,
        "offset": offset,
        "rule": draw(st.sampled_from(MASK_RULES)),
        "order": draw(st.permutations(["time", *space, "band"])),
        "mask_order": draw(st.permutations(["time", *space])),
        "permuted": draw(st.permutations(range(times))),
        "bands": draw(st.permutations(range(3))),
    }


def read_back(file: dict[str, Any]) -> Series:
    """Write the file in its layout, times and bands shuffled, and read it."""
    space = file["space"]
    rule, allowed = file["rule"]
    file["mask"].flat[0] = min(allowed)
    times = file["days"] * 86_400e9
    data = xr.Dataset(
        {
            "r": (("time", *space, "band"), file["raw"]),
            "m": (("time", *space), file["mask"].astype(np.uint8)),
        },
        {
            "time": times.astype(np.int64).astype("datetime64[ns]"),
            "band": list(LABELS.values()),
        },
    ).isel(time=file["permuted"], band=file["bands"])
    data["r"] = data["r"].transpose(*file["order"])
    data["m"] = data["m"].transpose(*file["mask_order"])
    options: dict[str, Any] = {
        "sensor": "sentinel2b",
        "values": "r",
        "dims": {"time": "time", "channel": "band"} | {name: name for name in space},
        "channels": LABELS,
        "clear": {"m": rule},
        "angles": {"sun_zenith": 40, "view_zenith": 5, "relative_azimuth": -200},
        "scale": file["scale"],
        "offset": file["offset"],
        "valid": [0, 1.2],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file with spaces.nc"
        data.to_netcdf(path)
        return read_points(path, **options) if len(space) == 1 else read_cube(path, **options)


@settings(max_examples=60)
@given(files())
def test_a_file_is_read_back_exactly(file: dict[str, Any]) -> None:
    series = read_back(file)
    times, size = len(file["days"]), file["mask"][0].size
    value = file["raw"].reshape(times, size, 3) * file["scale"] + file["offset"]
    clear = np.isin(file["mask"].reshape(times, size), list(file["rule"][1]))
    seen = clear[..., None] & np.isfinite(value) & (value > 0) & (value <= 1.2)
    ids = series.pixels["id"].values
    if len(file["space"]) == 1:
        np.testing.assert_array_equal(ids, np.arange(size))
    else:
        np.testing.assert_array_equal(ids, np.flatnonzero(seen.any((0, 2))))
        width = series.pixels.attrs["width"]
        np.testing.assert_array_equal(series.pixels["row"] * width + series.pixels["col"], ids)
    used = np.flatnonzero(seen.any((1, 2)))
    np.testing.assert_allclose(
        [item.time for item in series.acquisitions], file["days"][used], atol=1e-9
    )
    for item, t in zip(series.acquisitions, used, strict=True):
        expected = np.where(seen[t], value[t], 0.0)[ids].astype(np.float32)
        np.testing.assert_array_equal(item.values.numpy(), expected)
        np.testing.assert_array_equal(item.seen.numpy(), seen[t][ids])
        assert (item.sensor, item.values.dtype) == ("sentinel2b", torch.float32)
        np.testing.assert_array_equal(item.angles, np.tile([40, 5, 160], (ids.size, 1)))
    check_counts(series, seen, times)
    check_noise(series)


def check_counts(series: Series, seen: np.ndarray, times: int) -> None:
    """Every value is counted once, and dates without any are named."""
    facts = {entry["kind"]: entry for entry in series.log}
    counts = facts["values"]
    assert counts["read"] == seen.size
    assert counts["seen"] == seen.sum()
    assert counts["seen"] + sum(counts["rejected"].values()) == counts["read"]
    dark = facts.get("all_masked", {"count": 0, "products": []})
    assert dark["count"] == len(dark["products"]) == times - len(series.acquisitions)


def check_noise(series: Series) -> None:
    """The error is the instrument's, channel by channel, where a value was seen."""
    sensor = load_sensor("sentinel2b")
    for item in series.acquisitions:
        for position, name in enumerate(CHANNELS):
            row = torch.zeros(item.values.shape[0], len(sensor.channels))
            row[:, sensor.channels.index(name)] = item.values[:, position]
            noise = instrument_error(sensor, row)[:, sensor.channels.index(name)]
            seen = item.seen[:, position]
            assert torch.equal(item.error[seen, position], noise[seen])
            assert torch.isinf(item.error[~seen, position]).all()
