"""Times a cycle over a synthetic map in tiles: `python measure.py FOLDER TILES SIZE WORKERS...`.

The map is TILES tiles of SIZE x SIZE pixels in a row, two dates, four channels, no cloud. For
each number of WORKERS one sweep over both dates from nothing, into a run directory of its own;
workers are started before the clock, and one small task each has imported what they need. A line of
JSON per sweep: seconds, tiles per hour, and the largest memory of a worker process (MiB).
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter
from typing import Any

import netCDF4
import numpy as np

from releo_da.config.cluster import Workers, client_of, outcomes
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.tile_work import sweep_tile
from releo_da.config.tiles import tiled

SPECTRUM = {"B03": 0.07, "B04": 0.06, "B08": 0.35, "B11": 0.2}
HERE = Path(__file__).resolve().parent


def write(path: Path, tiles: int, size: int) -> None:
    """The map, as one file of an inbox."""
    rng = np.random.default_rng(0)
    with netCDF4.Dataset(path, "w") as file:
        for name, length in (("time", 2), ("y", size), ("x", tiles * size), ("band", 4)):
            file.createDimension(name, length)
        file.createVariable("y", "f8", ("y",))[:] = 5_200_000.0 - 10.0 * np.arange(size)
        file.createVariable("x", "f8", ("x",))[:] = 400_000.0 + 10.0 * np.arange(tiles * size)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "days since 2020-01-01", [130.45, 135.45]
        file.createVariable("band", str, ("band",))[:] = np.array(list(SPECTRUM), dtype=object)
        shape = ("time", "y", "x", "band")
        values = file.createVariable("r", "f4", shape, chunksizes=(2, size, size, 4))
        for first in range(0, tiles * size, size):
            noise = rng.normal(0.0, 0.02, (2, size, size, 4))
            values[:, :, first : first + size] = np.array(list(SPECTRUM.values())) + noise


def main(folder: Path, tiles: int, size: int, workers: Sequence[int]) -> None:
    """One sweep per number of workers."""
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    for old in (folder / "inbox").iterdir():
        old.unlink()
    write(folder / "inbox" / "map.nc", tiles, size)
    (folder / "config.yaml").write_bytes((HERE / "config.yaml").read_bytes())
    settings = (f"cycle.tiles.size={size}",)
    document = load(folder / "config.yaml", settings)
    for number in workers:
        wanted = Workers(number, None, None, 3600.0, 0)
        seconds = [0.0]

        def share(
            tasks: Mapping[str, Sequence[Any]], wanted: Workers = wanted, seconds: list = seconds
        ) -> Iterator[tuple[str, dict[str, Any]]]:
            with client_of(wanted, len(tasks)) as client:
                client.run(__import__, "releo_da.config.tile_work")
                begin = perf_counter()
                yield from outcomes(client, sweep_tile, tasks, wanted)
                seconds[0] = perf_counter() - begin

        options = Options(out=folder / f"run-{tiles}-{size}-{number}", overrides=settings)
        with tiled(document, options) as run:
            told = run.sweep(share, print)
        found = {
            "tiles": tiles,
            "pixels": tiles * size * size,
            "workers": number,
            "seconds": round(seconds[0], 2),
            "tiles_per_hour": round(3600.0 * told.tasks / seconds[0], 1),
            "worker_mib": getrusage(RUSAGE_CHILDREN).ru_maxrss // 1024,
            "outcomes": dict(told.outcomes),
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), [int(n) for n in sys.argv[4:]])
