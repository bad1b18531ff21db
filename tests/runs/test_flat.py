"""Memory and open files of a service do not grow with the cycles it has made.

The long one, a thousand cycles of 64 x 64 pixels, takes some ten minutes:

    pytest -m slow tests/runs/test_flat.py
"""

import gc
import os
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_cube

from .linear import OPTIONS, deliver, season

FILES = Path("/proc/self/fd")
STATUS = Path("/proc/self/status")

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="counts open files in /proc")

CUBE = OPTIONS | {"dims": {"y": "y", "x": "x", "time": "time", "channel": "band"}}


def day(size: int, number: int) -> xr.Dataset:
    """An acquisition of a map of so many pixels along a side, a third of it under cloud."""
    rng = np.random.default_rng(number)
    axis = 10.0 * np.arange(size)
    values = rng.uniform(0.1, 0.5, (size, size, 1, 2)).astype(np.float32)
    cloud = (rng.uniform(size=(size, size, 1)) < 0.3).astype(np.uint8)
    return xr.Dataset(
        {
            "reflectance": (("y", "x", "time", "band"), values),
            "cloud": (("y", "x", "time"), cloud),
        },
        {
            "time": [np.datetime64("2020-01-01", "ns") + np.timedelta64(number, "D")],
            "band": ["red", "nir"],
            "platform": ("time", ["S2A"]),
            "x": axis,
            "y": -axis,
        },
    )


def resident() -> float:
    """Memory of this process (MiB)."""
    text = STATUS.read_text("utf-8")
    return int(text.partition("VmRSS:")[2].split()[0]) / 2**10


@pytest.mark.parametrize("kind", ["points", "map"])
def test_files_and_objects_are_let_go(tmp_path, service, kind):
    """Thirty cycles, the first ten of which fill what is kept for good."""
    inbox, data = tmp_path / "inbox", season(clear=True).isel(time=[0])
    one = service(**({"read": partial(read_cube, **CUBE)} if kind == "map" else {}))
    tracemalloc.start()
    try:
        for number in range(30):
            later = data.assign_coords(time=data.time + np.timedelta64(number, "D"))
            deliver(inbox, day(5, number) if kind == "map" else later, [0], f"{number}.nc")
            assert one.sweep().assimilated == 1
            (inbox / f"{number}.nc").unlink()
            if number == 9:
                gc.collect()
                files, held = len(os.listdir(FILES)), tracemalloc.get_traced_memory()[0]
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()
    assert len(os.listdir(FILES)) == files
    assert grown < 20 * 4_000  # small objects that libraries keep, 2 to 3 kB of each cycle


@pytest.mark.slow
def test_a_thousand_cycles_of_a_tile_need_the_memory_of_a_hundred(tmp_path, service):
    inbox = tmp_path / "inbox"
    one = service(read=partial(read_cube, **CUBE))
    for number in range(1000):
        deliver(inbox, day(64, number), [0], f"{number}.nc")
        assert one.sweep().assimilated == 1
        (inbox / f"{number}.nc").unlink()
        if number == 99:
            gc.collect()
            files, held = len(os.listdir(FILES)), resident()
        if number > 1:
            (tmp_path / "run" / "states" / f"{number - 1:06d}.safetensors").unlink(missing_ok=True)
    gc.collect()
    assert len(os.listdir(FILES)) == files
    assert resident() - held < 16.0
