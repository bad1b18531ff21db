"""A large map is written as it comes: on the disk, and not in memory."""

from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.io import map_file
from releo_da.io.map_file import writing_map
from releo_da.io.place import Grid

HEIGHT, WIDTH, DATES = 64, 500, 3
LEVELS = (0.05, 0.5, 0.95)


def test_strips_reach_the_disk_while_the_map_is_written(tmp_path: Path, monkeypatch) -> None:
    """HDF5 holds 64 MiB of each variable unless it is told; this map has 10."""
    monkeypatch.setattr(map_file, "CHUNK", 4 * 8 * WIDTH)
    ids = np.arange(HEIGHT * WIDTH)
    grid = Grid("map.nc", HEIGHT, WIDTH, None, None, None)
    pixels = grid.pixels(np.arange(HEIGHT), np.arange(WIDTH))
    values = np.random.default_rng(0).normal(size=(5, DATES, ids.size)).astype(np.float32)
    described = {"lai": ("m2 m-2", "leaf area index")}
    path = tmp_path / "analysis.nc"
    with writing_map(path, [0.0, 1.0, 2.0], pixels, described, LEVELS, {}) as write:
        for part in np.split(ids, HEIGHT // 4):
            write(part, {"lai": values[..., part]})
        aside = next(p for p in tmp_path.iterdir() if p != path)
        written = 5 * DATES * WIDTH * (HEIGHT - 8) * 4
        assert aside.stat().st_size > 0.8 * written  # noise packs badly; the last strip is held
    with xr.open_dataset(path) as found:
        shape = (DATES, HEIGHT, WIDTH)
        np.testing.assert_array_equal(found["lai"].values, values[0].reshape(shape))
        np.testing.assert_array_equal(found["lai_quantile"].values[2], values[4].reshape(shape))
