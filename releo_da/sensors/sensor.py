"""What a sensor is: channels, spectral response and noise, as data.

A channel c sees the band average of a reflectance spectrum rho,

    r_c = sum_w response[c, w] rho[w],      sum_w response[c, w] = 1, response >= 0

        response: [channel, 2101] on the grid of the canopy model, 400 ... 2500 nm every 1 nm

(light is taken as flat across a channel, as in the agencies' surface reflectances), with an
instrument noise of standard deviation

    sd_c = sqrt(additive_c^2 + (multiplicative_c r_c)^2).

The centre is the response-weighted mean wavelength, the width the full width at half maximum.
Responses are not interchangeable: the near infrared of Landsat-8 and Sentinel-2's B08 differ by up
to 0.05 in reflectance over one canopy, so every satellite has its own file under ``catalogue/``.

The file is a CSV with one row per channel and, above it, comment lines that start with ``#``, of
which ``# source:`` is needed. ``response`` holds the values every 1 nm from ``first_nm`` on,
separated by blanks, in any unit (it is normalised here):

    # source: who published the response
    channel,additive,multiplicative,first_nm,response
    RED,0.005,0.02,650,.1 .8 1 .9 .2

Where only the centre and the full width at half maximum of channels are known, the columns
``centre_nm,width_nm`` take the place of the last two, and responses are Gaussian.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
from torch import Tensor

from releo_da.sensors.response import (
    FIRST_NM,
    LAST_NM,
    centre_of,
    gaussian,
    normalised,
    width_of,
)
from releo_da.types import InputError

NOISE = ("channel", "additive", "multiplicative")
TABULATED = (*NOISE, "first_nm", "response")
GAUSSIAN = (*NOISE, "centre_nm", "width_nm")


@dataclass(frozen=True, eq=False)
class Sensor:
    """One instrument on one satellite. Compared by identity: `load_sensor` gives each name once.

    Attributes:
        name: name in the catalogue, as in ``sentinel2a``.
        channels: the agency's channel names; the order of every channel axis.
        centres: response-weighted mean wavelengths, nm.
        widths: full widths at half maximum, nm.
        response: ``[channel, 2101]`` float64 over 400 ... 2500 nm, each row non-negative, sum 1.
        additive: noise standard deviation at zero reflectance, per channel.
        multiplicative: noise standard deviation relative to the reflectance, per channel.
        source: the document that published the response.
    """

    name: str
    channels: tuple[str, ...]
    centres: tuple[float, ...]
    widths: tuple[float, ...]
    response: Tensor
    additive: tuple[float, ...]
    multiplicative: tuple[float, ...]
    source: str

    def index(self, channels: Sequence[str]) -> tuple[int, ...]:
        """Positions of the named channels on the channel axis.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        for channel in channels:
            if channel not in self.channels:
                raise InputError(
                    f"sensor {self.name} has no channel '{channel}'"
                    f"{_nearest(channel, self.channels)}; it has {', '.join(self.channels)}"
                )
        return tuple(self.channels.index(channel) for channel in channels)


def instrument_error(sensor: Sensor, values: Tensor) -> Tensor:
    """Standard deviation of the instrument noise, ``[..., channel]`` as `values`.

    Args:
        sensor: whose noise it is.
        values: reflectance ``[..., channel]``, all channels of the sensor in its order.
    """
    additive = values.new_tensor(sensor.additive)
    multiplicative = values.new_tensor(sensor.multiplicative)
    return torch.hypot(additive.expand_as(values), multiplicative * values)


def sensor_names() -> tuple[str, ...]:
    """Names of the catalogue, in alphabetical order."""
    return tuple(sorted(f.name.removesuffix(".csv") for f in _catalogue() if _is_table(f)))


@lru_cache
def load_sensor(name: str) -> Sensor:
    """A sensor of the catalogue; the same object for the same name.

    Raises:
        InputError: the catalogue has no sensor of that name.
    """
    names = sensor_names()
    if name not in names:
        raise InputError(
            f"unknown sensor '{name}'{_nearest(name, names)}; the catalogue has {', '.join(names)}"
        )
    return read_sensor(next(f for f in _catalogue() if f.name == f"{name}.csv"))


def read_sensor(path: Path | Traversable) -> Sensor:
    """Read a sensor from a file of the format of this module; its name is the name of the file.

    Raises:
        InputError: the file is missing, or a column, row or number of it is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        reason = error.strerror or "is not readable"
        raise InputError(f"sensor file {path}: {reason}; give the path of a readable CSV") from None
    except UnicodeDecodeError:
        raise InputError(f"sensor file {path} is not UTF-8 text; save it as a plain CSV") from None
    source = [line[9:].strip() for line in lines if line.startswith("# source:")]
    if not source or not source[0]:
        raise InputError(f"sensor file {path} has no '# source:' line; say who published the table")
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    reader = csv.DictReader(lines[head:])
    columns = GAUSSIAN if "centre_nm" in (reader.fieldnames or ()) else TABULATED
    absent = [column for column in columns if column not in (reader.fieldnames or ())]
    if absent:
        raise InputError(
            f"sensor file {path} lacks the column {', '.join(absent)}; its first row must be "
            f"{','.join(TABULATED)} or {','.join(GAUSSIAN)}"
        )
    rows = [_channel(row, f"sensor file {path}, line {head + reader.line_num}") for row in reader]
    names = [row[0] for row in rows]
    if not rows or len(set(names)) < len(names):
        fault = "names a channel twice" if rows else "has no channel"
        raise InputError(f"sensor file {path} {fault}; write one row per channel")
    response = torch.stack([row[3] for row in rows])
    return Sensor(
        name=path.name.removesuffix(".csv"),
        channels=tuple(names),
        centres=tuple(centre_of(row) for row in response),
        widths=tuple(width_of(row) for row in response),
        response=response,
        additive=tuple(row[1] for row in rows),
        multiplicative=tuple(row[2] for row in rows),
        source=source[0],
    )


def _channel(row: dict[str, str | None], where: str) -> tuple[str, float, float, Tensor]:
    """Name, noise parts and normalised response ``[2101]`` of one row of the file."""
    channel = (row["channel"] or "").strip()
    if not channel:
        raise InputError(f"{where}: the channel has no name; write one in the first column")
    where = f"{where}, channel {channel}"
    additive, multiplicative = (
        _number(row[column], f"{where}, {column}") for column in ("additive", "multiplicative")
    )
    form = _tabulated if "response" in row else _gaussian
    return channel, additive, multiplicative, form(row, where)


def _tabulated(row: dict[str, str | None], where: str) -> Tensor:
    """Response of a row that gives it every 1 nm."""
    first = _number(row["first_nm"], f"{where}, first_nm")
    values = [_number(text, f"{where}, response") for text in (row["response"] or "").split()]
    start, stop = int(first) - FIRST_NM, int(first) - FIRST_NM + len(values)
    if first != int(first) or start < 0 or stop > LAST_NM - FIRST_NM + 1:
        raise InputError(
            f"{where}: the response covers {first:g} to {first + len(values) - 1:g} nm; "
            f"give it at whole nanometres within {FIRST_NM} to {LAST_NM} nm"
        )
    if not sum(values) > 0:
        raise InputError(f"{where}: the response is empty or zero; give its values every 1 nm")
    response = torch.zeros(LAST_NM - FIRST_NM + 1, dtype=torch.float64)
    response[start:stop] = torch.tensor(values, dtype=torch.float64)
    return normalised(response)


def _gaussian(row: dict[str, str | None], where: str) -> Tensor:
    """Response of a row that gives its centre and width."""
    centre = _number(row["centre_nm"], f"{where}, centre_nm")
    return gaussian(centre, _number(row["width_nm"], f"{where}, width_nm"), where)


def _number(text: str | None, where: str) -> float:
    """A finite number that is not negative."""
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: '{text or ''}' is not a finite number of at least 0")
    return value


def _nearest(name: str, names: Sequence[str]) -> str:
    """Hint at the valid name that resembles `name` most, or nothing where none does."""
    plain = {_plain(known): known for known in names}
    close = get_close_matches(_plain(name), plain, n=1, cutoff=0.4)
    return f", did you mean '{plain[close[0]]}'?" if close else ""


def _plain(name: str) -> str:
    """Without case, punctuation and leading zeros, in which conventions differ: B02 is b2."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]", "", name.lower()))


def _catalogue() -> list[Traversable]:
    """Files of the packaged catalogue."""
    return list(files("releo_da.sensors").joinpath("catalogue").iterdir())


def _is_table(file: Traversable) -> bool:
    return file.name.endswith(".csv")


def channel_error(name: str, channels: tuple[str, ...], values: Tensor) -> Tensor:
    """Instrument noise of some channels of a catalogued sensor, ``[pixel, channel]``.

    Raises:
        InputError: an unknown sensor or channel.
    """
    sensor = load_sensor(name)
    index = list(sensor.index(channels))
    whole = values.new_zeros(len(values), len(sensor.channels))
    whole[:, index] = values
    return instrument_error(sensor, whole)[:, index]
