"""YAML that describes a sensor: responses in any form, noise per channel, indices as channels.

    source: who published it
    noise: {additive: 0.005, multiplicative: 0.02}     # of every channel that gives none itself
    channels:                                          # what the sensor reports
      B1: {centre: 490, width: 65}                     # Gaussian
      B4: {wavelength: [640, 660, 680], response: [0, 1, 0], noise: {additive: 0.003}}
      NDVI: {normalised_difference: [B8, B4], noise: {additive: 0.02}}
    bands:                                             # seen by an index only, not reported
      B8: {centre: 842, width: 100}

or that describes estimates of variables, a product of leaf area for instance:

    source: who made it
    channels:
      LAI: {variable: lai, range: [0, 10], noise: {additive: 0.5, multiplicative: 0.1}}

Both parts of the noise are standard deviations (`releo_da.sensors.noise`). That of an index is its
own, since the noise of reflectances says nothing of it; its multiplicative part is 0 unless given.
Wavelengths, centres and widths are in nm, or in um below 100. Variables are those of `releo-da
variables`; values outside ``range`` are rejected. A file has bands or variables, not both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.sensors.names import nearest
from releo_da.sensors.response import from_table, gaussian
from releo_da.sensors.sensor import GAUSSIAN, TABULATED, Band, Channel
from releo_da.sensors.sheet import number
from releo_da.strict_yaml import parse
from releo_da.types import InputError

KEYS = ("title", "source", "noise", "channels", "bands")
NOISE = ("additive", "multiplicative")
INDEX = "normalised_difference"
VARIABLE, RANGE = "variable", "range"
RESPONSE = ("centre", "width", "wavelength", "response")
CHANNEL = (*RESPONSE, INDEX, VARIABLE, RANGE, "noise")


def read(text: str, where: str) -> tuple[str, list[Band], list[Channel]]:
    """Source, bands and channels of a YAML description.

    Args:
        text: the document.
        where: its file, the beginning of messages.

    Raises:
        InputError: a key is unknown, missing or there twice, or a value is wrong.
    """
    document = _mapping(parse(text, where), where, KEYS)
    source = document.get("source")
    if not isinstance(source, str) or not source.strip():
        raise InputError(f"{where} has no 'source'; say who published the responses")
    default = _mapping(document.get("noise", {}), f"{where}, noise", NOISE)
    reported = _entries(document.get("channels"), f"{where}, channels", CHANNEL)
    hidden = _entries(document.get("bands", {}), f"{where}, bands", RESPONSE)
    estimated = [name for name, entry in reported.items() if VARIABLE in entry]
    if estimated:
        if hidden or len(estimated) < len(reported):
            raise InputError(
                f"{where}, channels.{estimated[0]}: it is a variable and others are bands; write a "
                "file for each kind"
            )
        return source.strip(), [], [_estimate(n, e, where) for n, e in reported.items()]
    plain = {name: entry for name, entry in reported.items() if INDEX not in entry}
    bands = [_band(name, entry, f"{where}, channels.{name}") for name, entry in plain.items()]
    bands += [_band(name, entry, f"{where}, bands.{name}") for name, entry in hidden.items()]
    channels = []
    for name, entry in reported.items():
        place = f"{where}, channels.{name}"
        own = _mapping(entry.get("noise", {}), f"{place}.noise", NOISE)
        if name in plain:
            channels.append(Channel(name, (name,), *_noise({**default, **own}, place)))
        else:
            parts = _pair(entry, [*plain, *hidden], place)
            channels.append(Channel(name, parts, *_noise({"multiplicative": 0.0, **own}, place)))
    for name in hidden:
        if not any(name in channel.bands for channel in channels):
            raise InputError(
                f"{where}, bands.{name}: no index is made of this band; report it under "
                "'channels', or leave it out"
            )
    return source.strip(), bands, channels


def _mapping(value: Any, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """A mapping with known keys."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: is {value!r}; write keys, of {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise InputError(
                f"{where}: unknown key '{key}'; {nearest(str(key), keys)}valid: {', '.join(keys)}"
            )
    return dict(value)


def _entries(value: Any, where: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Entries by name, each a mapping with known keys."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: is {value!r}; write NAME: {{centre: 665, width: 30}}")
    return {str(name): _mapping(entry, f"{where}.{name}", keys) for name, entry in value.items()}


def _noise(given: Mapping[str, Any], where: str) -> tuple[float, float]:
    """Additive and multiplicative noise; both are needed."""
    for key in NOISE:
        if key not in given:
            raise InputError(
                f"{where}: has no {key} noise; write 'noise: {{{key}: ...}}' here (or, for bands, "
                "once at top level)"
            )
    additive, multiplicative = (number(given[key], f"{where}, noise.{key}") for key in NOISE)
    return additive, multiplicative


def _pair(entry: Mapping[str, Any], bands: Sequence[str], where: str) -> tuple[str, str]:
    """Names of the high and the low band of an index."""
    others = sorted({*entry} - {INDEX, "noise"})
    if others:
        raise InputError(f"{where}: an index has no {others[0]}; leave it out")
    pair = entry[INDEX]
    if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
        raise InputError(f"{where}: {INDEX} is {pair!r}; write the two bands, [near, red]")
    high, low = map(str, pair)
    for name in (high, low):
        if name not in bands:
            raise InputError(
                f"{where}: there is no band '{name}'; {nearest(name, bands)}describe it under "
                f"'channels', or under 'bands' if it is not reported (known: {', '.join(bands)})"
            )
    return high, low


def _estimate(name: str, entry: Mapping[str, Any], where: str) -> Channel:
    """A channel that is an estimate of a variable."""
    place = f"{where}, channels.{name}"
    others = sorted({*entry} - {VARIABLE, RANGE, "noise"})
    if others:
        raise InputError(f"{place}: a variable has no {others[0]}; leave it out")
    variable, limits = entry[VARIABLE], entry.get(RANGE, [0, 1e9])
    if not isinstance(variable, str) or not variable:
        raise InputError(f"{place}: variable is {variable!r}; write a name of `releo-da variables`")
    if not isinstance(limits, list) or len(limits) != 2:
        raise InputError(f"{place}: range is {limits!r}; write [least, most]")
    low, high = (number(value, f"{place}, range") for value in limits)
    if not low < high:
        raise InputError(f"{place}: range is {limits!r}; write [least, most]")
    noise = _noise({"multiplicative": 0.0, **_mapping(entry.get("noise", {}), place, NOISE)}, place)
    return Channel(name, (), *noise, variable, (low, high))


def _band(name: str, entry: Mapping[str, Any], where: str) -> Band:
    """A band whose response is given by centre and width, or by a table."""
    given = {key for key in RESPONSE if key in entry}
    if given == {"centre", "width"}:
        centre, width = (number(entry[key], f"{where}.{key}") for key in ("centre", "width"))
        return Band(name, gaussian(centre, width, where), GAUSSIAN)
    if given != {"wavelength", "response"}:
        told = f"has {', '.join(sorted(given))}" if given else "has no response"
        raise InputError(
            f"{where}: {told}; give 'centre' and 'width', or 'wavelength' and 'response'"
        )
    lists = [entry["wavelength"], entry["response"]]
    if not all(isinstance(values, list) for values in lists) or len(lists[0]) != len(lists[1]):
        raise InputError(f"{where}: wavelength and response must be lists of equal length")
    wavelength, response = (
        [number(value, f"{where}.{key}[{k}]") for k, value in enumerate(values)]
        for key, values in zip(("wavelength", "response"), lists, strict=True)
    )
    table = from_table(wavelength, response, where, lambda k: f"{where}.wavelength[{k}]")
    return Band(name, table, TABULATED)
