r"""What no canopy of the physical model explains of a series: a smooth, slow factor of reflectance.

The decoder of an encoder is the physical simulator plus a discrepancy,

    y = H(z) (1 + SCALE sum_k d_k phi_k(wavelength)) + e,    phi_0 = 1,  phi_k = cos(pi k u),
    u = log(w / 400) / log(2500 / 400),                      d ~ N(0, I),  e ~ N(0, R)

Rows, clumps, slopes, other leaves and soils, and gains change neighbouring channels alike and stay
from date to date, so ten dates of ten channels say of them what a few numbers say, not a hundred.
Taken for white noise of R they make a posterior of z that is too narrow and wrong; as coordinates d
behind those of the state they are found with z, and where the data cannot tell one from the other,
the joint posterior keeps both wide. The covariance of the factor between two wavelengths is
SCALE^2 sum_k phi_k phi_k'. Where d is simulated, half of its variance stays for good and half turns
with the year,

    d(t) = (a + b cos(2 pi t / year) + c sin(2 pi t / year)) / sqrt 2,       a, b, c ~ N(0, I)

so cov(d(s), d(t)) = (1 + cos(2 pi (t - s) / year)) / 2 I. Shapes: coordinates ``[..., V + K]``.

References: Kennedy and O'Hagan (2001), J. R. Stat. Soc. B 63, 425-464 (discrepancy as part of the
model); Brynjarsdottir and O'Hagan (2014), Inverse Problems 30, 114007 (what its absence does to
physical parameters).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.representation.features import YEAR
from releo_da.representation.tokens import Bands
from releo_da.types import Acquisition, ObservationOperator

SCALE = 0.05
"""Standard deviation of each mode's share of reflectance."""


def modes_at(centres: Tensor, number: int) -> Tensor:
    """SCALE phi_k at wavelengths (nm), ``[channel] -> [mode, channel]``; 0 where there is none."""
    u = torch.log(centres / 400.0) / math.log(2500.0 / 400.0)
    k = torch.arange(number, dtype=centres.dtype, device=centres.device)[:, None]
    return torch.nan_to_num(SCALE * torch.cos(math.pi * k * u))


class Discrepancy:
    """H with the discrepancy, `releo_da.types.ObservationOperator`.

    Args:
        observe: H on the coordinates of the state.
        bands: centres and widths (nm) of the channels of every sensor.
        variables: V; what follows on the last axis of an ensemble are modes. Without any it is H.
    """

    def __init__(self, observe: ObservationOperator, bands: Bands, variables: int) -> None:
        self.observe, self.variables = observe, variables
        self.centres = {
            sensor: torch.tensor(list(centres), dtype=torch.float64)
            for sensor, (centres, _) in bands.items()
        }

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H (1 + discrepancy) of every member, ``[pixel, member, channel]``."""
        z, d = ensemble[..., : self.variables], ensemble[..., self.variables :]
        exact = self.observe(z, acquisition)
        if not d.shape[-1]:
            return exact
        shapes = modes_at(self.centres[acquisition.sensor], d.shape[-1])
        return exact * (1.0 + d @ shapes.to(d))


def drawn(times: Tensor, pixels: int, number: int, source: torch.Generator) -> Tensor:
    """Draws of the modes through time, ``[pixel, date, mode]`` float64.

    Args:
        times: ``[date]`` days.
        pixels: number of series.
        number: of modes.
        source: of all randomness.
    """
    shape = (3, pixels, 1, number)
    stays, one, other = torch.randn(shape, generator=source, dtype=torch.float64)
    phase = (2.0 * math.pi / YEAR) * times.double()[:, None]
    return (stays + one * torch.cos(phase) + other * torch.sin(phase)) / math.sqrt(2.0)
