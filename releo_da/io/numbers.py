"""From a selected part of an open file to numbers, and which of them may be used.

    reflectances, clear, angles -> seen -> error -> numbers per time

All times of the part are read. No time depends on the others, except that units are judged by all
that is given (`releo_da.io.magnitude`, `releo_da.io.angles`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import angles_of
from releo_da.io.auxiliary import field_coordinates
from releo_da.io.content import LENGTH, Content
from releo_da.io.errors import error_rules, stated_error
from releo_da.io.layout import Layout, times_of, variable
from releo_da.io.limits import check_room
from releo_da.io.magnitude import check_magnitude
from releo_da.io.periods import change_of
from releo_da.io.platforms import SensorOption, check_sensors, named_sensors, sensor_rule
from releo_da.io.series import check_duplicates_rule
from releo_da.io.times import isoformat
from releo_da.io.unusable import illuminated, with_error
from releo_da.io.values import (
    channel_positions,
    clear_of,
    per_channel,
    raw_numbers,
    screened,
)


class Read(NamedTuple):
    """Times of a file as numbers, of which `acquisition_of` makes acquisitions.

    Attributes:
        days: ``[time]``.
        sensors: name of the sensor of each time.
        products: name of the product of each time.
        channels: names along the channel axis.
        raw: ``[time, pixel, channel]`` scaled values, NaN where the file gives nothing.
        seen: the same, which of them may be used.
        geometry: ``[time, pixel, 3]`` degrees.
        good: ``[time, pixel, 1]`` where they are angles.
        stated: ``[time, pixel, channel]`` stated error, NaN where the noise of the sensor is meant.
        added: ``[time, channel]`` what a period adds to the noise.
        counts: how many values were read, seen, and rejected why.
        pixels: the pixel axis with its static fields.
    """

    days: NDArray[np.float64]
    sensors: list[str]
    products: list[str]
    channels: tuple[str, ...]
    raw: NDArray[np.float64]
    seen: NDArray[np.bool_]
    geometry: NDArray[np.float64]
    good: NDArray[np.bool_]
    stated: NDArray[np.float64]
    added: NDArray[np.float64]
    counts: dict[str, Any]
    pixels: xr.Dataset


def numbers(
    dataset: xr.Dataset,
    layout: Layout,
    pixels: xr.Dataset,
    content: Content,
    given: NDArray[np.bool_] | None = None,
    whole: bool = True,
) -> Read:
    """The numbers of a selected part of a file; arguments as of `releo_da.io.reading.assemble`."""
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
    products = product_names(content.product, days, dataset, layout)
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
    seen, good = illuminated(seen, geometry, counts)
    stated = stated_error(rules, channels, raw, scale, dataset, layout, positions, content.fill)
    seen = with_error(seen, stated, [name in rules for name in channels], counts)
    added = _period_error(content, dataset, layout)
    counts["seen"] = int(seen.sum())
    return Read(
        *(days, sensors, products, channels, raw, seen, geometry, good, stated, added, counts),
        pixels,
    )


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


def product_names(
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
