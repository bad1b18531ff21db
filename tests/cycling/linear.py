"""A linear-Gaussian system and its textbook smoother, for windows and smoothers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from releo_da.types import Acquisition, Noise, Scheme, State, System

DOUBLE = torch.float64


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def draws(time: float, stage: str) -> Noise:
    """Draws that depend on time and stage, as those of a run do."""
    rng = torch.Generator().manual_seed(int(1000 * time) + sum(map(ord, stage)))
    return lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE)


@dataclass
class Linear:
    """x <- F x + q e once per unit of time, every channel a mixture of latents.

    Attributes:
        latents, channels: sizes.
        q: standard deviation of the model error of a step.
    """

    latents: int = 3
    channels: int = 2
    pixels: int = 2
    times: Sequence[float] = (1.0, 3.0, 4.0)
    q: float = 0.0
    f: Tensor = field(init=False)
    h: Tensor = field(init=False)
    acquisitions: list[Acquisition] = field(init=False)

    def __post_init__(self) -> None:
        self.f = 0.9 * torch.eye(self.latents, dtype=DOUBLE)
        self.f += 0.2 * randn(self.latents, self.latents, seed=1)
        self.h = randn(self.latents, self.channels, seed=2)
        angles = torch.zeros(self.pixels, 3, dtype=DOUBLE)
        self.acquisitions = []
        for k, time in enumerate(self.times):
            values = randn(self.pixels, self.channels, seed=10 + k)
            error = torch.exp(0.3 * randn(self.pixels, self.channels, seed=20 + k))
            self.acquisitions.append(Acquisition(time, "linear", values, error, angles))
        self.acquisitions[0].error[0, 1] = torch.inf

    def prior(self, members: int) -> State:
        mixing = torch.eye(self.latents, dtype=DOUBLE) + 0.3 * randn(
            self.latents, self.latents, seed=3
        )
        ensemble = randn(self.pixels, members, self.latents, seed=4) @ mixing + 0.5
        return State(0.0, ensemble, torch.arange(self.pixels), {})

    def forecast(self, state: State, time: float, noise: Noise) -> State:
        ensemble = state.ensemble
        for _ in range(round(time - state.time)):
            ensemble = ensemble @ self.f.T
            if self.q:
                ensemble = ensemble + self.q * noise(ensemble.shape)
        return state._replace(time=time, ensemble=ensemble)

    def observe(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        return ensemble @ self.h[:, : acquisition.values.shape[-1]]

    def system(self, scheme: Scheme) -> System:
        return System(self.forecast, self.observe, scheme)

    def smoothed(self, state: State, pixel: int) -> tuple[Tensor, Tensor]:
        """Mean and covariance of the whole trajectory given all values, by one regression.

        Times 0, 1, .., the last, side by side: ``[time * latent]``. The oracle writes the joint
        Gaussian of the trajectory and the seen values down and conditions it, with inverses.
        """
        steps = round(self.times[-1])
        mean, cov = state.mean[pixel], torch.atleast_2d(state.ensemble[pixel].T.cov())
        moves = [(self.f, self.q**2 * torch.eye(self.latents, dtype=DOUBLE))] * steps
        moments_before = trajectory(mean, cov, moves)
        rows = []
        for a in self.acquisitions:
            row = torch.zeros(self.channels, len(moments_before[0]), dtype=DOUBLE)
            start = round(a.time) * self.latents
            row[:, start : start + self.latents] = self.h.T
            rows.append(row)
        return conditioned(moments_before, rows, self.acquisitions, pixel)

    def at(self, time: float, smoothed: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """One time of `smoothed`."""
        part = slice(round(time) * self.latents, (round(time) + 1) * self.latents)
        return smoothed[0][part], smoothed[1][part, part]


def trajectory(
    mean: Tensor, covariance: Tensor, moves: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_0, x_1, .. side by side, with x <- F x + N(0, Q) for each (F, Q)."""
    n, times = len(mean), len(moves) + 1
    maps = torch.eye(times * n, dtype=DOUBLE)
    for late in range(1, times):
        before, now = slice((late - 1) * n, late * n), slice(late * n, (late + 1) * n)
        maps[now, : late * n] = moves[late - 1][0] @ maps[before, : late * n]
    joint = maps @ torch.block_diag(covariance, *(q for _, q in moves)) @ maps.T
    return maps[:, :n] @ mean, joint


def conditioned(
    before: tuple[Tensor, Tensor],
    rows: Sequence[Tensor],
    acquisitions: Sequence[Acquisition],
    pixel: int,
) -> tuple[Tensor, Tensor]:
    """Mean and covariance given the seen values; ``rows`` has H of each acquisition."""
    means, joint = before
    seen = torch.cat([a.seen[pixel] for a in acquisitions])
    h = torch.cat(list(rows))[seen]
    y = torch.cat([a.values[pixel] for a in acquisitions])[seen]
    r = torch.diag(torch.cat([a.error[pixel] for a in acquisitions])[seen] ** 2)
    gain = joint @ h.T @ torch.linalg.inv(h @ joint @ h.T + r)
    return means + gain @ (y - h @ means), joint - gain @ h @ joint


def moments(ensemble: Tensor, pixel: int) -> tuple[Tensor, Tensor]:
    return ensemble[pixel].mean(0), torch.atleast_2d(ensemble[pixel].T.cov())
