"""What is wrong with a whole series before it reaches a state, each with its likely cause.

    exchanged   two channels stand in each other's place (`releo_da.observation.plausible`)
    offset      a constant in every channel of every date, or the same constant taken off twice
    unlike      spectra of no land, for no simple reason
    constant    a channel that never changes
    repeated    different dates with the same values to the last bit

A fault is sure where nothing else explains it; a run refuses those unless its source accepts them.
Sensors that share their channels are judged together. Single dates that differ from their
neighbours are another matter (`releo_da.observation.offset`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from releo_da.observation.plausible import DARK, LEAST, MOST, find_fault
from releo_da.sensors import labels, load_sensor
from releo_da.types import Acquisition

KINDS = ("exchanged", "offset", "unlike", "constant", "repeated")

RED_EDGE = 720.0
"""Wavelength (nm) below which land is dark: there an offset taken off twice leaves nothing."""


class Finding(NamedTuple):
    """One thing that was found.

    Attributes:
        kind: one of `KINDS`.
        sure: whether nothing else explains it.
        message: what and where, with the likely cause.
    """

    kind: str
    sure: bool
    message: str


def find_faults(
    acquisitions: Sequence[Acquisition],
    channels: Mapping[str, tuple[str, ...]],
    log: Iterable[Mapping[str, Any]] = (),
) -> list[Finding]:
    """What is wrong with a series as a whole.

    Args:
        acquisitions: of all its sensors, as read.
        channels: for each sensor, the channels of its acquisitions.
        log: what reading said; its counts of refused values are judged.
    """
    found = []
    named = labels(channels)
    for shared in dict.fromkeys(named.values()):
        sensors = [sensor for sensor in named if named[sensor] == shared]
        own = [a for a in acquisitions if a.sensor in sensors]
        if own:
            who, names = ", ".join(sensors), channels[sensors[0]]
            found += [
                *_of_spectra(own, sensors[0], names, who),
                *_constant(own, sensors[0], names, who),
            ]
            found += _repeated(own, who)
    counts = [record for record in log if record.get("kind") == "values"]
    return found + [finding for record in counts for finding in _dark(record, channels)]


def whole_spectra(
    acquisitions: Sequence[Acquisition], sensor: str, names: Sequence[str]
) -> tuple[Tensor, tuple[str, ...]]:
    """Spectra ``[spectrum, band]`` seen in every channel that is a band, and those channels."""
    plain = [own is None for own in load_sensor(sensor).limits(names)]
    parts = [a.values[:, plain][a.seen[:, plain].all(-1)] for a in acquisitions]
    return torch.cat(parts), tuple(n for n, p in zip(names, plain, strict=True) if p)


def _of_spectra(
    own: Sequence[Acquisition], sensor: str, names: Sequence[str], who: str
) -> Iterable[Finding]:
    spectra, plain = whole_spectra(own, sensor, names)
    near = any(load_sensor(sensor).centres[k] > RED_EDGE for k in load_sensor(sensor).index(plain))
    judged = spectra[:: -(-len(spectra) // MOST) or 1]
    if near and len(spectra) >= LEAST and float(judged.amax(-1).quantile(0.99)) < DARK:
        yield Finding(
            "unlike",
            False,
            f"{who}: no channel is brighter than {float(spectra.max()):.3g} anywhere: water or "
            "shade only, or a scale ten times too small",
        )
    fault = find_fault(spectra, sensor, plain) if len(plain) > 2 else None
    if fault is not None:
        kind = "exchanged" if fault.exchanged else "offset" if fault.offset else "unlike"
        yield Finding(kind, fault.sure and kind != "unlike", f"{who}: {fault}")


def _constant(
    own: Sequence[Acquisition], sensor: str, names: Sequence[str], who: str
) -> Iterable[Finding]:
    values = torch.cat([a.values for a in own])
    seen = torch.cat([a.seen for a in own])
    count = seen.sum(0)
    low = values.masked_fill(~seen, torch.inf).amin(0)
    high = values.masked_fill(~seen, -torch.inf).amax(0)
    measured = load_sensor(sensor).centres  # an index or an estimate may well stay the same
    for k in ((count >= LEAST) & (low == high)).nonzero()[:, 0].tolist():
        yield Finding(
            "constant",
            not math.isnan(measured[load_sensor(sensor).index(names)[k]]),
            f"{who}: {names[k]} is {float(low[k]):.6g} at all {int(count[k])} places and dates: "
            "a fill value that is not declared, or another variable; declare 'fill' or leave the "
            "channel out",
        )


def _repeated(own: Sequence[Acquisition], who: str) -> Iterable[Finding]:
    """Dates whose values are those of an earlier date, as copies under another date are."""
    first: dict[bytes, Acquisition] = {}
    copies: list[tuple[str, str]] = []
    for a in own:
        if len(torch.unique(a.values[a.seen])) < 3:
            continue  # few values may well repeat
        same = first.setdefault(a.values.cpu().numpy().tobytes(), a)
        if same is not a and a.time - same.time > 0.5:
            copies.append((a.product, same.product))
    if copies:
        one, other = copies[0]
        more = f" and {len(copies) - 1} more" if len(copies) > 1 else ""
        yield Finding(
            "repeated",
            False,
            f"{who}: {one} has the values of {other} to the last bit{more}: one product under "
            "two dates, or a gap filled with the last date; leave the copies out by 'select'",
        )


def _dark(record: Mapping[str, Any], channels: Mapping[str, tuple[str, ...]]) -> Iterable[Finding]:
    """Channels of which half of what was clear is not positive, from the counts of a file."""
    lost: Mapping[str, Mapping[str, int]] = record["by_channel"]
    dark = lost.get("not positive", {})
    for sensor, names in channels.items():
        if not set(dark) <= set(names):
            continue
        clear = dict.fromkeys(names, record["read"] / len(names))
        for reason in ("masked", "not a number", "infinite"):
            for name, count in lost.get(reason, {}).items():
                clear[name] = clear.get(name, 0) - count
        found = [n for n in names if dark.get(n, 0) >= max(LEAST, 0.5 * clear[n])]
        if not found:
            return
        centres = zip(names, load_sensor(sensor).index(names), strict=True)
        short = [n for n, k in centres if load_sensor(sensor).centres[k] < RED_EDGE]
        twice = sensor.startswith("sentinel2") and len(short) > 1 and set(short) <= set(found)
        cause = (
            "the offset of -1000 digital counts was applied twice; give 'offset: 0.1', or 0 in "
            "place of what it is"
            if twice
            else "a processor that sets dark canopies to 0, or a fill value; give 'fill', or leave "
            "the channel out"
        )
        what = f"half of the clear values of {', '.join(found)} are 0 or below"
        yield Finding("offset" if twice else "unlike", twice, f"{sensor}: {what}: {cause}")
        return
