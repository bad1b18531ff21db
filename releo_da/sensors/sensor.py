"""What a sensor is: bands with a spectral response, channels with a noise, as data.

A band b sees the band average of a reflectance spectrum rho,

    r_b = sum_w response[b, w] rho[w],      sum_w response[b, w] = 1, response >= 0

        response: [band, 2101] on the grid of the canopy model, 400 ... 2500 nm every 1 nm

(light is taken as flat across a band, as in the agencies' surface reflectances). A channel is what
the sensor reports: mostly a band, or an index of two bands, (r_high - r_low) / (r_high + r_low).
Bands that only an index is made of are not reported. A channel's value v comes with an instrument
noise of standard deviation

    sd_c = sqrt(additive_c^2 + (multiplicative_c v_c)^2).

The centre is the response-weighted mean wavelength, the width the full width at half maximum.
Responses are not interchangeable: the near infrared of Landsat-8 and Sentinel-2's B08 differ by up
to 0.05 in reflectance over one canopy, so every satellite has its own file under ``catalogue/``.

What others estimated (leaf area of a product, of a field campaign) is a sensor as well, whose
channels are variables and not bands: what it "sees" of a state is the variable itself. A sensor has
bands or variables, never both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.sensors.names import nearest
from releo_da.sensors.response import FIRST_NM, LAST_NM, centre_of, width_of
from releo_da.types import InputError

GAUSSIAN, TABULATED = "Gaussian", "tabulated"
"""How the response of a band is known."""

Parts = tuple[tuple[int, ...], ...]
"""Per channel the position of its band, or of the high and the low band of an index."""


class Band(NamedTuple):
    """A band as a file describes it.

    Attributes:
        name: in the file.
        response: ``[2101]`` float64, normalised.
        form: `GAUSSIAN` or `TABULATED`.
    """

    name: str
    response: Tensor
    form: str


class Channel(NamedTuple):
    """A channel as a file describes it: a band, the (high, low) bands of an index, or a variable.

    Attributes:
        name: in the file.
        bands: none of a variable.
        additive: noise at 0.
        multiplicative: noise relative to the value.
        variable: that is estimated, "" of bands and indices.
        limits: smallest and largest value of a variable that is believed.
    """

    name: str
    bands: tuple[str, ...]
    additive: float
    multiplicative: float
    variable: str = ""
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Sensor:
    """One instrument on one satellite. Compared by identity: `load_sensor` gives each name once.

    Attributes:
        name: name in the catalogue, as in ``sentinel2a``, or of the file without its ending.
        channels: the agency's channel names; the order of every channel axis.
        parts: per channel its bands, by position on the band axis.
        additive: noise standard deviation at zero, per channel.
        multiplicative: noise standard deviation relative to the value, per channel.
        bands: names of all bands, those of indices included; the order of every band axis.
        response: ``[band, 2101]`` float64 over 400 ... 2500 nm, each row non-negative, sum 1.
        band_centres: response-weighted mean wavelengths, nm.
        band_widths: full widths at half maximum, nm.
        forms: per band, `GAUSSIAN` or `TABULATED`.
        source: the document that published the response.
        variables: per channel the variable that it estimates; none of a sensor with bands.
        ranges: per channel the values of the variable that are believed, likewise.
    """

    name: str
    channels: tuple[str, ...]
    parts: Parts
    additive: tuple[float, ...]
    multiplicative: tuple[float, ...]
    bands: tuple[str, ...]
    response: Tensor
    band_centres: tuple[float, ...]
    band_widths: tuple[float, ...]
    forms: tuple[str, ...]
    source: str
    variables: tuple[str, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()

    @property
    def centres(self) -> tuple[float, ...]:
        """Per channel the centre of its band in nm; NaN for an index, which has none."""
        return tuple(self.band_centres[p[0]] if len(p) == 1 else math.nan for p in self.parts)

    @property
    def widths(self) -> tuple[float, ...]:
        """Per channel the width of its band in nm; NaN for an index, which has none."""
        return tuple(self.band_widths[p[0]] if len(p) == 1 else math.nan for p in self.parts)

    def index(self, channels: Sequence[str]) -> tuple[int, ...]:
        """Positions of the named channels on the channel axis.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        for channel in channels:
            if channel not in self.channels:
                raise InputError(
                    f"sensor {self.name} has no channel '{channel}'; "
                    f"{nearest(channel, self.channels)}it has {', '.join(self.channels)}"
                )
        return tuple(self.channels.index(channel) for channel in channels)

    def are_indices(self, channels: Sequence[str]) -> tuple[bool, ...]:
        """Which of the named channels are indices, which have no wavelength and may be negative.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        return tuple(len(self.parts[position]) == 2 for position in self.index(channels))

    def limits(self, channels: Sequence[str]) -> tuple[tuple[float, float] | None, ...]:
        """Per named channel the limits of what it holds, None of a reflectance.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        if self.variables:
            return tuple(self.ranges[position] for position in self.index(channels))
        return tuple((-1.0, 1.0) if index else None for index in self.are_indices(channels))

    def estimated(self, channels: Sequence[str]) -> tuple[str, ...]:
        """The variables that named channels estimate; none of a sensor with bands.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        positions = self.index(channels)
        return tuple(self.variables[position] for position in positions) if self.variables else ()

    def behind(
        self, channels: Sequence[str]
    ) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """The bands that channels are made of, each once.

        Returns:
            their positions on the band axis, and per channel its parts among these.

        Raises:
            InputError: a name is not a channel of this sensor.
        """
        parts = [self.parts[position] for position in self.index(channels)]
        rows = tuple(dict.fromkeys(band for part in parts for band in part))
        return rows, tuple(tuple(rows.index(band) for band in part) for part in parts)


def make_sensor(
    name: str, source: str, bands: Sequence[Band], channels: Sequence[Channel]
) -> Sensor:
    """A sensor of bands and channels whose names were checked."""
    names = tuple(band.name for band in bands)
    response = torch.zeros((0, LAST_NM - FIRST_NM + 1), dtype=torch.float64)
    if bands:
        response = torch.stack([band.response for band in bands])
    return Sensor(
        name=name,
        channels=tuple(channel.name for channel in channels),
        parts=tuple(tuple(names.index(band) for band in c.bands) for c in channels),
        additive=tuple(channel.additive for channel in channels),
        multiplicative=tuple(channel.multiplicative for channel in channels),
        bands=names,
        response=response,
        band_centres=tuple(centre_of(row) for row in response),
        band_widths=tuple(width_of(row) for row in response),
        forms=tuple(band.form for band in bands),
        source=source,
        variables=() if bands else tuple(channel.variable for channel in channels),
        ranges=() if bands else tuple(channel.limits for channel in channels),
    )
