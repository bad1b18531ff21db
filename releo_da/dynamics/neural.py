r"""The learned forecaster: a stochastic differential equation of physics and a small network.

Inside is the forecaster `releo_da.dynamics.hybrid`, as it is: a season m(t), processes x about it
that return at rates lambda with deviations sigma, seasons of places, residuals, and weather. About
it, per pixel and member,

    z = m(t + tau) + x + ...                 tau: how late the place is (days), a slow latent
    dx = linear part of the base about sigma f(u)     f: where the process returns to
         + exp(g(u)) (noise of the base)              g: how much noise enters, by variable
         + exp(v) (weather of the base)               v: how much the place makes of weather
    dh = -(h - m(u)) / T dt + (2/T)^1/2 dW            h: memory, M latents that no sensor sees
    u  = (z, velocities, h, tau, v, season of the place, harmonics of the day, day length,
          unusual weather)                            the date only with ``calendar``

f, g and m are bounded (`releo_da.dynamics.network`). For a process of first order the drift that f
adds is lambda sigma f; for one with a velocity the same is an acceleration. With f = g = 0 and
without slow latents the moments are those of the base, whatever the interval.

**Steps** end on days of the calendar (`releo_da.dynamics.calendar_steps`). In each f, g, m, v are
held at what they were, and the linear equation that is left has the exact solution (exponential
Euler)

    x(t + dt) = s + F (x - s) + diag(exp(g)) chol(Q) e,     s = (sigma f, 0, ..); F, Q of the base

so a date that is asked for in between changes the moments of what follows by O(step), and only by
what the network does. A longer interval is more steps of the same kind: the time of the loop is
continuous, no series has to be regular.

Slow latents are standard normal with an e-folding time of years, and scales that are learned, in
days and in logarithms. Shapes: ensemble ``[pixel, member, latent]`` in the order of `Layout`. Cost
per step: that of the base and a network of some ten thousand multiplications per member; one draw
of noise. The network is evaluated in the dtype of the ensemble.

`Neural.transition` is that of the base with the slow latents and memory beside: the part that is
linear. It serves a static covariance. It does not serve a smoother, which would take the motion
that the network made for noise: its gain comes from ensembles (docs/learned-forecaster.md).

References: Chen, Sanz-Alonso and Willett (2022), SIAM J. Math. Data Sci. 4, 801-833 (learning
through the filter); Hochbruck and Ostermann (2010), Acta Numerica 19, 209-286 (exponential
integrators); Rackauckas et al. (2020), arXiv:2001.04385 (equations with a network in them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from releo_da.dynamics.calendar_steps import carried
from releo_da.dynamics.gauss_markov import factor
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import YEAR, centred
from releo_da.dynamics.network import Network, of_latents
from releo_da.dynamics.own_season import standing
from releo_da.dynamics.slow import SLOW, scaled, seasons
from releo_da.dynamics.surroundings import Surroundings
from releo_da.dynamics.unheard import heard
from releo_da.state.layout import Layout
from releo_da.types import Noise, State, Weather

MODEL = "neural 1"
"""What weights were fitted for, beside the physics; change it with the equations."""

OF_PLACE = "neural 2"
"""The same where places have a season of their own, which the network hears."""

SEED = 20100
"""Of the weights that do not start at 0."""


class Neural(nn.Module):
    """A base forecaster with a network beside it.

    Args:
        base: of the latents that sensors see.
        weather: the record that the base is moved by; here its latitudes count.
        slow: of `SLOW`, what differs between places.
        slow_years: e-folding time of these (years), not fitted.
        memory: M, number of memory latents.
        memory_days: e-folding time of memory (days) before fitting.
        drift: whether f is learned.
        diffusion: whether g is.
        hidden: width of the network.
        looseness: prior standard deviation of the weights of f and g.
        step: longest step (days).
        calendar: whether the network hears the day of the year and its length.
    """

    def __init__(
        self,
        base: Hybrid,
        weather: Weather | None = None,
        slow: tuple[str, ...] = (),
        slow_years: float = 1.0,
        memory: int = 4,
        memory_days: float = 60.0,
        drift: bool = True,
        diffusion: bool = True,
        hidden: int = 24,
        looseness: float = 0.1,
        step: float = 5.0,
        calendar: bool = True,
    ) -> None:
        super().__init__()
        double = torch.float64
        self.base, self.step = base, step
        self.layout: Layout = replace(base.layout, slow=slow, memory=memory)
        network = OF_PLACE if self.layout.seasonal else MODEL
        self.meaning = {**base.meaning, "network": network, "calendar": str(calendar)}
        self.slow_rate = 1.0 / (slow_years * YEAR)
        self.slow_log_scale = nn.Parameter(torch.tensor([SLOW[n] for n in slow], dtype=double))
        start = torch.full((memory,), -math.log(memory_days), dtype=double)
        self.memory_log_rate = nn.Parameter(start)
        v = len(self.layout.names)
        self.around = Surroundings(weather, calendar)
        inputs = v * (1 + self.layout.velocities) + len(slow) + memory + self.around.size
        inputs += self.layout.seasonal
        generator = torch.Generator().manual_seed(SEED)
        self.network = Network(
            inputs, v * drift, v * diffusion, memory, hidden, looseness, generator
        )

    @property
    def parts(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """What is learned of the physics, and what is learned beside it."""
        physics = list(self.base.parameters())
        inside = set(map(id, physics))
        return physics, [p for p in self.parameters() if id(p) not in inside]

    def mean(self, time: float) -> Tensor:
        """Mean of every latent of a place of the usual timing, ``[latent]`` float64."""
        return pad(self.base.mean(time), (0, self.layout.size - self.layout.seen))

    def transition(self, interval: float) -> tuple[Tensor, Tensor]:
        """F and Q of the linear part over an interval (days), ``[latent, latent]``."""
        f, q = self.base.transition(interval)
        kept = self._kept(interval)
        spread = 1.0 - kept.square()
        return torch.block_diag(f, torch.diag(kept)), torch.block_diag(q, torch.diag(spread))

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """The ensemble before any observation: that of the base, each member of its timing."""
        state = self.base.initial(time, pixels, members, noise)
        seen, added = state.ensemble, self.layout.size - self.layout.seen
        hidden = centred(noise((len(pixels), members, added))).to(seen)
        late = self._mean(time, hidden) - self.base.mean(time).to(seen)
        return state._replace(ensemble=torch.cat([seen + late, hidden], -1))

    def forward(self, state: State, time: float, noise: Noise) -> State:
        """Carry a state to ``time``; a time equal to the state's returns it unchanged."""
        return self.along(state, [time], noise)[0]

    def along(self, state: State, times: Sequence[float], noise: Noise) -> list[State]:
        """States at several later times, in order: each as if it alone had been asked for.

        They have the steps in common that end on days of the calendar, and their noise.

        Raises:
            ValueError: a time lies before the one before it, or before the state.
        """
        for before, time in pairwise((state.time, *times)):
            if time < before:
                raise ValueError(f"cannot forecast back in time, from {before} to {time}")
        linear: dict[float, tuple[Tensor, Tensor]] = {}
        counts = heard(state)

        def stepped(ensemble: Tensor, start: float, end: float, drawn: Tensor) -> Tensor:
            length = round(end - start, 9)
            if length not in linear:
                f, q = self.base.transition(length)
                linear[length] = f.T.to(ensemble), factor(q).T.to(ensemble)
            return self._stepped(ensemble, state.pixels, counts, start, end, linear[length], drawn)

        found = carried(state.ensemble, state.time, times, self.step, stepped, noise)
        return [state._replace(time=t, ensemble=e) for t, e in zip(times, found, strict=True)]

    def _stepped(
        self,
        ensemble: Tensor,
        pixels: Tensor,
        counts: Tensor,
        start: float,
        end: float,
        linear: tuple[Tensor, Tensor],
        drawn: Tensor,
    ) -> Tensor:
        """One step, everything but the linear equation held at its start."""
        v, seen = len(self.layout.names), self.layout.seen
        x, hidden = ensemble[..., :seen], ensemble[..., seen:]
        drawn = centred(drawn)
        f, g, recalled = self.network(self._inputs(ensemble, pixels, counts, start, end))
        transposed, root = linear
        entering = drawn[..., :seen] @ root
        if g.shape[-1]:
            entering = of_latents(g.exp(), self.layout) * entering
        about = x - self._mean(start, hidden)
        if f.shape[-1]:
            target = self.base.base.log_sigma.exp().to(f) * f
            about = about - pad(target, (0, seen - v))
            moved = about @ transposed + entering + pad(target, (0, seen - v))
        else:
            moved = about @ transposed + entering
        if self.base.departures is not None and self.base.strength > 0.0:
            pushed = (counts * self.base.push(pixels, start, end))[:, None].to(x)
            moved = moved + self._slow(hidden, "vigour").exp()[..., None] * pushed
        kept = self._kept(end - start).to(hidden)
        returning = pad(recalled, (len(self.layout.slow), 0))
        spread = (1.0 - kept.square()).sqrt()
        hidden = returning + kept * (hidden - returning) + spread * drawn[..., seen:]
        return torch.cat([self._mean(end, hidden) + moved, hidden], -1)

    def _inputs(
        self, ensemble: Tensor, pixels: Tensor, counts: Tensor, start: float, end: float
    ) -> Tensor:
        """u, ``[pixel, member, input]``."""
        v, seen = len(self.layout.names), self.layout.seen
        parts = [self.layout.coordinates(ensemble)]
        if self.layout.velocities:
            parts.append(ensemble[..., v : 2 * v])
        if self.layout.seasonal:
            waves = ensemble[..., self.layout.dynamic - self.layout.seasonal : self.layout.dynamic]
            parts.append(standing(waves, self.base.base.own_log_sigma, YEAR, start))
        unusual = counts * self.base.unusual(pixels, start, end) * (self.base.strength > 0.0)
        around = self.around(pixels, start, unusual).to(ensemble)[:, None]
        return torch.cat([*parts, ensemble[..., seen:], around.expand(*ensemble.shape[:2], -1)], -1)

    def _mean(self, time: float, hidden: Tensor) -> Tensor:
        """Mean of what sensors see, of members by their timing; ``[latent]`` where none has one."""
        usual = self.base.mean(time).to(hidden)
        if "timing" not in self.layout.slow:
            return usual
        variables = seasons(self.base.base.season.to(hidden), time, self._slow(hidden, "timing"))
        rest = usual[len(self.layout.names) :].expand(*hidden.shape[:-1], -1)
        return torch.cat([variables, rest], -1)

    def _slow(self, hidden: Tensor, name: str) -> Tensor:
        """A slow latent in its unit, ``[pixel, member]``; 0 where there is none."""
        return scaled(hidden, self.layout.slow, self.slow_log_scale, name)

    def _kept(self, interval: float) -> Tensor:
        """What is left of slow latents and memory after an interval, ``[latent]`` float64."""
        slow = torch.full_like(self.slow_log_scale, self.slow_rate)
        rate = torch.cat([slow, self.memory_log_rate.exp()])
        return torch.exp(-rate * interval)
