"""Cycles of a tile, from the files of an inbox to states and products on disk: memory and time.

Each size is a sweep of an operational run (`releo_da.runs.cycle`) over a netCDF file per
acquisition, with ten channels, 32 members, the state of `prosail` and biases of two channels: 34
latents in all, 4352 bytes per pixel. The first cycle, which draws the prior, is not timed.

    peak_mib      largest resident memory of the process so far; sizes ascend, so each peak is
                  that of its size, libraries included
    seconds       of a cycle by the wall clock, as a disk is waited for
    files         the part of them that is not forecast, analysis and output variables: reading,
                  copies, checksums, states, products, ledger, log

Were a state held in memory, its size would come on top of the peak, several times. The clouds of
each acquisition lie elsewhere, so that pixels join in every cycle and the pixel axis is rewritten.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
import xarray as xr

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.benchmark_cycle import LAND, SENSOR, geometry, seeded
from releo_da.config.benchmark_scaling import peak
from releo_da.config.cycling import FOLDERS, LEDGER
from releo_da.config.document import Document
from releo_da.cycling.ledger import Ledger
from releo_da.io import JsonLines, create_run_directory, read_cube
from releo_da.io.inbox import arrived
from releo_da.runs.cycle import Service
from releo_da.runs.store import Store
from releo_da.types import Acquisition

TILE: dict[str, Any] = {
    "state": "prosail",
    "observe": {"name": "prosail", "bias": {SENSOR: {"B02": 0.02, "B03": 0.02}}},
    "analyse": [
        {"name": "etkf"},
        {"name": "relaxed", "factor": 0.3},
        {"name": "screened", "threshold": 4.0},
    ],
    "products": {"variables": ["lai", "ccc", "fapar", "ndvi"]},
}
"""The configuration that is timed."""

SIZES, MEMBERS, CYCLES = (64, 128), 32, 2
"""Pixels along a side, ensemble size, and cycles that are timed."""

READ: dict[str, Any] = {
    "sensor": SENSOR,
    "values": "reflectance",
    "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
    "channels": {name: name for name in LAND},
    "clear": {"cloud": [0]},
    "angles": {"sun_zenith": 35.0},
}


def tile(
    sizes: Sequence[int] = SIZES, members: int = MEMBERS, cycles: int = CYCLES
) -> dict[str, Any]:
    """By number of pixels: peak memory, seconds of a cycle and the part that files take.

    Args:
        sizes: pixels along a side, ascending.
        members: ensemble size.
        cycles: that are timed.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: dict[str, Any] = pool.apply(measured, (tuple(sizes), members, cycles))
        pool.close()
        pool.join()
    return found


def measured(sizes: Sequence[int], members: int, cycles: int) -> dict[str, Any]:
    """As `tile`, in this process."""
    torch.set_num_threads(1)
    made = assemble(Document(Path("benchmark"), TILE), {SENSOR: LAND})
    found = {}
    for size in sizes:
        with TemporaryDirectory() as folder:
            found[str(size**2)] = swept(Path(folder), made, size, members, cycles)
    return found


def swept(folder: Path, made: Assembly, size: int, members: int, cycles: int) -> dict[str, Any]:
    """The figures of one size.

    Args:
        folder: empty.
        made: the system.
        size: pixels along a side.
        members: ensemble size.
        cycles: that are timed.
    """
    inbox, root = folder / "inbox", create_run_directory(folder / "run", FOLDERS)
    inbox.mkdir()
    with Ledger(root / LEDGER) as ledger:
        service = Service(
            model=made.model,
            seed=0,
            members=members,
            start=None,
            inbox=lambda: arrived(inbox, "*.nc"),
            read=partial(read_cube, **READ),
            reader="",
            store=Store(root, ledger, made.model.described, {}),
            log=JsonLines(root / "log.jsonl"),
        )
        deliver(inbox, made, size, 0)
        service.sweep()
        for number in range(cycles):
            deliver(inbox, made, size, number + 1)
        start = perf_counter()
        service.sweep()
        whole = perf_counter() - start
        state = service.store.state
    log = [json.loads(line) for line in (root / "log.jsonl").read_text("utf-8").splitlines()]
    worked = sum([record["seconds"] for record in log if record["kind"] == "cycle"][1:])
    return {
        "latents": None if state is None else state.shape[2],
        "peak_mib": round(peak(), 1),
        "seconds": whole / cycles,
        "files": 1.0 - worked / whole,
    }


def deliver(inbox: Path, made: Assembly, size: int, number: int, kinds: int = 64) -> None:
    """Write an acquisition of a map of a few kinds of canopies, a fifth of it under cloud."""
    rng = np.random.default_rng([size, number])
    with torch.no_grad():
        angles = geometry(kinds)
        nothing = Acquisition(0.0, SENSOR, angles[:, :0], angles[:, :0], angles)
        state = made.model.initial(0.0, torch.arange(kinds), 2, seeded(1))
        canopies = made.model.observe(state.ensemble, nothing)[:, 0].numpy()
    values = canopies[np.arange(size * size) % kinds].reshape(size, size, 1, len(LAND))
    values = values * (1.0 + 0.03 * rng.standard_normal(values.shape))
    cloud = rng.uniform(size=(size, size, 1)) < 0.2
    axis = 10.0 * np.arange(size)
    data = xr.Dataset(
        {
            "reflectance": (("y", "x", "time", "band"), values.astype(np.float32)),
            "cloud": (("y", "x", "time"), cloud.astype(np.uint8)),
        },
        {
            "time": [np.datetime64("2020-05-01T10:50", "ns") + np.timedelta64(5 * number, "D")],
            "band": list(LAND),
            "x": 5e5 + axis,
            "y": 4.8e6 - axis,
        },
        {"crs": "EPSG:32631"},
    )
    data.to_netcdf(inbox / f"{number:04d}.nc")
