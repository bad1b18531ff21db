r"""Simulated products of a landscape: a truth, seen by several sensors through weather.

    variables (landscape) -> H (the caller's operator) -> discrepancy -> footprint -> sky -> product

The spectrum that the canopy model gives is multiplied by 1 + e, with e a smooth function of the
logarithm of wavelength that differs from field to field and drifts through the season: the part of
reality that no setting of the canopy model explains. A sensor averages over its footprint, so
borders of fields mix, and coarser sensors mix more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter1d

from releo_da.io.geometry import relative_azimuth, sun_position
from releo_da.nature.landscape import Array, Landscape, truth
from releo_da.nature.sky import Sky, seen_through, skies
from releo_da.types import Acquisition, ObservationOperator

SHADOW_SHIFT = (2, -3)
"""Rows and columns from a cloud to its shadow."""

MODES = 4
"""Smooth functions of wavelength that the discrepancy is made of."""


class Orbit(NamedTuple):
    """When and how a satellite passes.

    Attributes:
        sensor: name in the catalogue.
        first: time of the first pass (days since 1970-01-01 UTC).
        every: days between passes.
        view_zenith: degrees.
        view_azimuth: degrees from north.
        footprint: width of the square on the ground that a pixel sees, in pixels.
    """

    sensor: str
    first: float
    every: float
    view_zenith: float
    view_azimuth: float
    footprint: int


class Pass(NamedTuple):
    """One simulated product.

    Attributes:
        time: days.
        sensor: name in the catalogue.
        values: ``[pixel, channel]`` reflectances as delivered.
        sky: what was in the way.
        angles: sun zenith, sun azimuth, view zenith, view azimuth (degrees).
    """

    time: float
    sensor: str
    values: Array
    sky: Sky
    angles: tuple[float, float, float, float]


def schedule(orbits: Sequence[Orbit], first: float, last: float) -> list[tuple[float, Orbit]]:
    """Passes of all orbits between two times, in time order."""
    passes = [
        (float(time), orbit)
        for orbit in orbits
        for time in np.arange(orbit.first, last, orbit.every)
        if time >= first
    ]
    return sorted(passes, key=lambda item: item[0])


class Discrepancy:
    """The spectral error of the truth, per field: ``e(wavelength, day)``.

    Args:
        patch: the fields.
        generator: draws amplitudes and phases.
        size: standard deviation of e.
    """

    def __init__(self, patch: Landscape, generator: np.random.Generator, size: float = 0.05):
        count = len(patch.crop)
        self.field = patch.field
        self.amplitude = size * np.sqrt(2.0 / MODES) * generator.standard_normal((count, MODES))
        self.phase = generator.uniform(0.0, 2.0 * np.pi, (count, MODES))

    def __call__(self, centres: Array, day: float) -> Array:
        """The relative error, ``[pixel, channel]``."""
        place = (np.log(centres) - np.log(400.0)) / (np.log(2500.0) - np.log(400.0))
        waves = np.cos(np.pi * np.arange(1, MODES + 1)[:, None] * place)
        drift = np.cos(2.0 * np.pi * day / 300.0 + self.phase)
        found: Array = ((self.amplitude * drift) @ waves)[self.field]
        return found


def footprint(values: Array, height: int, width: int, size: int) -> Array:
    """Values as seen by a sensor whose pixels are ``size`` pixels wide, ``[pixel, channel]``.

    A square of that size, widened by half a pixel of optics.
    """
    grid = values.reshape(height, width, -1)
    box = np.full(size, 1.0 / size)
    for axis in (0, 1):
        grid = gaussian_filter1d(convolve1d(grid, box, axis, mode="nearest"), 0.45, axis)
    return grid.reshape(values.shape)


def products(
    patch: Landscape,
    observe: ObservationOperator,
    centres: Callable[[str], Array],
    orbits: Sequence[Orbit],
    period: tuple[float, float],
    origin: float,
    place: tuple[float, float],
    generator: np.random.Generator,
) -> list[Pass]:
    """Simulate every product of a season.

    Args:
        patch: the truth.
        observe: the operator, whose latents are `releo_da.nature.landscape.VARIABLES`.
        centres: wavelengths (nm) of a sensor's channels, by its name.
        orbits: the satellites.
        period: first and last time (days).
        origin: time of day 0 of the year (days).
        place: longitude and latitude (degrees).
        generator: of all that is random.
    """
    passes = schedule(orbits, *period)
    above = skies(np.array([time for time, _ in passes]), patch.height, patch.width, generator)
    discrepancy = Discrepancy(patch, generator)
    found = []
    for (time, orbit), sky in zip(passes, above, strict=True):
        day = time - origin
        zenith, azimuth = sun_position(time, *place)
        angles = (float(zenith), float(azimuth), orbit.view_zenith, orbit.view_azimuth)
        exact = surface(observe, truth(patch, day), time, orbit.sensor, angles)
        wavelengths = centres(orbit.sensor)
        exact = exact * (1.0 + discrepancy(wavelengths, day))
        mixed = footprint(exact, patch.height, patch.width, orbit.footprint)
        values = seen_through(mixed, sky, wavelengths, generator)
        found.append(Pass(time, orbit.sensor, values, sky, angles))
    return found


@torch.no_grad()
def surface(
    observe: ObservationOperator,
    variables: Array,
    time: float,
    sensor: str,
    angles: tuple[float, float, float, float],
) -> Array:
    """H of the truth, ``[pixel, channel]``."""
    latents = torch.from_numpy(variables)[:, None]
    sun, azimuth, view, view_azimuth = angles
    relative = float(relative_azimuth(azimuth, view_azimuth))
    geometry = latents.new_tensor([sun, view, relative]).expand(len(variables), 3)
    nothing = latents.new_zeros(len(variables), 0)
    seen = observe(latents, Acquisition(time, sensor, nothing, nothing, geometry))
    result: Array = seen[:, 0].numpy()
    return result


def shadow(sky: Sky, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels that the mask calls shadow: thick flagged cloud, moved, ``[pixel]`` bool."""
    thick = (sky.flagged & (sky.opacity > 0.3)).reshape(height, width)
    moved = np.zeros_like(thick)
    down, across = SHADOW_SHIFT
    moved[down:, :across] = thick[:-down, -across:]
    return moved.ravel() & ~sky.flagged


class Samples(NamedTuple):
    """Field measurements of leaf area.

    Attributes:
        pixel: ``[row]``.
        time: ``[row]`` days.
        measured: ``[row]`` with measurement error.
        true: ``[row]``.
    """

    pixel: NDArray[np.int64]
    time: Array
    measured: Array
    true: Array


def inside(patch: Landscape, margin: int) -> NDArray[np.int64]:
    """Pixels whose field continues ``margin`` pixels in every direction."""
    grid = patch.field.reshape(patch.height, patch.width)
    same = np.zeros_like(grid, bool)
    core = (slice(margin, -margin), slice(margin, -margin))
    same[core] = True
    for down in range(-margin, margin + 1):
        for across in range(-margin, margin + 1):
            same[core] &= np.roll(grid, (down, across), (0, 1))[core] == grid[core]
    return np.flatnonzero(same.ravel())


def field_work(
    patch: Landscape,
    times: Sequence[float],
    origin: float,
    generator: np.random.Generator,
    per_field: int = 2,
    margin: int = 2,
) -> Samples:
    """Measure leaf area at pixels inside each field, on the given days.

    The error is that of photographs from above: sqrt(0.2^2 + (0.1 lai)^2).
    """
    interior = inside(patch, margin)
    chosen = []
    for number in range(len(patch.crop)):
        candidates = interior[patch.field[interior] == number]
        count = min(per_field, len(candidates))
        chosen.append(generator.choice(candidates, count, replace=False))
    pixel = np.sort(np.concatenate(chosen))
    rows = []
    for time in times:
        true = truth(patch, time - origin)[pixel, 7]
        error = np.hypot(0.2, 0.1 * true) * generator.standard_normal(len(pixel))
        rows.append((pixel, np.full(len(pixel), time), np.maximum(true + error, 0.0), true))
    return Samples(*(np.concatenate(column) for column in zip(*rows, strict=True)))
