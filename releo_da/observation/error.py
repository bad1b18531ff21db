r"""Observation error R: instrument, representativeness and operator, per channel.

    R = instrument^2 + representativeness^2 + operator^2

The instrument's part is read with the data (`releo_da.sensors`). Representativeness is what a
channel's value varies by from date to date for reasons that no state carries: residual atmosphere
and haze, adjacency, registration. It is a standard deviation per knot wavelength, learned with the
dynamics by the likelihood of innovations; a channel takes that of the knot nearest to its band. The
operator's part is the error of the band rule (`releo_da.observation.quadrature`) or of the emulator
(`releo_da.observation.emulator`); what was seen under angles for which the operator was not made
gets an infinite error, as if it had not been seen.

An index of two bands takes the representativeness of both by propagation of error,

    representativeness^2 = sum_b E[(d index / d r_b)^2] representativeness_b^2,

the expectation over canopies of all kinds, since the reflectances themselves are not observed: with
NDVI 0.01 of each band comes to 0.06.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from releo_da.observation.prosail import nearest_knots
from releo_da.observation.quadrature import CHECK_DRAWS, drawn
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import combine
from releo_da.types import Acquisition, InputError


def gain_moments(sensor: str, channels: tuple[str, ...]) -> Tensor | None:
    """Mean products of the derivatives of channels by bands, ``[channel, band, band]``.

    None where every channel is a band.
    """
    described = load_sensor(sensor)
    rows, parts = described.behind(channels)
    if not any(described.are_indices(channels)):
        return None
    bands = drawn("ranges", CHECK_DRAWS, 1) @ described.response[list(rows)].T
    derivatives = vmap(jacrev(lambda r: combine(r, parts)))(bands)
    return torch.einsum("dci,dcj->cij", derivatives, derivatives) / len(derivatives)


class ObservationError(nn.Module):
    """Adds representativeness and the operator's error to an acquisition's instrument error.

    Acquisitions of sensors that are not among its channels carry their whole error already.

    Args:
        channels: for each sensor, the channels in the order of its acquisitions.
        knots: centre wavelengths (nm) at which representativeness is defined.
        operator: for each sensor, the rms error of the predicted channels, ``[channel]``.
        representativeness: initial standard deviation (reflectance).
        zeniths: largest zenith angles of sun and view (degrees) that the operator was made for.
    """

    def __init__(
        self,
        channels: Mapping[str, tuple[str, ...]],
        knots: tuple[float, ...],
        operator: Mapping[str, Tensor],
        representativeness: float = 0.01,
        zeniths: tuple[float, float] = (90.0, 90.0),
    ) -> None:
        super().__init__()
        self.operator, self.zeniths = dict(operator), zeniths
        self.knots = {s: nearest_knots(s, names, knots) for s, names in channels.items()}
        moments = {s: gain_moments(s, names) for s, names in channels.items()}
        self.gains = {s: None if m is None else m.diagonal(0, 1, 2) for s, m in moments.items()}
        if not representativeness > 0.0:
            raise InputError(
                f"representativeness is {representativeness}; give a positive standard deviation"
            )
        self.log_representativeness = nn.Parameter(
            torch.full((len(knots),), math.log(representativeness), dtype=torch.float64)
        )

    def forward(self, acquisition: Acquisition) -> Acquisition:
        """The acquisition with its full error; infinite errors stay infinite."""
        sensor = acquisition.sensor
        if sensor not in self.knots:
            return acquisition
        added = self.log_representativeness[self.knots[sensor]].exp().square()
        gains = self.gains[sensor]
        if gains is not None:
            added = gains.to(added) @ added
        added = added + self.operator[sensor].to(added).square()
        total = (acquisition.error.square() + added.to(acquisition.error)).sqrt()
        limits = acquisition.angles.new_tensor(self.zeniths)
        inside = (acquisition.angles[:, :2] <= limits).all(1, keepdim=True)
        error = torch.where(acquisition.seen, total, acquisition.error)
        error = torch.where(inside, error, torch.inf)
        return acquisition._replace(error=error)
