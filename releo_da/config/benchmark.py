"""`releo-da benchmark`: how fast each part is, beside its peers, in one run.

    analysis    pixels/s of one update of 1024 pixels, predicted observations given: 32 members, 12
                latents, 10 channels; FilterPy's ensemble filter (its hx reads a table) beside it,
                with the ratio also of the blocks of 256 pixels that runs work on; the compiled loop
                where there is a C compiler, and a floor: the arithmetic at the speed of a matrix
                product, the traffic at that of a copy
    simulator   spectra/s of 2101 wavelengths, and Sentinel-2 pixels/s of its ten land channels at
                band-quadrature nodes; `run_prosail` of the PyPI package beside it where installed
    emulator    the neural stand-in: canopies/s, errors, and the canopy model at the same error, for
                Sentinel-2 and for a hyperspectral sensor (`releo_da.config.benchmark_emulator`)
    cycle       pixel acquisitions/s of a hindcast with everything on (records, smoother, withheld
                dates, output variables), 128 members, and where its time goes; ``observe`` is
                canopy physics, also that of output variables, ``bookkeeping`` what is left
    tile        cycles of a tile of 64 x 64 and 128 x 128 pixels, from file to file: peak memory and
                the part of the time that files take (`releo_da.config.benchmark_tile`)
    scaling     peak memory of an analysis in blocks at 256 to 25,600 pixels, and how its time grows
                with pixels and members, scheme by scheme (`releo_da.config.benchmark_scaling`)
    gpu         update and operator on a CUDA device where there is one, by the wall clock

CPU time of one thread, median of interleaved repeats (`releo_da.runs.timing`).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from filterpy.kalman import EnsembleKalmanFilter
from torch import Tensor

from releo_da.assimilation import compiled
from releo_da.assimilation.etkf import update
from releo_da.config import benchmark_emulator
from releo_da.config.benchmark_cycle import LAND, SENSOR, assembly, cycle, geometry, seeded
from releo_da.config.benchmark_scaling import scaling
from releo_da.config.benchmark_tile import tile
from releo_da.cycling.draws import BLOCK
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import prosail
from releo_da.runs.timing import rates
from releo_da.types import Acquisition

MEMBERS, LATENTS, CHANNELS, ERROR = 32, 12, len(LAND), 0.02
REPEATS = 5


def benchmark() -> dict[str, Any]:
    """The figures of all parts, as the command writes them."""
    with one_thread(), torch.no_grad():
        found = {
            "machine": machine(),
            "analysis": analysis(REPEATS),
            "simulator": simulator(REPEATS),
            "emulator": emulated(REPEATS),
            "cycle": cycle(),
            "tile": tile(),
            "scaling": scaling(),
        }
        if torch.cuda.is_available():
            name = torch.cuda.get_device_name()
            found["gpu"] = {"device": name, **accelerator("cuda", REPEATS)}
        return found


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside, as many as before outside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "threads": 1,
    }


def update_case(
    pixels: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prior, predicted observations, observations and precision of the timed update."""
    noise = seeded(0)
    prior = noise((pixels, MEMBERS, LATENTS))
    predicted = 0.2 + 0.05 * torch.tanh(prior @ noise((LATENTS, CHANNELS)) / LATENTS**0.5)
    y = predicted[:, 0] + ERROR * noise((pixels, CHANNELS))
    precision = torch.full_like(y, ERROR**-2)
    return prior.to(device), predicted.to(device), y.to(device), precision.to(device)


def analysis(repeats: int, pixels: int = 1024, peers: int = 64) -> dict[str, Any]:
    """Updates per second of this package and of FilterPy, and what the machine could do.

    The ratio depends on how many pixels share the fixed cost of a call, so that of the blocks of
    256 that runs work on stands beside it.
    """
    case, block = update_case(pixels), update_case(BLOCK)
    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "pixels_per_s": (lambda: update(*case), pixels),
        "block_pixels_per_s": (lambda: update(*block), BLOCK),
        "filterpy_pixels_per_s": (filterpy_updates(case[0], case[1], case[2], peers), peers),
    }
    if compiled.reason_against(*case) is None:
        contenders["compiled_pixels_per_s"] = (lambda: compiled.update(*case), pixels)
    found = rates(contenders, repeats)
    peer, ours = found["filterpy_pixels_per_s"], found.pop("compiled_pixels_per_s", None)
    blocks = found.pop("block_pixels_per_s")
    return {
        **found,
        "ratio": found["pixels_per_s"] / peer,
        "ratio_256": blocks / peer,
        "compiled_ratio": None if ours is None else ours / peer,  # None without a C compiler
        "floor_pixels_per_s": floor(repeats),
    }


def filterpy_updates(
    prior: Tensor, predicted: Tensor, y: Tensor, pixels: int
) -> Callable[[], None]:
    """The same update by FilterPy, pixel by pixel; building its filters is not timed."""
    members, table, values = (t[:pixels].double().numpy() for t in (prior, predicted, y))
    turn = iter(())  # of the rows of the table that hx hands out, one per member
    filters = []
    for one in members:
        peer = EnsembleKalmanFilter(
            x=one.mean(0),
            P=np.cov(one.T),
            dim_z=CHANNELS,
            dt=1.0,
            N=MEMBERS,
            hx=lambda sigma: next(turn),
            fx=lambda sigma, dt: sigma,
        )
        peer.R = np.eye(CHANNELS) * ERROR**2
        filters.append(peer)

    def run() -> None:
        nonlocal turn
        for peer, sigmas, rows, value in zip(filters, members, table, values, strict=True):
            peer.sigmas = sigmas.copy()
            turn = iter(rows)
            peer.update(value)

    return run


def floor(repeats: int) -> float:
    """Pixels per second of the update's arithmetic and traffic at this machine's best speeds."""
    n, c, latents, size = MEMBERS, CHANNELS, LATENTS, 512
    multiplications = n * c * c + 3 * n * c * latents + c * c * (c / 3 + 2 * latents)
    traffic = 4.0 * (2 * n * latents + n * c + 2 * c)
    square, long = torch.randn(size, size), torch.randn(1 << 22)
    copy = torch.empty_like(long)
    best = rates(
        {
            "multiplications": (lambda: square @ square, size**3),
            "bytes": (lambda: copy.copy_(long), 8 * long.numel()),
        },
        repeats,
    )
    return 1.0 / max(multiplications / best["multiplications"], traffic / best["bytes"])


def simulator(repeats: int, pixels: int = 8, peers: int = 64) -> dict[str, Any]:
    """Spectra per second, whole and at band nodes, and those of the PyPI package where present."""
    made, angles, optics = assembly(), geometry(pixels), load_optics()
    state = made.model.initial(0.0, torch.arange(pixels), MEMBERS, seeded(1))
    variables = made.layout.decode(state.ensemble)
    tts, tto, psi = angles.unsqueeze(1).unbind(-1)
    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "spectra_per_s": (lambda: prosail(variables, tts, tto, psi, optics), pixels * MEMBERS),
        "bands_per_s": bands(64),
    }
    peer = oracle(variables, peers)
    if peer is not None:
        contenders["prosail_spectra_per_s"] = peer, peers
    found: dict[str, Any] = {"prosail_spectra_per_s": None, **rates(contenders, repeats)}
    theirs = found["prosail_spectra_per_s"]
    ratios = {"ratio": "spectra_per_s", "bands_ratio": "bands_per_s"}
    return found | {k: None if theirs is None else found[v] / theirs for k, v in ratios.items()}


def emulated(repeats: int, peers: int = 64) -> dict[str, Any]:
    """The emulator beside the canopy model, and the PyPI package in the same turns."""
    variables, _ = benchmark_emulator.canopies(peers // MEMBERS, MEMBERS)
    peer = oracle(variables, peers)
    return benchmark_emulator.emulator(MEMBERS, repeats, peer, peers)


def bands(pixels: int, device: torch.device | str = "cpu") -> tuple[Callable[[], object], int]:
    """The operator on an ensemble of the prior, and how many canopies that is."""
    made, angles = assembly(device), geometry(pixels).to(device)
    noise = seeded(1)
    state = made.model.initial(
        0.0, torch.arange(pixels), MEMBERS, lambda shape: noise(shape).to(device)
    )
    nothing = angles[:, :0]
    acquisition = Acquisition(0.0, SENSOR, nothing, nothing, angles)
    return lambda: made.model.observe(state.ensemble, acquisition), pixels * MEMBERS


def accelerator(device: torch.device | str, repeats: int, pixels: int = 4096) -> dict[str, Any]:
    """Update and operator on another device, by the wall clock, each turn waited for."""

    def wait() -> float:
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()
        return perf_counter()

    case = update_case(pixels, device)
    contenders = {
        "analysis_pixels_per_s": (lambda: update(*case), pixels),
        "bands_per_s": bands(pixels, device),
    }
    return rates(contenders, repeats, wait)


def oracle(variables: Any, spectra: int) -> Callable[[], None] | None:
    """`run_prosail` of the PyPI package over some canopies, or None where it is not installed."""
    if importlib.util.find_spec("prosail") is None:
        return None
    run_prosail = importlib.import_module("prosail").run_prosail
    order = ("n", "cab", "car", "cbrown", "cw", "cm", "lai", "ala", "hspot")
    columns = torch.stack([variables[name].reshape(-1) for name in order], -1)
    rows = columns[:spectra].double().tolist()

    def run() -> None:
        for row in rows:
            run_prosail(
                *row, 35.0, 5.0, 60.0, prospect_version="D", typelidf=2, rsoil=1.0, psoil=0.5
            )

    return run
