r"""Observation error R: instrument, representativeness and quadrature, per channel.

    R = instrument^2 + representativeness^2 + quadrature^2

The instrument's part is read with the data (`releo_da.sensors`). Representativeness is what a
channel's value varies by from date to date for reasons that no state carries: residual atmosphere
and haze, adjacency, registration. It is a standard deviation per knot wavelength, learned with the
dynamics by the likelihood of innovations; a channel takes that of the nearest knot. The
quadrature's part is the error of the band rule (`releo_da.observation.quadrature`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from releo_da.observation.prosail import nearest_knots
from releo_da.types import Acquisition


class ObservationError(nn.Module):
    """Adds representativeness and quadrature error to an acquisition's instrument error.

    Args:
        channels: for each sensor, the channels in the order of its acquisitions.
        knots: centre wavelengths (nm) at which representativeness is defined.
        quadrature: for each sensor, the rms error of its band rule, ``[channel]``.
        representativeness: initial standard deviation (reflectance).
    """

    def __init__(
        self,
        channels: Mapping[str, tuple[str, ...]],
        knots: tuple[float, ...],
        quadrature: Mapping[str, Tensor],
        representativeness: float = 0.01,
    ) -> None:
        super().__init__()
        self.quadrature = dict(quadrature)
        self.knots = {s: nearest_knots(s, names, knots) for s, names in channels.items()}
        self.log_representativeness = nn.Parameter(
            torch.full((len(knots),), math.log(representativeness), dtype=torch.float64)
        )

    def forward(self, acquisition: Acquisition) -> Acquisition:
        """The acquisition with its full error; infinite errors stay infinite."""
        sensor = acquisition.sensor
        if not sensor:
            return acquisition
        added = self.log_representativeness[self.knots[sensor]].exp().square()
        added = added + self.quadrature[sensor].to(added).square()
        total = (acquisition.error.square() + added.to(acquisition.error)).sqrt()
        error = torch.where(acquisition.seen, total, acquisition.error)
        return acquisition._replace(error=error)
