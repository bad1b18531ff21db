r"""What a network is told beside the state: the day of the year, its length, unusual weather.

    [ cos, sin of the year | cos, sin of half a year | (hours of daylight - 12) / 4
      | departures of growth, senescence and wetness from the climatology / 0.1 ]

per pixel, at the start of a step; departures are means over the days that the step touches. Where
no weather is known they are 0, as in usual weather. Without a calendar these departures are all: a
network that hears the day of the year and is fitted on one year knows its crops by the date (the
length of the day tells the date as well). Latitudes come with the weather; where none is
known, or no number, it is 45 degrees, and days are the length that they have there. Latitudes
outside of those that a fit has met are taken for the nearest of these: a network says nothing of a
season that it never saw. Cost: days of the step times sites.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from releo_da.dynamics.forcing import DRIVERS, LATITUDE
from releo_da.dynamics.growth_water import day_length
from releo_da.dynamics.mean_reverting import season_basis
from releo_da.dynamics.weather import rows_of
from releo_da.types import Weather

HARMONICS = 2
CALENDAR = 2 * HARMONICS + 1
"""Number of the inputs that tell the date."""

UNMET = (-90.0, 90.0, 36525.0)
"""Latitudes and days without a look that were met where no fit told any."""

NEAR = 1.0
"""Degrees by which a place may lie outside of the latitudes of a fit."""

HOURS, HALF_DAY, UNUSUAL = 4.0, 12.0, 0.1
"""Units of the length of a day and of departures, which make inputs of order 1."""


class Surroundings(nn.Module):
    """Inputs of a network at the pixels of a run.

    Args:
        weather: with the latitudes of its sites; None where there is none.
        calendar: whether the day of the year and its length are told.

    Attributes:
        size: number of inputs.
    """

    latitude: Tensor
    pixels: Tensor
    met: Tensor

    def __init__(self, weather: Weather | None = None, calendar: bool = True) -> None:
        super().__init__()
        self.calendar, self.size = calendar, CALENDAR * calendar + len(DRIVERS)
        double = torch.float64
        pixels, latitude = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=double)
        if weather is not None:
            given = weather.latitude
            if given is None:
                given = torch.full((weather.values.shape[1],), LATITUDE)
            known = torch.nan_to_num(given.double(), nan=LATITUDE)
            latitude = (known[weather.site] * weather.weight.double()).sum(-1)
            pixels = weather.pixels
        self.register_buffer("pixels", pixels, persistent=False)
        self.register_buffer("latitude", latitude, persistent=False)
        self.register_buffer("met", torch.tensor(UNMET, dtype=double))

    def forward(self, pixels: Tensor, start: float, unusual: Tensor) -> Tensor:
        """Inputs of a step, ``[pixel, size]`` float64.

        Args:
            pixels: ``[pixel]`` global ids.
            start: of the step (days since 1970-01-01).
            unusual: ``[pixel, driver]`` departures from the climatology.
        """
        if not self.calendar:
            return unusual / UNUSUAL
        season = season_basis(start, HARMONICS)[1:].to(unusual).expand(len(pixels), -1)
        latitude = unusual.new_full((len(pixels),), LATITUDE)
        if len(self.latitude):
            latitude = self.latitude[rows_of(self.pixels, pixels)]
        latitude = torch.maximum(torch.minimum(latitude, self.met[1]), self.met[0])
        hours = day_length(latitude, unusual.new_full((1,), start))[0]
        parts = [season, ((hours - HALF_DAY) / HOURS)[:, None], unusual / UNUSUAL]
        return torch.cat(parts, -1)

    def forget(self) -> None:
        """Take latitudes as they are: those that another fit has met do not bound a new one."""
        self.met.copy_(self.met.new_tensor(UNMET))

    def meet(self, longest: float) -> None:
        """Keep what a fit has met: its latitudes, and the longest time without a look (days)."""
        known = self.latitude if len(self.latitude) else self.met.new_full((1,), LATITUDE)
        self.met.copy_(torch.stack([known.min(), known.max(), self.met.new_tensor(longest)]))

    def unmet(self, longest: float, places: Tensor | None = None) -> dict[str, str]:
        """What a run asks for beyond that, in words: ``latitude`` and ``gap``, as far as it does.

        Args:
            longest: time without a look, and forecast after it (days).
            places: ``[pixel]`` degrees north of its pixels, NaN where unknown, which count where no
                weather brings latitudes; but not for a fit that had no weather either.
        """
        south, north, days = self.met.tolist()
        found, known = {}, self.latitude
        if not self.calendar:  # nothing depends on latitude
            known, places = known[:0], None
        if not len(known) and places is not None and not south == north == LATITUDE:
            known = places.to(known)
        outside = ((known < south - NEAR) | (known > north + NEAR)).sum()
        if bool(outside):
            found["latitude"] = (
                f"{int(outside)} pixels lie outside of the latitudes from {south:.1f} to "
                f"{north:.1f} that the forecaster was fitted at: their days are as long as there"
            )
        if longest > days:
            found["gap"] = (
                f"up to {longest:.0f} days lie between a look and what is forecast from it, more "
                f"than the {days:.0f} of the fit: the network goes on within its bounds"
            )
        return found
