r"""The hybrid forecaster: a season, a process about it, and what weather does to that process.

    z(t) = m(t) + x(t) + ...                          of `releo_da.dynamics.mean_reverting`
    dx   = (its own return to 0) dt + beta phi(t) dt + its own noise

with phi the departures of growth, senescence and wetness of the topsoil from the climatology of the
site (`releo_da.dynamics.forcing`). The seasonal mean keeps its meaning: in the weather that a day
of the year usually has, this is the mean-reverting forecaster, and so it is, number for number,
with a strength of 0, without weather, and on days that the weather does not cover.

What a driver does to a variable per unit, beta = sign * strength * exp(log_response), is fitted
with the rest and cannot change its sign: growth adds leaf area, senescence takes it and turns
leaves brown, rain wets the soil. The strength is a setting, no parameter. Slow differences between
places in level and timing are those of `releo_da.dynamics.own_season`.

Cost beside the mean-reverting forecaster: days of the interval times sites, and one addition per
member. The transition and its noise are unchanged, so smoothers and backgrounds are those of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from releo_da.dynamics.forcing import DRIVERS, Forcing, forcing, responses
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.unheard import heard
from releo_da.dynamics.weather import rows_of
from releo_da.types import Noise, State, Weather

MODEL = "growth_water 1"
"""What the responses were fitted for; written beside weights. Change it with the equations."""

EFFECTS = {
    ("growth", "lai"): 0.03,
    ("senescence", "lai"): -0.03,
    ("senescence", "cab"): -0.03,
    ("senescence", "cbrown"): 0.03,
    ("wetness", "soil_moisture"): 1.0,
}
"""Which driver moves which variable, and by how much before fitting: prior standard deviations per
day of the greatest growth or of its death, and per topsoil that goes from dry to full."""


class Hybrid(nn.Module):
    """The mean-reverting forecaster under weather.

    Args:
        season: what carries the state without weather.
        weather: bound to the pixels of the run; None for the season alone.
        strength: factor of all effects of weather; 0 switches them off.

    Raises:
        InputError: the weather has no temperature or is too short.
    """

    sign: Tensor
    driver: Tensor
    moved: Tensor
    departures: Tensor | None
    pixels: Tensor
    site: Tensor
    weight: Tensor

    def __init__(
        self, season: MeanReverting, weather: Weather | None = None, strength: float = 1.0
    ) -> None:
        super().__init__()
        self.base, self.layout, self.strength = season, season.layout, strength
        self.meaning = {"physics": MODEL}
        names = season.layout.names
        effects = {pair: start for pair, start in EFFECTS.items() if pair[1] in names}
        starts = torch.tensor(list(effects.values()), dtype=torch.float64)
        self.log_response = nn.Parameter(starts.abs().log())
        self.register_buffer("sign", starts.sign(), persistent=False)
        drivers = torch.tensor([DRIVERS.index(d) for d, _ in effects], dtype=torch.int64)
        moved = torch.tensor([names.index(v) for _, v in effects], dtype=torch.int64)
        self.register_buffer("driver", drivers, persistent=False)
        self.register_buffer("moved", moved, persistent=False)
        held = None if weather is None else forcing(weather)
        self.first = 0 if held is None else held.first
        for name in Forcing._fields[1:]:
            part = None if held is None else getattr(held, name)
            self.register_buffer(name, part, persistent=False)

    def mean(self, time: float) -> Tensor:
        """Mean of every latent at a time in the usual weather, ``[latent]`` float64."""
        return self.base.mean(time)

    def transition(self, interval: float) -> tuple[Tensor, Tensor]:
        """F and Q over an interval (days), ``[latent, latent]``."""
        return self.base.transition(interval)

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """The ensemble before any observation: that of the season, whatever the weather was."""
        return self.base.initial(time, pixels, members, noise)

    def forward(self, state: State, time: float, noise: Noise) -> State:
        """Carry a state to ``time``; a time equal to the state's returns it unchanged."""
        carried: State = self.base(state, time, noise)
        if self.departures is None or self.strength == 0.0 or time == state.time:
            return carried
        added = heard(state) * self.push(state.pixels, state.time, time)
        return carried._replace(ensemble=carried.ensemble + added[:, None].to(carried.ensemble))

    def unusual(self, pixels: Tensor, start: float, end: float) -> Tensor:
        """Mean departure of each driver between two dates, ``[pixel, driver]`` float64.

        0 where the weather is not known; every day that is touched counts alike.

        Raises:
            InputError: the weather is not bound to a pixel.
        """
        held, first, last = self._days(start, end)
        if held is None or first >= last:
            return self.log_response.new_zeros((len(pixels), len(DRIVERS)))
        row = rows_of(self.pixels, pixels)
        sites = held[first - self.first : last - self.first].mean(0)
        return (sites[self.site[row]] * self.weight[row][..., None]).sum(1)

    def push(self, pixels: Tensor, start: float, end: float) -> Tensor:
        """What the weather between two dates adds to every latent, ``[pixel, latent]`` float64.

        Raises:
            InputError: the weather is not bound to a pixel.
        """
        v, second = len(self.layout.names), self.layout.velocities
        held, *days = self._days(start, end)
        if held is None or days[0] >= days[1]:
            return self.log_response.new_zeros((len(pixels), self.layout.size))
        row = rows_of(self.pixels, pixels)
        departures = held[days[0] - self.first : days[1] - self.first, :, self.driver]
        rate = self.base.log_rate.exp()[self.moved]
        beta = self.strength * self.sign * self.log_response.exp()
        left = torch.stack(responses(rate, (days[0], days[1]), start, end, second), -1)
        effects = torch.einsum("dse,dek,e->ske", departures, left, beta)
        sites = effects.new_zeros((effects.shape[0], self.layout.size))
        sites = sites.index_add(1, self.moved, effects[:, 0])
        if second:
            sites = sites.index_add(1, v + self.moved, effects[:, 1])
        return (sites[self.site[row]] * self.weight[row][..., None]).sum(1)

    def _days(self, start: float, end: float) -> tuple[Tensor | None, int, int]:
        """The record, and the first day and the one after the last that lie in it."""
        held = self.departures
        known = (self.first, self.first + (0 if held is None else len(held)))
        return held, max(math.floor(start), known[0]), min(math.ceil(end), known[1])
