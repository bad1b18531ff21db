"""The part that readers share: from an open file and its pixels to a `Series`.

    file -> select -> reflectances, clear, angles -> seen -> error -> Acquisition per time

What was not seen is 0 with infinite error, so no NaN leaves this module. The error here is the
instrument's noise alone; representativeness and operator error are added where R is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import Option, angles_of
from releo_da.io.auxiliary import FieldOption, field_coordinates
from releo_da.io.errors import ErrorOption, error_rules, stated_error
from releo_da.io.layout import Layout, times_of, variable
from releo_da.io.limits import check_room
from releo_da.io.magnitude import check_magnitude
from releo_da.io.masks import Rule
from releo_da.io.periods import CompositeOption, change_of
from releo_da.io.platforms import SensorOption, check_sensors, named_sensors, sensor_rule
from releo_da.io.reading_log import Told, nothing_clear
from releo_da.io.selection import in_period, kept
from releo_da.io.series import Series, check_duplicates_rule, in_time_order
from releo_da.io.times import Moment, isoformat
from releo_da.io.unusable import illuminated, with_error
from releo_da.io.values import (
    VALID,
    Name,
    Numbers,
    channel_positions,
    clear_of,
    per_channel,
    raw_numbers,
    screened,
)
from releo_da.sensors import channel_error
from releo_da.types import Acquisition


@dataclass(frozen=True)
class Content:
    """What is read of a file and how: the options that all readers have.

    Attributes:
        sensor: name in the catalogue, or `SensorOption`.
        values: the variable of reflectances, or the variable of each channel by agency's name.
        channels: ``{agency's name: name in the file}``; their order is that of the channel axis.
        clear: rules of `releo_da.io.masks`; all must hold.
        angles: sources of `releo_da.io.angles`.
        scale: reflectance = scale * number + offset, of all channels or of each.
        offset: see `scale`.
        fill: numbers that stand for a missing value.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass is kept.
        product: variable along time that names the products.
        error: `releo_da.io.errors`, in the place of the sensor's noise.
        composite: `releo_da.io.periods`; what the values may change adds to their error.
        labels: variable that names the channels along their axis.
        auxiliary: static fields of `releo_da.io.auxiliary`.
    """

    sensor: SensorOption
    values: str | Mapping[str, str]
    channels: Mapping[str, Name]
    clear: Mapping[str, Rule] | None = None
    angles: Mapping[str, Option] | None = None
    scale: Numbers = 1.0
    offset: Numbers = 0.0
    fill: Sequence[float] = ()
    valid: Sequence[float] = VALID
    duplicates: str = "best"
    product: str | None = None
    error: ErrorOption | None = None
    composite: CompositeOption | None = None
    labels: str | None = None
    auxiliary: Mapping[str, FieldOption] | None = None


LENGTH = "<length>"
"""Variable of the data set in memory: days that the period of a composite lasts, along time."""


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
    check_duplicates_rule(content.duplicates, layout.where("duplicates"))
    channels = tuple(content.channels)
    entries = math.prod(dataset.sizes[axis] for axis in (layout.time, *layout.space))
    check_room(layout.path, entries * len(channels))
    several = isinstance(content.values, Mapping)
    positions = (
        None if several else channel_positions(content.channels, dataset, layout, content.labels)
    )
    days = times_of(dataset, layout)
    sensors = _sensors(content.sensor, dataset, layout)
    limits = check_sensors(sensors, channels, layout.path)
    products = _products(content.product, days, dataset, layout)
    rules = error_rules(content.error, channels, layout.where("error"))
    scale = per_channel(content.scale, channels, 1.0, layout.where("scale"))
    offset = per_channel(content.offset, channels, 0.0, layout.where("offset"))
    raw = raw_numbers(dataset, layout, content.values, positions, content.fill) * scale + offset
    clear = clear_of(content.clear, dataset, layout, positions)
    seen, counts = screened(
        raw, clear, content.valid, channels, limits, layout.where("valid"), given
    )
    if whole:
        check_magnitude(raw, clear, channels, limits, content.valid, content.scale, layout)
    pixels = pixels.assign_coords(field_coordinates(dataset, layout))
    judged = np.any(seen, axis=-1) if whole else None
    geometry = angles_of(content.angles, dataset, layout, days, pixels, content.fill, judged)
    seen, geometry = illuminated(seen, geometry, counts)
    stated = stated_error(rules, channels, raw, scale, dataset, layout, positions, content.fill)
    seen = with_error(seen, stated, [name in rules for name in channels], counts)
    added = _period_error(content, dataset, layout)
    if whole and not seen.any():
        first, last = isoformat(days.min()), isoformat(days.max())
        raise nothing_clear(layout.path, first, last, counts["read"], counts["rejected"], products)
    counts["seen"] = int(seen.sum())
    if whole and pixels.attrs["kind"] == "grid":
        used = np.flatnonzero(seen.any((0, 2)))
        pixels, raw, seen = pixels.isel(pixel=used), raw[:, used], seen[:, used]
        geometry, stated = geometry[:, used], stated[:, used]
    dark = ~np.any(seen, axis=(1, 2)) & whole
    told = Told(layout.path, days, sensors, products, dark, pixels.sizes["pixel"])
    acquisitions = [
        _acquisition(
            days[t],
            sensors[t],
            channels,
            raw[t],
            np.where(seen[t], np.hypot(stated[t], added[t]), np.inf),
            added[t],
            geometry[t],
            products[t],
        )
        for t in np.flatnonzero(~dark)
    ]
    names = {name: channels for name in sorted(set(sensors))}
    log = told.log(counts)
    return Series(in_time_order(acquisitions), pixels, log, names, content.duplicates)


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


def _period_error(content: Content, dataset: xr.Dataset, layout: Layout) -> NDArray[np.float64]:
    """What the period of a composite adds to the error, ``[time, channel]``."""
    change = change_of(content.composite, content.channels, layout.where("composite"))
    if LENGTH not in dataset.variables:
        return np.zeros((dataset.sizes[layout.time], len(change)))
    return dataset[LENGTH].values[:, None] * change / np.sqrt(12.0)


def _sensors(option: SensorOption, dataset: xr.Dataset, layout: Layout) -> list[str]:
    """Name of the sensor of each time."""
    if isinstance(option, str):
        return [option] * dataset.sizes[layout.time]
    where = layout.where("sensor")
    name, known = sensor_rule(option, where)
    array = variable(dataset, name, [layout.time], f"{where}, 'from'", whole=True)
    return named_sensors([str(platform) for platform in array.values], name, known, where)


def _products(
    option: str | None, days: NDArray[np.float64], dataset: xr.Dataset, layout: Layout
) -> list[str]:
    """A distinct name for each time: the product's, or the time itself."""
    name = option or ("product_uri" if "product_uri" in dataset.variables else None)
    if name is None:
        texts = [isoformat(day) for day in days]
    else:
        array = variable(dataset, name, [layout.time], layout.where("product"), whole=True)
        texts = [str(text) for text in array.values]
    distinct: list[str] = []
    for text in texts:
        before = sum(other.split("#")[0] == text for other in distinct)
        distinct.append(f"{text}#{before + 1}" if before else text)
    return distinct
