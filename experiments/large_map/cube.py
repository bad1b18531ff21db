"""Writes the synthetic cube of this experiment: `python cube.py FOLDER [SIDE]`.

2,000 x 2,000 pixels (SIDE of each; 1.3 GB), 60 dates and 4 channels: the spectrum of a canopy with
noise in 16 bits, 60 % of the pixels under cloud, zlib level 1, chunks of all dates and channels,
8 rows and all columns. The noise repeats every 200 rows. And ``land.nc``, a map of which one pixel
in 200, drawn at random, is land.
"""

import sys
from pathlib import Path

import netCDF4
import numpy as np

DATES, STRIP = 60, 200
SPECTRUM = {"B03": 0.07, "B04": 0.06, "B08": 0.35, "B11": 0.2}


def axes(file: netCDF4.Dataset, side: int) -> None:
    """Rows and columns of 10 m, north up."""
    for name, start, step in (("y", 5_200_000.0, -10.0), ("x", 400_000.0, 10.0)):
        file.createDimension(name, side)
        file.createVariable(name, "f8", (name,))[:] = start + step * np.arange(side)


def main(folder: Path, side: int = 2000) -> None:
    """Write both files."""
    rng = np.random.default_rng(0)
    size = (DATES, STRIP, side)
    values = np.array(list(SPECTRUM.values())) + rng.normal(0.0, 0.02, (*size, 4))
    strip = np.round(values.clip(0.01, 0.9) * 1e4).astype(np.int16)
    cloud = (rng.uniform(size=size) < 0.6).astype(np.uint8)
    with netCDF4.Dataset(folder / "cube.nc", "w") as file:
        axes(file, side)
        file.createDimension("time", DATES)
        file.createDimension("band", len(SPECTRUM))
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "days since 2020-01-01", 3.45 + 5.0 * np.arange(DATES)
        file.createVariable("band", str, ("band",))[:] = np.array(list(SPECTRUM), dtype=object)
        packed = {"zlib": True, "complevel": 1}
        chunks = (DATES, min(8, side), side)
        r = file.createVariable(
            "r", "i2", ("time", "y", "x", "band"), chunksizes=(*chunks, 4), **packed
        )
        r.scale_factor = 1e-4
        r.set_auto_scale(False)
        mask = file.createVariable("cloud", "u1", ("time", "y", "x"), chunksizes=chunks, **packed)
        for row in range(0, side, STRIP):
            rows = slice(row, min(row + STRIP, side))
            r[:, rows], mask[:, rows] = strip[:, : side - row], cloud[:, : side - row]
    with netCDF4.Dataset(folder / "land.nc", "w") as file:
        axes(file, side)
        land = file.createVariable("land", "u1", ("y", "x"), zlib=True)
        land[:] = rng.uniform(size=(side, side)) < 1 / 200


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
