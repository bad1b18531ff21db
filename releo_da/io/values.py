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
reflectances; a channel that is an index is valid from -1 to 1, both included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, flat, variable
from releo_da.io.masks import Rule, holds
from releo_da.io.names import require_in_file
from releo_da.types import InputError

VALID = (0.0, 1.6)


def channel_positions(
    channels: Mapping[str, str | int], dataset: xr.Dataset, layout: Layout
) -> NDArray[np.intp]:
    """Positions along the file's channel axis of the channels that the option names, in its order.

    Args:
        channels: agency name -> name in the file; numbers where the axis has numbers or no names.
        dataset: the file.
        layout: of the file.

    Raises:
        InputError: no channel is named, one is named twice, or the file has no such channel.
    """
    where = layout.where("channels")
    if not channels:
        raise InputError(f"{where}: no channel is named; write {{B04: <its name in the file>}}")
    if layout.channel in dataset.variables:
        names = [str(name) for name in dataset[layout.channel].values]
    else:
        names = [str(position) for position in range(dataset.sizes[layout.channel])]
    require_in_file(channels, names, layout.path, "channel")
    positions = [names.index(str(name)) for name in channels.values()]
    if len(set(positions)) < len(positions):
        raise InputError(f"{where}: a channel of the file is named twice; name each once")
    return np.array(positions)


def reflectances(
    dataset: xr.Dataset,
    layout: Layout,
    values: str,
    positions: NDArray[np.intp],
    scale: float,
    offset: float,
) -> NDArray[np.float64]:
    """Reflectances ``[time, pixel, channel]`` as the file gives them, NaN and all.

    Raises:
        InputError: the file has no such variable, or it lacks an axis.
    """
    axes = (layout.time, *layout.space, layout.channel)
    array = variable(dataset, values, axes, layout.where("values"), whole=True)
    raw = flat(array.isel({layout.channel: positions}), layout, dataset)
    return raw.astype(np.float64) * scale + offset


def clear_of(
    clear: Mapping[str, Rule] | None,
    dataset: xr.Dataset,
    layout: Layout,
    positions: NDArray[np.intp],
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
        if layout.channel in array.dims:
            array = array.isel({layout.channel: positions})
        mask = flat(holds(rule, array, where), layout, dataset)
        passed = passed & (mask if mask.ndim == 3 else mask[..., None])
    return passed


def screened(
    values: NDArray[np.float64],
    clear: NDArray[np.bool_],
    valid: Sequence[float],
    channels: Sequence[str],
    indices: Sequence[bool],
    where: str,
    given: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which values may be assimilated, ``[time, pixel, channel]``, and how many were rejected why.

    Args:
        values: ``[time, pixel, channel]``, possibly NaN or infinite.
        clear: broadcasts against `values`.
        valid: lower limit (rejected) and upper limit (kept) of reflectances.
        channels: their names, for the counts.
        indices: which of them are indices.
        where: file and key, for messages.
        given: ``[time, pixel]`` where the file has an entry at all; the rest is not counted.

    Raises:
        InputError: `valid` is not two numbers in ascending order.
    """
    if isinstance(valid, str) or len(valid) != 2 or not valid[0] < valid[1]:
        raise InputError(f"{where}: '{valid}' is not a range; write [0, 1.6]")
    low = np.where(indices, np.nextafter(-1.0, -2.0), valid[0])
    high = np.where(indices, 1.0, valid[1])
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
        seen &= given[..., None]
    read = int(seen.sum())
    rejected: dict[str, dict[str, int]] = {}
    for reason, wrong in reasons.items():
        counts = (seen & wrong).sum((0, 1))
        seen &= ~wrong
        if counts.any():
            rejected[reason] = dict(zip(channels, counts.tolist(), strict=True))
    totals = {reason: sum(counts.values()) for reason, counts in rejected.items()}
    return seen, {"read": read, "rejected": totals, "by_channel": rejected}
