"""The part that readers share: from an open file and its pixels to a `Series`.

    file -> select -> reflectances, clear, angles -> seen -> error -> Acquisition per time

What was not seen is 0 with infinite error, so no NaN leaves this module. The error here is the
instrument's noise alone; representativeness and operator error are added where R is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.content import Content
from releo_da.io.layout import Layout, times_of
from releo_da.io.numbers import Read, numbers
from releo_da.io.reading_log import Told, nothing_clear
from releo_da.io.selection import in_period, kept
from releo_da.io.series import Series, in_time_order
from releo_da.io.times import Moment, isoformat
from releo_da.io.unusable import UsualAngles
from releo_da.sensors import channel_error
from releo_da.types import Acquisition

Kept = slice | NDArray[np.intp]
"""Positions of the pixels that are kept, or all."""


def selected(
    dataset: xr.Dataset,
    layout: Layout,
    select: Mapping[str, object] | None,
    period: Sequence[Moment] | None,
) -> dict[str, NDArray[np.intp]]:
    """Positions along time and space kept by ``select`` and ``period``.

    Raises:
        InputError: nothing is kept; the message says what there is.
    """
    days = times_of(dataset, layout)
    positions = kept(dataset, (layout.time, *layout.space), select, layout.path)
    times = positions[layout.time]
    positions[layout.time] = times[in_period(days[times], period, layout.path)]
    return positions


def assemble(
    dataset: xr.Dataset,
    layout: Layout,
    pixels: xr.Dataset,
    content: Content,
    given: NDArray[np.bool_] | None = None,
    whole: bool = True,
) -> Series:
    """The series of a selected part of a file.

    Args:
        dataset: the part of the open file that was selected, with its static fields
            (`releo_da.io.auxiliary.with_fields`).
        layout: its axes.
        pixels: its pixel axis, as `point_pixels` or `grid_pixels` give it; of a grid those pixels
            stay that were seen at least once.
        content: what is read of it.
        given: ``[time, pixel]`` where the file has an entry to use; everywhere unless given.
        whole: the dataset is all there is. If not, it is some rows of a map: then every time and
            pixel stays, seen or not, and what only the whole can say is not checked.

    Raises:
        InputError: as the readers.
        NothingClear: no value is left.
    """
    read = numbers(dataset, layout, pixels, content, given, whole)
    if whole and not read.counts["seen"]:
        first, last = isoformat(read.days.min()), isoformat(read.days.max())
        counts = read.counts["read"], read.counts["rejected"]
        raise nothing_clear(layout.path, first, last, *counts, read.products)
    usual = UsualAngles()
    usual.add(read.geometry, read.good)
    used: Kept = slice(None)
    if whole and pixels.attrs["kind"] == "grid":
        used = np.flatnonzero(read.seen.any((0, 2)))
    axis = read.pixels.isel(pixel=used)
    dark = ~np.any(read.seen, axis=(1, 2)) & whole
    told = Told(layout.path, read.days, read.sensors, read.products, dark, axis.sizes["pixel"])
    acquisitions = [acquisition_of(read, t, usual, used) for t in np.flatnonzero(~dark).tolist()]
    names = {name: read.channels for name in sorted(set(read.sensors))}
    log = told.log(read.counts)
    return Series(in_time_order(acquisitions), axis, log, names, content.duplicates)


def acquisition_of(read: Read, t: int, usual: UsualAngles, used: Kept) -> Acquisition:
    """One time as an acquisition.

    Args:
        read: the numbers.
        t: position of the time.
        usual: angles of pixels that have none then.
        used: pixels that the acquisition holds.
    """
    angles = usual.filled(read.geometry[t], read.good[t])
    stated = np.hypot(read.stated[t], read.added[t])
    return _acquisition(
        read.days[t],
        read.sensors[t],
        read.channels,
        read.raw[t][used],
        np.where(read.seen[t], stated, np.inf)[used],
        read.added[t],
        angles[used],
        read.products[t],
    )


def _acquisition(
    time: float,
    sensor: str,
    channels: tuple[str, ...],
    raw: NDArray[np.float64],
    stated: NDArray[np.float64],
    added: NDArray[np.float64],
    angles: NDArray[np.float64],
    product: str,
) -> Acquisition:
    """One time of the file as an acquisition in float32.

    Args:
        time: days.
        sensor: its name.
        channels: names along the channel axis.
        raw: ``[pixel, channel]``.
        stated: ``[pixel, channel]`` whole error, infinite where nothing was seen, NaN where the
            noise of the sensor is meant.
        added: ``[channel]`` what a period adds to the noise of the sensor.
        angles: ``[pixel, 3]``.
        product: its name.
    """
    values = torch.from_numpy(np.where(np.isinf(stated), 0.0, raw).astype(np.float32))
    noise = channel_error(sensor, channels, values)
    if added.any():
        noise = torch.hypot(noise, noise.new_tensor(added))
    given = torch.from_numpy(stated.astype(np.float32))
    error = torch.where(given.isnan(), noise, given)
    geometry = torch.from_numpy(angles.astype(np.float32))
    return Acquisition(float(time), sensor, values, error, geometry, product)
