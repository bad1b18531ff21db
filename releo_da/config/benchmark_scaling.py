"""How memory and time of an analysis grow with pixels and with members, scheme by scheme.

Pixels are worked on in blocks of 256, as in every run: a block is made, analysed and let go. Peak
memory is that of a process which does nothing else, less what it held before, after 256, 2,560 and
25,600 pixels; were it not bounded by the block it would grow tenfold with each. Time is that of the
processor, on one thread; its growth is the slope of log time over log size, fitted to sizes over
two decades: 1 is linear, less means that a fixed cost is shared by more.

Members at one block of few pixels, so that 3,200 members fit. Latents, channels and operator are
those of the timed update of `releo_da.config.benchmark`.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from releo_da.assimilation.tapers import Places
from releo_da.config.benchmark_cycle import seeded
from releo_da.config.schemes import SCHEMES
from releo_da.cycling.draws import BLOCK
from releo_da.types import Scheme

LATENTS, CHANNELS, MEMBERS, ERROR = 12, 10, 32, 0.02
PIXELS = (256, 2560, 25600)
ENSEMBLES, FEW = (32, 320, 3200), 64
"""Sizes of ensembles, and the pixels that they are timed on."""
REPEATS, LONG = 5, 1.0
"""Repeats of a piece of work, and the seconds that are enough of them."""

TIMED: Mapping[str, dict[str, Any]] = {
    "etkf": {},
    "letkf": {"radius": 4.0},
    "ienks": {},
    "variational": {},
    "particle": {},
    "quantile": {},
}
"""Schemes and the options that they need here."""


def scaling(
    schemes: Sequence[str] = tuple(TIMED),
    pixels: Sequence[int] = PIXELS,
    members: Sequence[int] = ENSEMBLES,
) -> dict[str, Any]:
    """For each scheme: peak memory (MiB) by number of pixels, and both slopes.

    Each is measured in a process of its own, one after the other.

    Args:
        schemes: names of `TIMED`.
        pixels: sizes, ascending.
        members: sizes, ascending.
    """
    found = {}
    for name in schemes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(measured, (name, tuple(pixels), tuple(members)))
            pool.close()
            pool.join()
    return found


@torch.no_grad()
def measured(name: str, pixels: Sequence[int], members: Sequence[int]) -> dict[str, Any]:
    """The figures of one scheme, peaks being those of this process.

    Args:
        name: of `TIMED`.
        pixels: sizes, ascending, so that each peak is that of its size.
        members: sizes, ascending.
    """
    torch.set_num_threads(1)
    scheme = scheme_of(name)
    sweep(scheme, 1)  # what libraries load at their first use
    before, peaks, by_pixels = peak(), {}, []
    for number in pixels:
        by_pixels.append(seconds(partial(sweep, scheme, number)))
        peaks[str(number)] = round(peak() - before, 1)
    by_members = [seconds(partial(sweep, scheme, FEW, number)) for number in members]
    return {
        "peak_mib": peaks,
        "pixels_per_s": pixels[-1] / by_pixels[-1],
        "slope_pixels": slope(pixels, by_pixels),
        "slope_members": slope(members, by_members),
    }


def scheme_of(name: str) -> Scheme:
    """A scheme of `TIMED`; latents lie on a line, channels at the first of them."""
    line = torch.arange(LATENTS, dtype=torch.float32)[:, None]
    places = Places(line, line[:CHANNELS])
    made: Scheme = SCHEMES.build({"name": name, **TIMED[name]}, "analyse", {"places": places})
    return made


def sweep(scheme: Scheme, pixels: int, members: int = MEMBERS) -> None:
    """Analyse some pixels, block by block; nothing is kept."""
    mixture = seeded(1)((LATENTS, CHANNELS)) / LATENTS**0.5

    def observe(ensemble: Tensor) -> Tensor:
        return 0.2 + 0.05 * torch.tanh(ensemble @ mixture)

    for first in range(0, pixels, BLOCK):
        number, noise = min(BLOCK, pixels - first), seeded(first)
        prior = noise((number, members, LATENTS))
        y = observe(noise((number, 1, LATENTS)))[:, 0] + ERROR * noise((number, CHANNELS))
        scheme(prior, observe, y, torch.full_like(y, ERROR**-2), noise, {})


def seconds(work: Callable[[], None]) -> float:
    """CPU time of a piece of work: the median of `REPEATS`, or the first where that is long."""
    spent: list[float] = []
    while len(spent) < REPEATS and sum(spent) < LONG:
        start = process_time()
        work()
        spent.append(process_time() - start)
    return median(spent)


def slope(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Of log time over log size, by least squares."""
    return float(np.polyfit([math.log(n) for n in sizes], [math.log(t) for t in times], 1)[0])


def peak() -> float:
    """Largest resident memory of this process so far (MiB)."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage hands on what the parent process had needed
        text = status.read_text(encoding="utf-8")
        return int(text.partition("VmHWM:")[2].split()[0]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
