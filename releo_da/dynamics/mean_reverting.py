r"""The linear-Gaussian forecaster: a seasonal mean, a process about it, slow residuals.

With z the unbounded coordinates of the variables and m(t) a harmonic series of the day of year,

    z(t) = m(t) + x(t),    x  Matern-3/2, Ornstein-Uhlenbeck, or the sum of one of each; rates
                              lambda, deviations sigma, driving noises correlated by C
                              + the place's own season, slow waves of some variables
    r(t) = mu + e(t),      e  Ornstein-Uhlenbeck per channel: the slow residual of the physics

so one step is ``deviation' = deviation F' + noise chol(Q)'`` with F and Q exact for any interval
(`releo_da.dynamics.gauss_markov`, `releo_da.dynamics.own_season`). Shapes: ensemble
``[pixel, member, latent]`` in the order of `releo_da.state.layout.Layout`; F and Q
``[latent, latent]`` are shared by all pixels. Cost: one Cholesky per acquisition and a matrix
product per member.

Everything that is learned is a parameter of the module, fitted by the likelihood of innovations
(`releo_da.learning`). Without fitted weights it has the defaults below, which describe herbaceous
vegetation loosely.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from releo_da.dynamics.gauss_markov import (
    factor,
    matern_noise,
    matern_transition,
    ou_noise,
    ou_transition,
)
from releo_da.dynamics.own_season import own_transition, starting_shares
from releo_da.state.layout import Layout
from releo_da.state.prior import correlation
from releo_da.types import Noise, State

YEAR = 365.2425
"""Days."""

RESIDUAL_LENGTH = 200.0
"""Distance (nm) over which the correlation of residuals falls to 1/e before fitting."""


def season_basis(time: float, harmonics: int) -> Tensor:
    """1, cos(2 pi k t / year), sin(2 pi k t / year) for k = 1..harmonics, float64."""
    phase = 2.0 * math.pi * (time / YEAR)
    waves = [f(k * phase) for k in range(1, harmonics + 1) for f in (math.cos, math.sin)]
    return torch.tensor([1.0, *waves], dtype=torch.float64)


def correlation_factor(raw: Tensor) -> Tensor:
    """Lower factor of a correlation matrix from an unconstrained square matrix.

    Rows of the lower triangle with unit diagonal are scaled to norm 1, so any real matrix gives a
    correlation matrix (Pinheiro and Bates 1996, Stat. Comput. 6, section 2.2, up to the sphere).
    """
    lower = torch.tril(raw, -1) + torch.eye(len(raw), dtype=raw.dtype, device=raw.device)
    return lower / lower.norm(dim=1, keepdim=True)


def correlation_raw(matrix: Tensor) -> Tensor:
    """The inverse of `correlation_factor`."""
    lower = torch.linalg.cholesky(matrix)
    return lower / lower.diagonal()[:, None]


class MeanReverting(nn.Module):
    """Forecaster with exact transitions for any interval.

    Args:
        layout: the latent axis; ``layout.velocities`` selects Matern-3/2 (True) or OU (False).
        harmonics: number of harmonics of the seasonal mean.
        days: initial e-folding time of the variables (days); 1 / lambda.
        residual_days: initial e-folding time of the residuals.
        residual_sd: initial stationary deviation of the residuals (reflectance).
        own_years: e-folding time of the season of the place (years); it is not fitted, since a
            training period of a few years does not tell it.
    """

    def __init__(
        self,
        layout: Layout,
        harmonics: int = 2,
        days: float = 20.0,
        residual_days: float = 150.0,
        residual_sd: float = 0.015,
        own_years: float = 30.0,
    ) -> None:
        super().__init__()
        double = torch.float64
        v, c = len(layout.names), len(layout.knots)
        self.layout = layout
        self.harmonics = harmonics
        self.season = nn.Parameter(torch.zeros(1 + 2 * harmonics, v, dtype=double))
        self.log_rate = nn.Parameter(torch.full((v,), -math.log(days), dtype=double))
        self.log_sigma = nn.Parameter(torch.zeros(v, dtype=double))
        self.coupling = nn.Parameter(correlation_raw(correlation(layout.names)))
        if layout.rough:  # shares of the variance: 3/4 smooth, 1/4 rough
            self.log_sigma.data.fill_(0.5 * math.log(0.75))
            quarter = 0.5 * math.log(0.25)
            self.rough_log_sigma = nn.Parameter(torch.full((v,), quarter, dtype=double))
            self.rough_log_rate = nn.Parameter(torch.full((v,), -math.log(days), dtype=double))
        self.own_rate = 1.0 / (own_years * YEAR)
        if layout.placed:  # half of the variance of these variables; residuals as large again
            half = 0.5 * math.log(0.5)
            scale = [half] * len(layout.own)
            scale += [math.log(residual_sd)] * (layout.placed - len(layout.own))
            shares = starting_shares(layout.own_harmonics).log() / 2.0
            self.own_log_sigma = nn.Parameter(shares[:, None] + torch.tensor(scale, dtype=double))
            for name in layout.own:
                self.log_sigma.data[layout.names.index(name)] += half
                if layout.rough:
                    self.rough_log_sigma.data[layout.names.index(name)] += half
        self.residual_mean = nn.Parameter(torch.zeros(c, dtype=double))
        slow, small = -math.log(residual_days), math.log(residual_sd)
        self.residual_log_rate = nn.Parameter(torch.full((c,), slow, dtype=double))
        self.residual_log_sigma = nn.Parameter(torch.full((c,), small, dtype=double))
        knots = torch.tensor(layout.knots, dtype=double)
        nearness = torch.exp(-(knots[:, None] - knots).abs() / RESIDUAL_LENGTH)
        together = 0.9 * nearness + 0.1 * torch.eye(c, dtype=double)
        self.residual_coupling = nn.Parameter(correlation_raw(together))

    def mean(self, time: float) -> Tensor:
        """Mean of every latent at a time, ``[latent]`` float64; velocities are about the mean."""
        seasonal = season_basis(time, self.harmonics).to(self.season.device) @ self.season
        still = seasonal.new_zeros(self.layout.dynamic - len(seasonal))
        return torch.cat([seasonal, still, self.residual_mean])

    def transition(self, interval: float) -> tuple[Tensor, Tensor]:
        """Transition F and noise covariance Q over an interval (days), ``[latent, latent]``."""
        second = self.layout.velocities
        moves = matern_transition if second else ou_transition
        noises = matern_noise if second else ou_noise
        rate, slow = self.log_rate.exp(), self.residual_log_rate.exp()
        lower = correlation_factor(self.coupling)
        slow_lower = correlation_factor(self.residual_coupling)
        together = lower @ lower.T
        f = [moves(rate, interval)]
        q = [noises(rate, self.log_sigma.exp(), together, interval)]
        if self.layout.rough:
            fast = self.rough_log_rate.exp()
            f.append(ou_transition(fast, interval))
            q.append(ou_noise(fast, self.rough_log_sigma.exp(), together, interval))
        if self.layout.placed:
            own_f, own_q = own_transition(self.own_log_sigma, self.own_rate, YEAR, interval)
            f.append(own_f)
            q.append(own_q)
        f.append(ou_transition(slow, interval))
        own = slow_lower @ slow_lower.T
        q.append(ou_noise(slow, self.residual_log_sigma.exp(), own, interval))
        return torch.block_diag(*f), torch.block_diag(*q)

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """A draw of the stationary distribution at a time: the ensemble before any observation."""
        _, covariance = self.transition(math.inf)
        drawn = centred(noise((len(pixels), members, self.layout.size)))
        ensemble = self.mean(time).to(drawn) + drawn @ factor(covariance).T.to(drawn)
        return State(time, ensemble, pixels, {})

    def forward(self, state: State, time: float, noise: Noise) -> State:
        """Carry a state to ``time``; a time equal to the state's returns it unchanged."""
        interval = time - state.time
        if interval < 0.0:
            raise ValueError(f"cannot forecast back in time, from {state.time} to {time}")
        if interval == 0.0:
            return state
        f, q = self.transition(interval)
        ensemble = state.ensemble
        drawn = centred(noise(ensemble.shape))
        deviation = ensemble - self.mean(state.time).to(ensemble)
        moved = deviation @ f.T.to(ensemble) + drawn @ factor(q).T.to(ensemble)
        return state._replace(time=time, ensemble=self.mean(time).to(ensemble) + moved)


def centred(noise: Tensor) -> Tensor:
    """Noise with zero mean over members and unit expected variance: the mean moves exactly.

    A single member has no others to be centred among, and its noise may be what is estimated
    (`releo_da.cycling.controlled`): it stays what it is.
    """
    members = noise.shape[1]
    if members == 1:
        return noise
    return (noise - noise.mean(1, keepdim=True)) * math.sqrt(members / (members - 1))
