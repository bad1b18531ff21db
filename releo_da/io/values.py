"""From the numbers of a file to reflectances that may be assimilated, and a count of the others.

    value = scale * raw + offset          seen  <=>  clear, finite, and inside the valid range

Every value is counted once, under the first reason that rejects it:

    masked             a rule of ``clear`` does not hold
    not a number       NaN or a fill value where the mask says clear
    infinite           the file holds an infinity
    not positive       at most 0: atmospheric over-correction, as MAJA's over dense vegetation
    below range, above range    outside ``valid``

The lower limit itself is rejected and the upper one is kept, so that the default (0, 1.6) refuses
zeros. The upper limit leaves room for bright snow and sloping terrain. These are limits of
reflectances; a channel that is an index is valid from -1 to 1, both included, and an estimate of a
variable within the limits that its sensor states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, flat, variable
from releo_da.io.masks import Rule, holds
from releo_da.io.missing import without_fill
from releo_da.io.names import require, require_in_file
from releo_da.types import InputError

VALID = (0.0, 1.6)
Name = str | int | float
"""A channel in a file: its name, its position, or its wavelength."""

Numbers = float | dict[str, float]
"""One number for all channels, or one for each by the agency's name."""

NEAR = 5e-3
"""Largest distance of a wavelength from that of the channel axis which it means, relative."""


def channel_positions(
    channels: Mapping[str, Name], dataset: xr.Dataset, layout: Layout, labels: str | None = None
) -> NDArray[np.intp]:
    """Positions along the file's channel axis of the channels that the option names, in its order.

    Args:
        channels: agency name -> name in the file; numbers where the axis has numbers or no names.
            Whole numbers are met exactly; of others, which are wavelengths, the nearest is meant.
        dataset: the file.
        layout: of the file.
        labels: the variable that names the channels; the axis' own coordinate unless given.

    Raises:
        InputError: no channel is named, one is named twice, or the file has no such channel.
    """
    where = layout.where("channels")
    if not channels:
        raise InputError(f"{where}: no channel is named; write {{B04: <its name in the file>}}")
    held = np.arange(dataset.sizes[layout.channel])
    if labels is not None:
        key = layout.where("labels")
        if labels in dataset.variables and set(dataset[labels].dims) == {
            layout.time,
            layout.channel,
        }:
            raise InputError(
                f"{key}: '{labels}' is not the same in all files; bring their channels to one order"
            )
        held = variable(dataset, labels, [layout.channel], key, whole=True).values
    elif layout.channel in dataset.variables:
        held = dataset[layout.channel].values
    if held.dtype.kind in "iuf":
        positions = [_nearest(held, wanted) for wanted in channels.values()]
    else:
        names = [_text(name) for name in held]
        positions = [names.index(str(w)) if str(w) in names else None for w in channels.values()]
    if None in positions:
        require_in_file(channels, [f"{_text(name)}" for name in held], layout.path, "channel")
    if len(set(positions)) < len(positions):
        raise InputError(f"{where}: a channel of the file is named twice; name each once")
    return np.array(positions)


def _text(name: object) -> str:
    """A name on a channel axis; of bytes their text, of a number its shortest form."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return f"{name:g}" if isinstance(name, float | np.floating) else str(name)


def _nearest(held: NDArray, wanted: Name) -> int | None:
    """Position of the number that is meant, or None."""
    try:
        number = float(wanted)
    except ValueError:
        return None
    apart = np.abs(held.astype(np.float64) - number)
    if np.isnan(apart).all():
        return None
    position = int(np.nanargmin(apart))
    # Whole numbers count or name; only measured wavelengths are written in several ways.
    reach = NEAR * abs(number) if held.dtype.kind == "f" else 0.0
    return position if apart[position] <= reach else None


def per_channel(
    option: Numbers, channels: Sequence[str], default: float, where: str
) -> NDArray[np.float64]:
    """A number for each channel, ``[channel]``.

    Args:
        option: one number, or numbers by channel.
        channels: that are read, in order.
        default: of channels that a mapping leaves out.
        where: file and key, for messages.

    Raises:
        InputError: a channel is named that is not read, or its number is none.
    """
    given = option if isinstance(option, Mapping) else dict.fromkeys(channels, option)
    for name, number in given.items():
        require(name, channels, where, "channel")
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not np.isfinite(number):
            raise InputError(f"{where}, {name}: '{number}' is no number; give a finite one")
    return np.array([float(given.get(name, default)) for name in channels])


def raw_numbers(
    dataset: xr.Dataset,
    layout: Layout,
    values: str | Mapping[str, str],
    positions: NDArray[np.intp] | None,
    fill: Sequence[float] = (),
) -> NDArray[np.float64]:
    """What the file holds, ``[time, pixel, channel]``, NaN where it gives nothing.

    Args:
        dataset: the selected part of the file.
        layout: of the file.
        values: the variable, or the variable of each channel.
        positions: ``[channel]`` along the channel axis of the one variable.
        fill: numbers that stand for nothing.

    Raises:
        InputError: the file has no such variable, or it lacks an axis.
    """
    key, axes = layout.where("values"), (layout.time, *layout.space)
    if isinstance(values, Mapping):
        of_channels = [
            flat(variable(dataset, name, axes, f"{key}, {channel}", whole=True), layout, dataset)
            for channel, name in values.items()
        ]
        raw = np.stack(of_channels, -1)
    else:
        array = variable(dataset, values, (*axes, layout.channel), key, whole=True)
        raw = flat(array.isel({layout.channel: positions}), layout, dataset)
    if raw.dtype.kind not in "iufb":
        raise InputError(f"{key}: '{values}' holds {raw.dtype}, not numbers; name another variable")
    return without_fill(raw, fill)


def clear_of(
    clear: Mapping[str, Rule] | None,
    dataset: xr.Dataset,
    layout: Layout,
    positions: NDArray[np.intp] | None,
) -> NDArray[np.bool_]:
    """True where every rule holds, ``[time, pixel, channel]`` or with a last axis of 1.

    Raises:
        InputError: a mask variable does not exist or a rule cannot be understood.
    """
    pixels = int(np.prod([dataset.sizes[dim] for dim in layout.space]))
    passed = np.ones((dataset.sizes[layout.time], pixels, 1), dtype=bool)
    for name, rule in (clear or {}).items():
        where = layout.where(f"clear.{name}")
        array = variable(dataset, name, (layout.time, *layout.space, layout.channel), where)
        if layout.channel in array.dims and positions is not None:
            array = array.isel({layout.channel: positions})
        mask = flat(holds(rule, array, where), layout, dataset)
        passed = passed & (mask if mask.ndim == 3 else mask[..., None])
    return passed


def screened(
    values: NDArray[np.float64],
    clear: NDArray[np.bool_],
    valid: Sequence[float],
    channels: Sequence[str],
    limits: Sequence[tuple[float, float] | None],
    where: str,
    given: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which values may be assimilated, ``[time, pixel, channel]``, and how many were rejected why.

    Args:
        values: ``[time, pixel, channel]``, possibly NaN or infinite.
        clear: broadcasts against `values`.
        valid: lower limit (rejected) and upper limit (kept) of reflectances.
        channels: their names, for the counts.
        limits: per channel its own limits, both kept, where it is no reflectance.
        where: file and key, for messages.
        given: ``[time, pixel]`` or ``[time, pixel, channel]``, where the file has an entry at all;
            the rest is not counted.

    Raises:
        InputError: `valid` is not two numbers in ascending order.
    """
    if isinstance(valid, str) or len(valid) != 2 or not valid[0] < valid[1]:
        raise InputError(f"{where}: '{valid}' is not a range; write [0, 1.6]")
    low = np.array([valid[0] if own is None else np.nextafter(own[0], -np.inf) for own in limits])
    high = np.array([valid[1] if own is None else own[1] for own in limits])
    reasons = {
        "masked": ~clear,
        "not a number": np.isnan(values),
        "infinite": np.isinf(values),
        "not positive": (values <= 0) & (low >= 0),
        "below range": values <= low,
        "above range": values > high,
    }
    seen = np.ones(values.shape, dtype=bool)
    if given is not None:
        seen &= given if given.ndim == 3 else given[..., None]
    read = int(seen.sum())
    rejected: dict[str, dict[str, int]] = {}
    for reason, wrong in reasons.items():
        counts = (seen & wrong).sum((0, 1))
        seen &= ~wrong
        if counts.any():
            rejected[reason] = dict(zip(channels, counts.tolist(), strict=True))
    totals = {reason: sum(counts.values()) for reason, counts in rejected.items()}
    return seen, {"read": read, "rejected": totals, "by_channel": rejected}
