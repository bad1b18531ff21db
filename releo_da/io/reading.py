"""The part that readers share: from an open file and its pixels to a `Series`.

    file -> select -> reflectances, clear, angles -> seen -> error -> Acquisition per time

What was not seen is 0 with infinite error, so no NaN leaves this module. The error here is the
instrument's noise alone; representativeness and operator error are added where R is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import Option, angles_of
from releo_da.io.layout import Layout, times_of, variable
from releo_da.io.masks import Rule
from releo_da.io.names import listed, refuse
from releo_da.io.selection import in_period, kept
from releo_da.io.series import Series, check_duplicates_rule, in_time_order
from releo_da.io.times import Moment, isoformat
from releo_da.io.values import channel_positions, clear_of, reflectances, screened
from releo_da.sensors import channel_error, load_sensor
from releo_da.types import Acquisition, InputError


class NothingClear(InputError):
    """A file was read and holds no value to assimilate: wrong options, or cloud everywhere."""


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
    sensor: str | Mapping[str, str],
    values: str,
    channels: Mapping[str, str | int],
    clear: Mapping[str, Rule] | None,
    angles: Mapping[str, Option] | None,
    scale: float,
    offset: float,
    valid: Sequence[float],
    duplicates: str,
    product: str | None,
) -> Series:
    """The series of a selected part of a file; the options are those of the readers.

    Args:
        dataset: the part of the open file that was selected.
        layout: its axes.
        pixels: its pixel axis, as `point_pixels` or `grid_pixels` give it; of a grid those pixels
            stay that were seen at least once.
        sensor: as `values` and all that follow, the option of `read_points` of that name.
        values: see there.
        channels: see there.
        clear: see there.
        angles: see there.
        scale: see there.
        offset: see there.
        valid: see there.
        duplicates: see there.
        product: see there.

    Raises:
        InputError: as the readers.
    """
    check_duplicates_rule(duplicates, layout.where("duplicates"))
    positions = channel_positions(channels, dataset, layout)
    days = times_of(dataset, layout)
    sensors = _sensors(sensor, tuple(channels), dataset, layout)
    products = _products(product, days, dataset, layout)
    raw = reflectances(dataset, layout, values, positions, scale, offset)
    seen, counts = screened(
        raw,
        clear_of(clear, dataset, layout, positions),
        valid,
        tuple(channels),
        layout.where("valid"),
    )
    geometry = angles_of(angles, dataset, layout, days, pixels)
    seen, geometry = _illuminated(seen, geometry, counts)
    if not seen.any():
        raise NothingClear(
            f"{layout.path}: nothing clear between {isoformat(days.min())} and "
            f"{isoformat(days.max())}: of {counts['read']} values were rejected "
            f"{listed(f'{n} {reason}' for reason, n in counts['rejected'].items())}; "
            "check 'clear', 'valid', 'scale' and 'period'"
        )
    counts["seen"] = int(seen.sum())
    if pixels.attrs["kind"] == "grid":
        used = np.flatnonzero(seen.any((0, 2)))
        pixels, raw, seen = pixels.isel(pixel=used), raw[:, used], seen[:, used]
        geometry = geometry[:, used]
    acquisitions = [
        _acquisition(
            days[t], sensors[t], tuple(channels), raw[t], seen[t], geometry[t], products[t]
        )
        for t in range(days.size)
        if seen[t].any()
    ]
    log: list[dict[str, Any]] = [
        {
            "kind": "read",
            "path": layout.path,
            "sensors": sorted(set(sensors)),
            "acquisitions": len(acquisitions),
            "pixels": pixels.sizes["pixel"],
            "first": isoformat(days.min()),
            "last": isoformat(days.max()),
        },
        {"kind": "values", "path": layout.path, **counts},
    ]
    dark = [products[t] for t in range(days.size) if not seen[t].any()]
    if dark:
        log.append(
            {"kind": "all_masked", "path": layout.path, "count": len(dark), "products": dark}
        )
    names = {name: tuple(channels) for name in sorted(set(sensors))}
    return Series(in_time_order(acquisitions), pixels, log, names, duplicates)


def _acquisition(
    time: float,
    sensor: str,
    channels: tuple[str, ...],
    raw: NDArray[np.float64],
    seen: NDArray[np.bool_],
    angles: NDArray[np.float64],
    product: str,
) -> Acquisition:
    """One time of the file as an acquisition in float32."""
    values = torch.from_numpy(np.where(seen, raw, 0.0).astype(np.float32))
    error = channel_error(sensor, channels, values).masked_fill(
        ~torch.from_numpy(seen), float("inf")
    )
    geometry = torch.from_numpy(angles.astype(np.float32))
    return Acquisition(float(time), sensor, values, error, geometry, product)


def _illuminated(
    seen: NDArray[np.bool_], geometry: NDArray[np.float64], counts: dict[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Reject values without angles or with the sun or sensor at or below the horizon.

    Angles of rejected pixels become the mean of the others (0 if there are none), so that they are
    finite and harmless.
    """
    unknown = ~np.all(np.isfinite(geometry), axis=-1)
    zeniths = geometry[..., :2]
    low = np.any((zeniths >= 90) | (zeniths < 0), axis=-1)
    for reason, wrong in (("angles unknown", unknown), ("angles beyond the horizon", low)):
        count = int((seen & wrong[..., None]).sum())
        if count:
            counts["rejected"][reason] = count
        seen = seen & ~wrong[..., None]
    good = ~(unknown | low)[..., None]
    known = np.maximum(good.sum(1, keepdims=True), 1)
    mean = np.where(good, geometry, 0.0).sum(1, keepdims=True) / known
    return seen, np.where(good, geometry, mean)


def _sensors(
    option: str | Mapping[str, str], channels: tuple[str, ...], dataset: xr.Dataset, layout: Layout
) -> list[str]:
    """Name of the sensor of each time; every one is in the catalogue and has the channels."""
    where = layout.where("sensor")
    if isinstance(option, str):
        names = [option] * dataset.sizes[layout.time]
    else:
        if "from" not in option:
            raise InputError(
                f"{where}: 'from' is missing; write {{from: <its variable>, S2A: sentinel2a}}"
            )
        array = variable(dataset, option["from"], [layout.time], f"{where}, 'from'", whole=True)
        known = {str(key): name for key, name in option.items() if key != "from"}
        platforms = [str(platform) for platform in array.values]
        for platform in sorted(set(platforms) - set(known)):
            refuse(platform, known, where, f"sensor for the value of '{option['from']}'")
        names = [known[platform] for platform in platforms]
    for name in sorted(set(names)):
        try:
            load_sensor(name).index(channels)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    return names


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
