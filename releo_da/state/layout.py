"""Where each latent sits on the last axis of an ensemble.

    latent axis = [ position of V variables | velocity of V | rough part of V
                    | season of the place, 1 + 2 K waves of P variables and residuals
                    | residual of C | slow parameters | memory of M ]

The unbounded coordinate of a variable (`releo_da.state.transforms`) is its position, plus its rough
part and what the place adds to the season (`releo_da.dynamics.own_season`) where the dynamics have
them; velocities exist for second-order dynamics only. Residuals are reflectances at C centre
wavelengths: what the physical model cannot explain of a field (its soil, its understorey, an
adjacency effect), as state with an uncertainty of its own, and a season of the place if wanted.
Another sensor's channel takes the residual of the nearest wavelength. Slow parameters of a pixel
and memory belong to learned dynamics (`releo_da.dynamics.neural`) and are seen by no sensor. Biases
of sensors, where a run estimates them, come after all of these (`releo_da.state.bias`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from releo_da.state.transforms import Anamorphosis
from releo_da.state.variables import variables

RESIDUAL = "residual"
"""Stands for the residuals of all channels in a list of variables."""


@dataclass(frozen=True)
class Layout:
    """The latent axis of a run.

    Attributes:
        names: the V variables that are estimated.
        fixed: variables held at a constant physical value.
        velocities: True where the dynamics keep a velocity per variable.
        knots: centre wavelengths (nm) of the C residual latents.
        rough: True where the dynamics add a first-order part per variable.
        own: variables, of ``names``, with a season of the place.
        own_harmonics: K, harmonics of that season.
        own_residual: True where residuals have one too.
        priors: mean and sd of the normals that are truncated, where they are not the table's.
        slow: parameters of the dynamics that differ between pixels, as latents.
        memory: M, latents that dynamics keep for themselves.
    """

    names: tuple[str, ...]
    fixed: Mapping[str, float] = field(default_factory=dict)
    velocities: bool = True
    knots: tuple[float, ...] = ()
    rough: bool = False
    own: tuple[str, ...] = ()
    own_harmonics: int = 0
    own_residual: bool = False
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    slow: tuple[str, ...] = ()
    memory: int = 0

    @property
    def placed(self) -> int:
        """P, number of variables and residuals with a season of the place."""
        return len(self.own) + self.own_residual * len(self.knots)

    @property
    def seasonal(self) -> int:
        """Number of latents of the season of the place."""
        return self.placed * (1 + 2 * self.own_harmonics)

    @property
    def dynamic(self) -> int:
        """Number of latents of the variables."""
        return len(self.names) * (1 + self.velocities + self.rough) + self.seasonal

    @property
    def seen(self) -> int:
        """Number of latents that sensors see: variables and residuals."""
        return self.dynamic + len(self.knots)

    @property
    def size(self) -> int:
        """Number of latents."""
        return self.seen + len(self.slow) + self.memory

    @cached_property
    def latents(self) -> tuple[str, ...]:
        """What each latent is, in their order: two states with other names are not alike."""
        names, residual = self.names, tuple(f"residual at {knot:g} nm" for knot in self.knots)
        parts = [*names]
        parts += [f"velocity of {name}" for name in names if self.velocities]
        parts += [f"rough part of {name}" for name in names if self.rough]
        placed = (*self.own, *(residual if self.own_residual else ()))
        waves = range(1 + 2 * self.own_harmonics)
        parts += [f"own season of {name}, term {wave}" for wave in waves for name in placed]
        return (*parts, *residual, *self.slow, *(f"memory {k + 1}" for k in range(self.memory)))

    @cached_property
    def anamorphosis(self) -> Anamorphosis:
        """The transform of the estimated variables."""
        table = variables(self.names)
        for name, (mean, sd) in self.priors.items():
            table[name] = replace(table[name], mean=mean, sd=sd)
        return Anamorphosis(list(table.values()))

    def coordinates(self, ensemble: Tensor) -> Tensor:
        """Unbounded coordinates of the variables, ``[..., V]``, all of their parts together."""
        coordinates = ensemble[..., : len(self.names)]
        start = self.dynamic - self.seasonal
        if self.rough:
            coordinates = coordinates + ensemble[..., start - len(self.names) : start]
        if self.own:
            added = self.of_place(ensemble)[..., : len(self.own)]
            place = torch.tensor([self.names.index(name) for name in self.own])
            coordinates = coordinates.index_add(-1, place.to(added.device), added)
        return coordinates

    def decode(self, ensemble: Tensor) -> dict[str, Tensor]:
        """Physical variables by name, each ``[..., ]`` for an ensemble ``[..., latent]``."""
        values = self.anamorphosis.decode(self.coordinates(ensemble))
        decoded = dict(zip(self.names, values.unbind(-1), strict=True))
        for name, value in self.fixed.items():
            decoded[name] = values.new_full((), value).expand(values.shape[:-1])
        return decoded

    def residual(self, ensemble: Tensor) -> Tensor:
        """Residual reflectances at the knots, ``[..., C]``."""
        residual = ensemble[..., self.dynamic : self.seen]
        if not self.own_residual:
            return residual
        return residual + self.of_place(ensemble)[..., len(self.own) :]

    def of_place(self, ensemble: Tensor) -> Tensor:
        """What the season of the place adds: variables, then residuals, ``[..., P]``."""
        waves = ensemble[..., self.dynamic - self.seasonal : self.dynamic]
        waves = waves.unflatten(-1, (1 + 2 * self.own_harmonics, self.placed))
        return waves[..., 0, :] + waves[..., 1::2, :].sum(-2)  # the b of a pair adds nothing
