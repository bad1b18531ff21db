"""Observation error that a source states itself: the option ``error``.

    error: {absolute: 0.3, relative: 0.1}      sd = sqrt(0.3^2 + (0.1 value)^2)
    error: {from: LAI_sd}                      a variable or column, scaled as the values are
    error: {LAI: {absolute: 0.3}, FAPAR: {absolute: 0.05, from: FAPAR_sd}}

The parts of a channel are combined in quadrature and take the place of the noise that the sensor's
description gives. A value whose error is not a positive number is not used, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, flat, variable
from releo_da.io.missing import without_fill
from releo_da.io.names import require
from releo_da.types import InputError

ErrorOption = dict[str, float | str | dict[str, float | str]]
PARTS = ("absolute", "relative", "from")


class Rule(NamedTuple):
    """The error of one channel; see the module."""

    absolute: float
    relative: float
    source: str


def error_rules(
    option: Mapping[str, object] | None, channels: Sequence[str], where: str
) -> dict[str, Rule]:
    """The rule of each channel that has one, by its name.

    Args:
        option: the option.
        channels: that are read.
        where: file and key, for messages.

    Raises:
        InputError: an unknown part or channel, a number below 0, or no error at all.
    """
    if option is None:
        return {}
    nested = {name: part for name, part in option.items() if isinstance(part, Mapping)}
    if nested and len(nested) < len(option):
        raise InputError(
            f"{where}: some entries are channels and some are parts of an error; write "
            "{absolute: .., relative: ..} for all channels or {LAI: {absolute: ..}} for each"
        )
    if not nested:
        nested = dict.fromkeys(channels, option)
    for name in nested:
        require(name, channels, where, "channel")
    return {name: _rule(part, f"{where}, {name}") for name, part in nested.items()}


def stated_error(
    rules: Mapping[str, Rule],
    channels: Sequence[str],
    values: NDArray[np.float64],
    scale: NDArray[np.float64],
    dataset: xr.Dataset,
    layout: Layout,
    positions: NDArray[np.intp] | None,
    fill: Sequence[float] = (),
) -> NDArray[np.float64]:
    """Standard deviations ``[time, pixel, channel]``; NaN of channels without a rule.

    Args:
        rules: by channel.
        channels: that are read, in order.
        values: ``[time, pixel, channel]``.
        scale: ``[channel]`` of the values.
        dataset: the selected part of the file.
        layout: of the file.
        positions: ``[channel]`` along the file's channel axis, where it has one.
        fill: numbers that stand for a missing error, before they are scaled.

    Raises:
        InputError: a variable of errors does not exist.
    """
    found = np.full(values.shape, np.nan)
    where = layout.where("error")
    for k, name in enumerate(channels):
        if name not in rules:
            continue
        rule = rules[name]
        sd = np.hypot(rule.absolute, rule.relative * values[..., k])
        if rule.source:
            axes = (layout.time, *layout.space, layout.channel)
            array = variable(dataset, rule.source, axes, f"{where}, {name}, from")
            if layout.channel in array.dims and positions is not None:
                array = array.isel({layout.channel: positions[k]})
            sd = np.hypot(sd, scale[k] * without_fill(flat(array, layout, dataset), fill))
        found[..., k] = sd
    return found


def sources(rules: Mapping[str, Rule]) -> list[str]:
    """Variables or columns that rules read, each once."""
    return list(dict.fromkeys(rule.source for rule in rules.values() if rule.source))


def _rule(part: object, where: str) -> Rule:
    """One rule from its mapping."""
    assert isinstance(part, Mapping)
    for key in part:
        require(key, PARTS, where, "part of an error")
    for key in ("absolute", "relative"):
        number = part.get(key, 0.0)
        if not isinstance(number, int | float) or isinstance(number, bool) or not number >= 0:
            raise InputError(f"{where}, {key}: '{number}' is no error; give a number of 0 or more")
    absolute, relative = float(part.get("absolute", 0.0)), float(part.get("relative", 0.0))
    source = part.get("from", "")
    if not isinstance(source, str):
        raise InputError(f"{where}, from: '{source}' is no name of a variable or column")
    if not (absolute > 0 or relative > 0 or source):
        raise InputError(f"{where}: the error is 0; give absolute, relative or from")
    return Rule(absolute, relative, source)
