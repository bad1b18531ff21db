"""Where each latent sits on the last axis of an ensemble.

    latent axis = [ position of V variables | velocity of V | rough part of V | residual of C ]

The unbounded coordinate of a variable (`releo_da.state.transforms`) is its position, plus its rough
part where the dynamics have one; velocities exist for second-order dynamics only. Residuals are
reflectances at C centre wavelengths: what the physical model cannot explain of a field (its soil,
its understorey, an adjacency effect), as state with an uncertainty of its own. Another sensor's
channel takes the residual of the nearest wavelength.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from releo_da.state.transforms import Anamorphosis
from releo_da.state.variables import variables


@dataclass(frozen=True)
class Layout:
    """The latent axis of a run.

    Attributes:
        names: the V variables that are estimated.
        fixed: variables held at a constant physical value.
        velocities: True where the dynamics keep a velocity per variable.
        knots: centre wavelengths (nm) of the C residual latents.
        rough: True where the dynamics add a first-order part per variable.
    """

    names: tuple[str, ...]
    fixed: Mapping[str, float] = field(default_factory=dict)
    velocities: bool = True
    knots: tuple[float, ...] = ()
    rough: bool = False

    @property
    def dynamic(self) -> int:
        """Number of latents of the variables, velocities and rough parts included."""
        return len(self.names) * (1 + self.velocities + self.rough)

    @property
    def size(self) -> int:
        """Number of latents."""
        return self.dynamic + len(self.knots)

    @cached_property
    def anamorphosis(self) -> Anamorphosis:
        """The transform of the estimated variables."""
        return Anamorphosis(list(variables(self.names).values()))

    def decode(self, ensemble: Tensor) -> dict[str, Tensor]:
        """Physical variables by name, each ``[..., ]`` for an ensemble ``[..., latent]``."""
        coordinates = ensemble[..., : len(self.names)]
        if self.rough:
            coordinates = coordinates + ensemble[..., self.dynamic - len(self.names) : self.dynamic]
        values = self.anamorphosis.decode(coordinates)
        decoded = dict(zip(self.names, values.unbind(-1), strict=True))
        for name, value in self.fixed.items():
            decoded[name] = values.new_full((), value).expand(values.shape[:-1])
        return decoded

    def residual(self, ensemble: Tensor) -> Tensor:
        """Residual reflectances at the knots, ``[..., C]``."""
        return ensemble[..., self.dynamic :]
